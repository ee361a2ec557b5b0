"""Rejected lines of a batch, for the run history."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import NoSpaceError
from wangp_cli.runtime.history.log import append_lines
from wangp_cli.runtime.history.manifest import rejection_record

if TYPE_CHECKING:
    from wangp_cli.runtime.events.types import Fault

log = logging.getLogger(__name__)


class RejectedLines:
    """Collects rejected lines, to append them to the run history at once: a file may have many.

    Args:
        history: the run history.
        folder: the output folder.
        run_id: of the run.
    """

    def __init__(self, history: Path, folder: Path, run_id: str) -> None:
        self._history = history
        self._folder = folder
        self._run_id = run_id
        self._records: list[dict[str, Any]] = []

    def add(self, task_id: str | None, line: int | None, fault: Fault, notices: Sequence[str] = ()) -> None:
        """Collect a line."""
        self._records.append(
            rejection_record(
                folder=self._folder,
                run_id=self._run_id,
                error=fault.model_dump(mode="json"),
                task_id=task_id,
                line=line,
                notices=notices,
            )
        )

    def append(self) -> None:
        """Append what was collected; a history that cannot be written is a warning."""
        records, self._records = self._records, []
        if not records:
            return
        try:
            append_lines(self._history, records)
        except NoSpaceError as error:
            log.warning("the run history could not be written: %s", error)
