"""The session: everything a task needs from its surroundings, passed and never global."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wangp_cli.accelerators import Accelerators
from wangp_cli.catalogue import Catalogue
from wangp_cli.presets import Presets
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.run_options import SECONDS_BETWEEN
from wangp_cli.runtime.settings import Folders, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.runtime.events.stream import Stream
    from wangp_cli.runtime.pool import Pool
    from wangp_cli.runtime.workspace.scratch import Scratch
    from wangp_cli.value_layers import Origins


@dataclass(frozen=True, kw_only=True)
class Session:
    """What tasks share: settings, models, presets, the event stream and loaded pipelines."""

    settings: Settings
    settings_origin: Origins
    folders: Folders
    catalogue: Catalogue
    presets: Presets
    accelerators: Accelerators
    stream: Stream
    pool: Pool
    models_dir: Path
    """Folder of fetched weights, for everyone who looks for weights."""
    loras_dir: Path
    scratch: Scratch
    control: Control = field(default_factory=Control)
    manifest_path: Path | None = None
    events_file: Path | None = None
    progress_interval: float = SECONDS_BETWEEN
    swept: set[Path] = field(default_factory=set)
    """Output folders whose abandoned partial files were removed."""
    writable: set[Path] = field(default_factory=set)
    """Folders in which a file could be made."""
