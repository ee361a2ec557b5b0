"""Files of latents: a result that waits to be decoded, with the request that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wangp_cli.errors import RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.safetensors_header import read_header
from wangp_cli.runtime.workspace.segments_cache import LATENTS_KEY, folder_beside

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.runtime.job import RenderJob


def latents_file(job: RenderJob, index: int) -> Path:
    """The file for the latents of one result, in the work folder beside it."""
    name = f"{job.request.task.task_id}-{index + 1}.safetensors"
    return folder_beside(job.request.outputs[index]) / name


def request_of(file: Path) -> dict[str, Any]:
    """The request that latents were made by, whose result they are.

    Raises:
        RequestError: the file is not one of latents.
    """
    try:
        header, _ = read_header(file)
        said: dict[str, Any] = strict_json.loads(header["__metadata__"][LATENTS_KEY])
    except OSError as error:
        raise RequestError("latents", f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise RequestError(
            "latents", f"{file} holds no latents of ours", hint="a failed decode names the file"
        ) from None
    return said
