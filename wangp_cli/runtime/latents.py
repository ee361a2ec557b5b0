"""Files of latents: a result that waits to be decoded, with the request that made it."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import RequestError
from wangp_cli.runtime.work import folder_beside

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.runtime.job import Job

KEY = "wangp"
"""Of the request in a file's metadata."""
LONGEST_HEADER = 1 << 24


def latents_file(job: Job, index: int) -> Path:
    """The file for the latents of one result, in the work folder beside it."""
    name = f"{job.request.task.task_id}-{index + 1}.safetensors"
    return folder_beside(job.request.outputs[index]) / name


def said_by(file: Path) -> dict[str, Any]:
    """The request that latents were made by, whose result they are.

    Raises:
        RequestError: the file is not one of latents.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length)) if length <= LONGEST_HEADER else {}
        said: dict[str, Any] = json.loads(header["__metadata__"][KEY])
    except OSError as error:
        raise RequestError("latents", f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, struct.error):
        raise RequestError(
            "latents", f"{file} holds no latents of ours", hint="a failed decode names the file"
        ) from None
    return said
