"""Private copies of input files, so that nobody exchanges them between their check and their use."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.errors import RequestError
from wangp_cli.files.open_input import copy_input, is_inside

if TYPE_CHECKING:
    from wangp_cli.runtime.request.request import Request
    from wangp_cli.runtime.session import Session


@contextmanager
def private_inputs(
    request: Request,
    roots: Sequence[Path] | None,
    session: Session,
    name_of: Callable[[str], str],
) -> Iterator[Request]:
    """Give the request with private copies of its input files; they are removed at the end.

    A copy is a hard link where the file system allows it.

    Args:
        request: settled.
        roots: folders of which one must hold each file itself, links resolved; None to use the files as they
            are, wherever they lie.
        session: has the scratch folder, for the copies, and the LoRA folder, whose files are not copied
            because only the user writes there.
        name_of: the name of a file in manifests, by its path.

    Raises:
        RequestError: a file cannot be read, or lies elsewhere.
    """
    if roots is None:
        yield request
        return
    place = session.scratch.folder() / f"inputs-{secrets.token_hex(16)}"
    copies: dict[Path, Path] = {}

    def copy(field: str, path: Path) -> Path:
        if path not in copies:
            copies[path] = _copy(field, path, roots, place / str(len(copies)) / path.name)
        return copies[path]

    try:
        place.mkdir(mode=0o700)
        media = {
            field: [copy(field, path) for path in paths] for field, paths in request.task.media().items()
        }
        loras = [
            lora
            if is_inside(str(lora.path.resolve()), [session.loras_dir])
            else replace(lora, source=replace(lora.source, path=copy("loras", lora.path)))
            for lora in request.loras
        ]
        values = {
            field: tuple(paths) if isinstance(getattr(request.task, field), tuple) else paths[0]
            for field, paths in media.items()
        }
        facts = {
            field: tuple((copies[path], facts) for path, facts in files)
            for field, files in request.facts.by_field.items()
        }
        yield replace(
            request,
            task=request.task.model_copy(update=values),
            facts=replace(request.facts, by_field=facts),
            loras=loras,
            addresses={**request.addresses, **{str(copies[path]): name_of(str(path)) for path in copies}},
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _copy(field: str, path: Path, roots: Sequence[Path], target: Path) -> Path:
    try:
        target.parent.mkdir(mode=0o700)
        copy_input(path, target, roots)
    except OSError as error:
        raise RequestError(field, f"cannot read {path}: {error.strerror}") from None
    return target
