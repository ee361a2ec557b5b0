"""Advisory locks on open files.

The kernel releases a lock when its process ends, however it ends, so that no lock is ever stale. A lock file
that other programs may lock by its name is a `filelock.FileLock`, which uses the same locks.
"""

from __future__ import annotations

import fcntl


def lock(file: int, *, wait: bool = False) -> bool | None:
    """Lock an open file or folder until its descriptor is closed.

    Args:
        file: the descriptor.
        wait: until the lock is free; else give up at once.

    Returns:
        True if it is locked, False if another process has it, None where the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
