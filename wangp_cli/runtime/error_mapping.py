"""Map any exception to a `WangpError`."""

from __future__ import annotations

import errno
import logging
import traceback
from pathlib import Path

from wangp_cli.errors import DiskError, OutOfMemoryError, WangpError
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
    if isinstance(error, OSError) and error.filename:
        mapped = disk_error(error, Path(str(error.filename)))
        if isinstance(mapped, WangpError):
            return mapped
    log.error("unexpected error", exc_info=error)
    return WangpError(
        f"{type(error).__name__}: {error}", hint="this is a bug of wangp; the log has the details"
    )


def _is_out_of_memory(error: Exception) -> bool:
    # By name, because torch is not imported here.
    return type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
