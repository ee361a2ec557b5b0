"""Files of latents that are kept until their result is written, with the request in their metadata."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.safetensors_header import read_header
from wangp_cli.runtime.workspace.segments_cache import FOLDER, IGNORED_FIELDS, LATENTS_KEY
from wangp_cli.tasks.fields import MAX_SEED

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.tasks.render import Render


def latents_file(task: Render, index: int, folder: Path) -> Path:
    """The path for the latents of one result, in the work folder of an output folder."""
    return folder / FOLDER / f"{task.task_id}-{index + 1}.safetensors"


def latents_request(task: Render, index: int) -> dict[str, Any]:
    """The request of one result as its latents keep it, without its output path."""
    request = task.single(index).model_dump(mode="json")
    for field, files in task.media().items():
        paths = [str(path.absolute()) for path in files]
        request[field] = paths if isinstance(request[field], list) else paths[0]
    return request


def is_same_request(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two requests of latents make the same result, apart from the seed and where it is written."""
    left_out = IGNORED_FIELDS | {"seed", "output", "output_dir", "name"}
    values, others = (
        {name: value for name, value in each.items() if name not in left_out} for each in (one, other)
    )
    return values == others


def kept_seed(task: Render, folder: Path) -> int | None:
    """The seed that an interrupted run drew for the same task and request, and whose latents it has kept."""
    for index in range(task.results):
        with suppress(RequestError):
            request = request_of(latents_file(task, index, folder))
            seed = request.get("seed")
            if not isinstance(seed, int) or isinstance(seed, bool) or not index <= seed <= MAX_SEED:
                continue
            if is_same_request(request, latents_request(task, index)):
                return seed - index
    return None


def request_of(file: Path) -> dict[str, Any]:
    """The request in the metadata of a file of latents.

    Raises:
        RequestError: the file cannot be read, or holds no latents of wangp.
    """
    try:
        header, _ = read_header(file)
        request = strict_json.loads(header["__metadata__"][LATENTS_KEY])
        if not isinstance(request, dict):
            raise TypeError("no object")
    except OSError as error:
        raise RequestError("latents", f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise RequestError(
            "latents", f"{file} holds no latents of ours", hint="a failed decode names the file"
        ) from None
    return request
