"""Write files so that a reader, a crash or a power cut finds the old file or the new one, never a part.

Content goes to a hidden partial file in the same folder. Its name is random, it is opened without following
links, and it is locked while it is written. When it is complete, it is fsynced, takes the final name, and the
folder is fsynced.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.files.checksum import is_name_of, open_regular, remove_open, sha256_of_open
from wangp_cli.files.folders import open_folder, sync_folder
from wangp_cli.files.locks import lock

RENAME_NOREPLACE = 1
PARTIAL = re.compile(r"\..*\.[0-9a-f]{32}\.partial(\.\w+)?", re.DOTALL)
"""Names of partial files."""


@contextmanager
def atomic_file(
    path: Path,
    *,
    overwrite: bool,
    inside: Path | None = None,
    before_rename: Callable[[Path, str], None] | None = None,
) -> Iterator[Path]:
    """Give the path of a partial file to write; on success it takes its final name, else it is removed.

    Args:
        path: the final name.
        overwrite: replace what is there.
        inside: a folder that the file must lie in, links resolved; None for any place. The path that is given
            then leads through the open folder where the system allows it, so that no link can be put there.
        before_rename: called with `path` and the sha256 of the complete file; what it raises leaves `path`
            as it is.

    Raises:
        ConflictError: the file appeared meanwhile and `overwrite` is off, the partial file was replaced, or
            the folder leads out of `inside`.
        NoSpaceError: the disk is full or the folder cannot be written.
    """
    try:
        with _partial(
            path, suffix=path.suffix, overwrite=overwrite, inside=inside, before_rename=before_rename
        ) as (folder, _, name):
            held = Path(f"/proc/self/fd/{folder}") / name
            yield held if inside and held.exists() else path.with_name(name)
    except FileExistsError:
        raise ConflictError(f"output: {path} exists", hint="--overwrite replaces it") from None
    except OSError as error:
        raise disk_error(error, path) from None


@contextmanager
def open_atomic(path: Path, *, overwrite: bool = True, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a file for writing; on success the content takes its final name, else it is removed.

    Args:
        path: the final name; its folder is made.
        overwrite: replace what is there.
        mode: permissions of the file, less the umask.

    Raises:
        ConflictError: the partial file was replaced meanwhile.
        OSError: naming `path`; a FileExistsError if it is there and `overwrite` is off.
    """
    try:
        with (
            _partial(path, suffix="", overwrite=overwrite, mode=mode) as (_, file, _),
            os.fdopen(os.dup(file), "wb") as content,
        ):
            yield content
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def write_atomic(path: Path, content: str | bytes, *, overwrite: bool = True, mode: int = 0o666) -> None:
    """Write a small file; the arguments and errors are those of `open_atomic`.

    Partial files that killed processes left in the folder are removed.
    """
    sweep(path.parent)
    with open_atomic(path, overwrite=overwrite, mode=mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def rename_durably(partial: Path, path: Path) -> None:
    """Give a complete file its final name, replacing what is there, and bring both to the disk.

    For a partial file that a later run resumes, and so finds by its name, or whose content decides the final
    name.

    Raises:
        OSError: `partial` is a link or not there, or the disk fails.
    """
    file = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(file)
    finally:
        os.close(file)
    partial.replace(path)
    sync_folder(path.parent)


def set_aside(path: Path, ending: str) -> Path:
    """Rename a file to its name with an ending, and a number if that is taken: nothing is replaced.

    Returns:
        the new path.

    Raises:
        OSError: it cannot be renamed.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    name, number = f"{path.name}{ending}", 1
    try:
        while True:
            try:
                _rename(path.name, name, folder, overwrite=False)
            except FileExistsError:
                number += 1
                name = f"{path.name}{ending}.{number}"
            else:
                os.fsync(folder)
                return path.with_name(name)
    finally:
        os.close(folder)


@contextmanager
def _partial(
    path: Path,
    *,
    suffix: str,
    overwrite: bool,
    mode: int = 0o666,
    inside: Path | None = None,
    before_rename: Callable[[Path, str], None] | None = None,
) -> Iterator[tuple[int, int, str]]:
    """Give the descriptors of a folder and a partial file and its name, which becomes the final one."""
    with ExitStack() as opened:
        folder, file, name = _create(path, suffix, mode, inside, opened)
        yield folder, file, name
        os.fsync(file)
        if not is_name_of(name, file, folder):
            raise ConflictError(f"output: the partial file of {path} was replaced", hint="run it again")
        if before_rename:
            before_rename(path, sha256_of_open(file))
        _rename(name, path.name, folder, overwrite=overwrite)
        os.fsync(folder)


def _create(
    path: Path, suffix: str, mode: int, inside: Path | None, opened: ExitStack, tries: int = 100
) -> tuple[int, int, str]:
    """Create and lock a partial file in the folder of `path`.

    Another run may remove the folder while it is empty, and the file until it is locked.

    Args:
        path: the final name.
        suffix: of the partial file; encoders choose the format by it.
        mode: permissions.
        inside: a folder that `path` must lie in; None for any place.
        opened: closes the descriptors and removes the partial file.
        tries: before it is given up.

    Returns:
        descriptors of the folder and of the partial file, and its name.
    """
    for left in reversed(range(tries)):
        name = f".{_short_stem(path)}.{secrets.token_hex(16)}.partial{suffix}"
        with ExitStack() as stack, suppress(*([FileNotFoundError] if left else [])):
            folder = open_folder(path.parent, inside)
            stack.callback(os.close, folder)
            file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder)
            stack.callback(os.close, file)
            stack.callback(remove_open, file, name, folder)
            lock(file, wait=True)
            if is_name_of(name, file, folder):
                opened.push(stack.pop_all())
                return folder, file, name
    raise FileNotFoundError(errno.ENOENT, "its folder is removed again and again", str(path.parent))


def _short_stem(path: Path) -> str:
    return path.stem.encode(errors="surrogateescape")[:80].decode(errors="ignore")


def _rename(old: str, new: str, folder: int, *, overwrite: bool) -> None:
    """Rename a file in a folder; raises FileExistsError where the name is taken and may not be replaced."""
    if not overwrite:
        try:
            os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:
            # Some file systems have no hard links, or refuse this one.
            if not _rename_exclusively(old, new, folder):
                _replace_placeholder(old, new, folder)
        else:
            os.unlink(old, dir_fd=folder)
        return
    os.replace(old, new, src_dir_fd=folder, dst_dir_fd=folder)


def _rename_exclusively(old: str, new: str, folder: int) -> bool:
    """Rename a file by the call of Linux that replaces nothing; False where there is none."""
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(folder, os.fsencode(old), folder, os.fsencode(new), RENAME_NOREPLACE) == 0:
        return True
    if (number := ctypes.get_errno()) == errno.EEXIST:
        raise FileExistsError(number, os.strerror(number), new)
    return False


def _replace_placeholder(old: str, new: str, folder: int) -> None:
    """Take a name with an empty file and replace that; the empty file does not stay."""
    placeholder = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
    try:
        os.replace(old, new, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        remove_open(placeholder, new, folder)
        raise
    finally:
        os.close(placeholder)


def disk_error(error: OSError, path: Path) -> Exception:
    """The error for users that stands for an OS error met while writing `path`; others as they are."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NoSpaceError(
            f"output: the disk of {path.parent} is full", hint="free some space, or use --output-dir"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT):
        return NoSpaceError(
            f"output: {path.parent} cannot be written", hint="--output-dir picks another folder"
        )
    if error.errno == errno.ELOOP:
        return ConflictError(f"output: {path} is a link", hint="remove it")
    return error


def reason_of(error: OSError) -> str:
    """What is wrong, for users: the disk is full, or the system's own words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full"
    return (error.strerror or str(error) or type(error).__name__).lower()


def sweep(folder: Path) -> None:
    """Remove the partial files of processes that have ended: those whose lock is free."""
    for path in folder.glob(".*.partial*"):
        if PARTIAL.fullmatch(path.name):
            with open_regular(path, os.O_RDWR) as file:
                if file is not None and lock(file):
                    remove_open(file, path)
