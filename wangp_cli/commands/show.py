"""`wangp show`: the facts of a file and its request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_facts, write_json
from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.files.atomic import atomic_file
from wangp_cli.files.same_file import is_same_file
from wangp_cli.runtime.events.messages import write_line, write_path, write_text

SHEET_FRAMES = 12


def show(
    file: Annotated[Path, typer.Argument(help="An image, video or audio file.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="FILE", help="Write a contact sheet: an image of frames."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a sheet that exists.")] = False,
) -> None:
    """Show the facts of a file and the request it was made with."""
    with report_errors():
        facts = file_facts(file)
        request = request_of(file)
        if sheet:
            write_sheet(file, sheet, overwrite=overwrite)
        if json:
            write_json({"file": facts, "request": request, "sheet": str(sheet.absolute()) if sheet else None})
            return
        write_facts(facts | {"notices": "; ".join(facts["notices"])})
        if request:
            write_line()
            write_facts(request)
        else:
            write_text("\nThe file holds no request.")
        if sheet:
            write_line()
            write_path(sheet.absolute())


def file_facts(file: Path) -> dict[str, Any]:
    """Frames, exact rate, codec, colour tags and audio of a media file."""
    from wangp_cli.media.facts import checked_facts

    probed = checked_facts(file)
    facts = {name: getattr(probed, name) for name in probed.__dataclass_fields__}
    return {"path": str(file.absolute()), **facts, "fps": str(facts["fps"]) if facts.get("fps") else None}


def request_of(file: Path) -> dict[str, Any] | None:
    """The request embedded in a file, or in its sidecar; None if there is neither."""
    from wangp_cli.runtime.intake.settings_file import read_document

    for path in (file, file.with_suffix(".json")):
        if not path.is_file():
            continue
        try:
            document = read_document(path)
        except RequestError:
            continue
        embedded = document.get("wangp")
        request = embedded.get("request") if isinstance(embedded, dict) else None
        return request if isinstance(request, dict) else document
    return None


def write_sheet(file: Path, sheet: Path, *, overwrite: bool) -> None:
    """Write a contact sheet of the frames of a video or image."""
    from wangp_cli.media.facts import probe
    from wangp_cli.media.read_video import read_frames
    from wangp_cli.media.sheet import contact_sheet, evenly_spaced, frame_labels
    from wangp_cli.media.stills import read_image, write_image

    if sheet.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise RequestError(
            "sheet", f"{str(sheet)!r} is not the name of an image file", hint="use .png, .jpg or .webp"
        )
    if is_same_file(file, sheet):
        raise RequestError("sheet", f"{sheet} is the file that is shown", hint="name another file")
    if sheet.exists() and not overwrite:
        raise ConflictError(f"sheet: {sheet} exists", hint="--overwrite replaces it")
    facts = probe(file)
    if facts.kind == "audio":
        raise RequestError("sheet", f"{file} has no frames to show")
    if facts.kind == "image":
        image = contact_sheet(read_image(file), columns=1)
    else:
        indices = evenly_spaced(facts.frames, SHEET_FRAMES)
        image = contact_sheet(
            read_frames(file, indices), count=len(indices), labels=frame_labels(indices, facts.fps)
        )
    with atomic_file(sheet, overwrite=overwrite) as partial:
        write_image(partial, image)
