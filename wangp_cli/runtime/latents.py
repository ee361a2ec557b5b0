"""Files of latents that are saved before decoding, with the request in their metadata."""

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
    """The path for the latents of one result, in the work folder."""
    name = f"{job.request.task.task_id}-{index + 1}.safetensors"
    return folder_beside(job.request.outputs[index]) / name


def request_of(file: Path) -> dict[str, Any]:
    """The request in the metadata of a file of latents.

    Raises:
        RequestError: the file cannot be read, or holds no latents of wangp.
    """
    try:
        header, _ = read_header(file)
        request: dict[str, Any] = strict_json.loads(header["__metadata__"][LATENTS_KEY])
    except OSError as error:
        raise RequestError("latents", f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise RequestError(
            "latents", f"{file} holds no latents of ours", hint="a failed decode names the file"
        ) from None
    return request
