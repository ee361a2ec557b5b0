"""Fill a folder, so that it takes its name when it is complete.

The partial folder lies beside the final one, has a random name and is locked while it is filled. One that is
filled over several runs holds a marker file, by whose content a later run knows that it may go on with it.
"""

from __future__ import annotations

import glob
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wangp_cli.errors import ConflictError
from wangp_cli.files.atomic import disk_error, sweep, write_atomic
from wangp_cli.files.checksum import sha256_of
from wangp_cli.files.folders import make_folder, open_folder, sync_folder
from wangp_cli.files.locks import lock


@contextmanager
def atomic_folder(
    target: Path, *, marker: str, content: str, may_replace: Callable[[Path], bool]
) -> Iterator[Path]:
    """Give a partial folder to fill: that of an interrupted run with the same marker, or a new one.

    On success it takes the name of `target`; else it stays, for the next run to go on. Partial folders of
    `target` with another marker are removed if no run fills them.

    Args:
        target: the final folder.
        marker: name of the marker file; the caller may remove it before the end.
        content: of the marker file; it tells what the folder is filled with.
        may_replace: asked at the end whether a folder that is at `target` may be removed.

    Raises:
        ConflictError: something that may not be replaced is at `target`.
        OSError: a folder cannot be made, or the disk fails.
    """
    make_folder(target.parent)
    partial, descriptor = _resume(target, marker, content) or _create(target)
    try:
        write_atomic(partial / marker, content)
        yield partial
        _sync_tree(partial)
        _take_name(partial, target, may_replace)
    finally:
        os.close(descriptor)


@contextmanager
def new_folder(
    target: Path,
    *,
    may_replace: Callable[[Path], bool],
    inside: Path | None = None,
    before_rename: Callable[[Path, str], None] | None = None,
) -> Iterator[Path]:
    """Give an empty partial folder to fill; on success it takes its final name, else it is removed.

    Args:
        target: the final folder.
        may_replace: asked at the end whether a folder that is at `target` may be removed.
        inside: a folder that it must lie in, links resolved; None for any place.
        before_rename: called with `target` and the `sha256_of` the complete folder; what it raises leaves
            `target` as it is.

    Raises:
        ConflictError: something that may not be replaced is at `target`, or it leads out of `inside`.
        NoSpaceError: the disk is full or the folder cannot be written.
    """
    try:
        os.close(open_folder(target.parent, inside))
        _remove_partials(target)
        partial, descriptor = _create(target)
        try:
            yield partial
            _sync_tree(partial)
            if before_rename:
                before_rename(target, sha256_of(partial))
            _take_name(partial, target, may_replace)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            os.close(descriptor)
    except OSError as error:
        raise disk_error(error, target) from None


def _remove_partials(target: Path) -> None:
    """Remove the partial folders of `target` that killed processes left."""
    _resume(target, marker="", content=None)


def _resume(target: Path, marker: str, content: str | None) -> tuple[Path, int] | None:
    """The partial folder to go on with, and its locked descriptor; with no content there is none."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{32}}\.partial", re.DOTALL)
    for folder in sorted(target.parent.glob(f".{glob.escape(target.name)}.*.partial")):
        if not name.fullmatch(folder.name):
            continue
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            locked = lock(descriptor)
            if content is not None and locked is not False and _read(folder / marker) == content:
                for parent, _, _ in os.walk(folder):
                    sweep(Path(parent))
                return folder, descriptor
            if locked:
                shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
    return None


def _read(marker: Path) -> str | None:
    with suppress(OSError, UnicodeError):
        return marker.read_text(encoding="utf-8")
    return None


def _create(target: Path) -> tuple[Path, int]:
    partial = target.with_name(f".{target.name}.{secrets.token_hex(16)}.partial")
    partial.mkdir()
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    lock(descriptor, wait=True)
    return partial, descriptor


def _sync_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            descriptor = os.open(Path(parent) / name, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(parent))


def _take_name(partial: Path, target: Path, may_replace: Callable[[Path], bool]) -> None:
    """Rename the partial folder; what it replaces is moved aside first and removed last."""
    old = target.with_name(f".{target.name}.{secrets.token_hex(16)}.replaced")
    replaces = os.path.lexists(target)
    if replaces:
        if not may_replace(target):
            raise ConflictError(f"folder: {target} exists", hint="name another folder")
        target.rename(old)
    partial.rename(target)
    sync_folder(target.parent)
    if replaces:
        shutil.rmtree(old, ignore_errors=True)
