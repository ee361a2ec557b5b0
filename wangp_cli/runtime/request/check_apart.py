"""Refuse results that would replace a file that the run reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.errors import RequestError
from wangp_cli.files.same_file import is_same_file, lies_in
from wangp_cli.runtime.events.events_file import check_apart
from wangp_cli.runtime.history.log import HISTORY, check_history
from wangp_cli.runtime.request.output_paths import check_writable, result_files

if TYPE_CHECKING:
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.task import Task


def check_files_apart(task: Task, outputs: Sequence[Path], loras: Sequence[Path], session: Session) -> None:
    """Check that no file that is written is one that is read, whatever `overwrite` says.

    Args:
        task: names input files.
        outputs: its results.
        loras: its LoRA files on this machine.
        session: has the history, the events file, and the files that the run reads.

    Raises:
        RequestError: a result, a file beside it, the history or the events file is an input; or the history
            or the events file is another file of the run.
    """
    history = session.manifest_path or outputs[0].parent / HISTORY
    results = [file for path in outputs for file in result_files(task, path)]
    folders = [folder for path in outputs for folder in task.folders_beside(path)]
    written = [("output" if task.output else "name", file) for file in results]
    others = [("manifest_path", history), *_given("events_file", session.events_file)]
    for field, path in _inputs(task, loras):
        _check_not_replaced([*written, *others], path, f"the input of {field}")
        for folder in folders:
            if lies_in(path, folder):
                hint = "move it elsewhere"
                raise RequestError(field, f"{path} lies in {folder}, whose files are replaced", hint=hint)
    for path in session.files_used:
        _check_not_replaced(written, path, "a file that this run reads")
    check_writable("manifest_path", history.parent, session.writable)
    check_history(history)
    if session.events_file:
        check_apart(session.events_file, [*results, history])


def _inputs(task: Task, loras: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for field, paths in task.media().items():
        yield from ((field, path) for path in paths)
    yield from (("loras", path) for path in loras)


def _given(field: str, path: Path | None) -> Iterator[tuple[str, Path]]:
    if path is not None:
        yield field, path


def _check_not_replaced(written: Iterable[tuple[str, Path]], read: Path, what: str) -> None:
    for field, file in written:
        if is_same_file(file, read):
            raise RequestError(field, f"{file} is {what}, which is never replaced", hint="name another file")
