"""The session: everything a task needs from its surroundings, passed and never global."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wangp_cli.catalogue import Catalogue
from wangp_cli.presets import Presets
from wangp_cli.runtime.settings import Folders, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.runtime.events import Stream
    from wangp_cli.runtime.pool import Pool


class Stop:
    """A request to stop after the current step."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def install(self) -> Callable[[], None]:
        """Listen for SIGINT and SIGTERM; the second one ends at once. Returns what undoes it."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def handle(number: int, _frame: object) -> None:
            self.signal = number
            for other in before:
                signal.signal(other, signal.SIG_DFL)

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        for number in before:
            signal.signal(number, handle)
        return restore


@dataclass(frozen=True, kw_only=True)
class Session:
    """What tasks share: settings, models, presets, the event stream and loaded pipelines."""

    settings: Settings
    settings_origin: dict[str, str]
    folders: Folders
    catalogue: Catalogue
    presets: Presets
    stream: Stream
    pool: Pool
    loras_dir: Path
    stop: Stop = field(default_factory=Stop)
    manifest_path: Path | None = None
