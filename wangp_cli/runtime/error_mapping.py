"""Map any exception to a `WangpError`."""

from __future__ import annotations

import errno
import logging
import os
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path

from wangp_cli.errors import DiskError, NoSpaceError, OutOfMemoryError, ResourceError, WangpError
from wangp_cli.files.atomic import disk_error

log = logging.getLogger(__name__)
TRANSIENT = {
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EAGAIN,
    errno.EBUSY,
    errno.EREMOTEIO,
    errno.EHOSTDOWN,
    errno.ENOTCONN,
}
"""errno of disk and network errors that may not occur at the next attempt."""


def to_wangp_error(error: Exception) -> WangpError:
    """The error itself if it is a `WangpError`, else the one for its cause: memory, disk or a bug."""
    if isinstance(error, WangpError):
        return error
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        log.error("out of memory", exc_info=error)
        # Its frames hold what filled the memory.
        traceback.clear_frames(error.__traceback__)
        return OutOfMemoryError(
            f"out of memory: {str(error).splitlines()[0] if str(error) else 'the machine has none left'}",
            hint="a smaller --size or fewer --frames, --profile 5, or --transformer-quantization int8",
        )
    if isinstance(error, OSError) and error.errno in TRANSIENT:
        return DiskError(f"{error.filename or 'a file'}: {error.strerror}", hint="--retries tries again")
    if isinstance(error, OSError) and (known := _of_system(error)):
        return known
    log.error("unexpected error", exc_info=error)
    details = "".join(f"; the log has the details: {file}" for file in _log_files())
    return WangpError(f"{type(error).__name__}: {error}", hint=f"this is a bug of wangp{details}")


def _of_system(error: OSError) -> WangpError | None:
    """The error for what the system lacks; many such errors name no file."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return ResourceError("too many files are open", hint="raise the limit: ulimit -n 4096")
    if error.filename:
        mapped = disk_error(error, Path(os.fsdecode(error.filename)))
        return mapped if isinstance(mapped, WangpError) else None
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NoSpaceError("a disk is full", hint="free some space")
    return None


def _log_files() -> list[str]:
    handlers = logging.getLogger().handlers
    return [handler.baseFilename for handler in handlers if isinstance(handler, RotatingFileHandler)]


def _is_out_of_memory(error: Exception) -> bool:
    # By name, because torch is not imported here.
    return type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
