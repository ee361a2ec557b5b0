"""Open input files: regular ones, without waiting, inside the allowed folders, and no larger than a limit.

What is checked is the open file, so that nobody can exchange it between the check and the use.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path


@contextmanager
def open_input(path: Path, roots: Iterable[Path] | None = None) -> Iterator[BufferedReader]:
    """Open a regular file.

    Args:
        path: of the file; links are followed.
        roots: folders of which one must hold the file itself, links resolved; None for any place.

    Raises:
        OSError: naming `path`; it cannot be opened, is a pipe, a device or a folder, or lies elsewhere.
    """
    # Opening a pipe without this would wait for a writer.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if roots is not None and not is_inside(real_path(file, path), roots):
            raise OSError(errno.EACCES, "it leads out of the folders that may be read", str(path))
        with os.fdopen(file, "rb", closefd=False) as content:
            yield content
    finally:
        os.close(file)


def read_input(path: Path, limit: int, roots: Iterable[Path] | None = None) -> bytes:
    """The content of a file; arguments and errors are those of `open_input`.

    Args:
        limit: most bytes; a larger file is an OSError, too.
    """
    with open_input(path, roots) as content:
        data = content.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return data


def copy_input(path: Path, target: Path, roots: Iterable[Path] | None = None) -> None:
    """Copy a file, or make a hard link where the file system allows it; raises as `open_input` does.

    Args:
        target: the copy, in a folder that only this process writes to.
    """
    with open_input(path, roots) as content:
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Only with descriptors of folders, the link to the open file is followed.
            opened = f"/proc/self/fd/{content.fileno()}"
            os.link(opened, target.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with target.open("xb") as copy:
                shutil.copyfileobj(content, copy, 1 << 20)
        finally:
            os.close(folder)


def real_path(file: int, path: Path) -> str:
    """The path of an open file or folder without links.

    Args:
        file: its descriptor.
        path: by which it was opened.

    Raises:
        OSError: the system cannot tell it, and another file is at `path` by now.
    """
    try:
        return str(Path(f"/proc/self/fd/{file}").readlink())
    except FileNotFoundError:
        # Only Linux has this folder.
        real = path.resolve()
        if os.path.samestat(real.stat(), os.fstat(file)):
            return str(real)
        raise


def is_inside(real: str, roots: Iterable[Path]) -> bool:
    """Whether a path without links is one of the folders, whose links are resolved, or lies in one."""
    return any(
        real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in map(os.path.realpath, roots)
    )
