"""`wangp show`: the facts of a file and its request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_facts, write_json
from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.files.atomic import atomic_file
from wangp_cli.files.same_file import is_same_file
from wangp_cli.runtime.events.messages import write_line, write_path, write_text
from wangp_cli.value_layers import DEFAULT

SHEET_FRAMES = 12


def show(
    file: Annotated[
        Path, typer.Argument(help="An image, video or audio file, or a folder or ZIP archive of frames.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="FILE", help="Write a contact sheet: an image of frames."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a sheet that exists.")] = False,
) -> None:
    """Show the facts of a file and the request it was made with."""
    with report_errors(), opened(file) as (media, of_sequence):
        facts = file_facts(media) | of_sequence
        found = request_of(media)
        if sheet:
            write_sheet(media, sheet, overwrite=overwrite)
        if json:
            of_request = {"request": found.values, "unused": found.unused} if found else {"request": None}
            write_json({"file": facts, **of_request, "sheet": str(sheet.absolute()) if sheet else None})
            return
        write_facts(facts | {"notices": "; ".join(facts["notices"])})
        if found:
            write_line()
            write_facts(found.chosen_values)
            if found.defaults:
                write_text(f"\n{found.defaults} other values are defaults; --json shows all.")
        else:
            write_text("\nThe file holds no request.")
        if sheet:
            write_line()
            write_path(sheet.absolute())


@contextmanager
def opened(file: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give a media file, or the first frame of a folder or archive of frames with the facts of that."""
    from wangp_cli.files.checksum import bytes_of
    from wangp_cli.media.image_sequence import first_frame, is_archive

    if not file.is_dir() and not (is_archive(file) and file.is_file()):
        yield file, {}
        return
    container = "folder" if file.is_dir() else "zip"
    with first_frame(file) as (first, frames):
        facts = {"frames": frames, "container": container, "bytes": bytes_of(file)}
        yield first, {"path": str(file.absolute()), "kind": "images", **facts}


def file_facts(file: Path) -> dict[str, Any]:
    """Frames, exact rate, codec, colour tags and audio of a media file."""
    from wangp_cli.media.facts import checked_facts

    probed = checked_facts(file)
    facts = {name: getattr(probed, name) for name in probed.__dataclass_fields__}
    return {"path": str(file.absolute()), **facts, "fps": str(facts["fps"]) if facts.get("fps") else None}


@dataclass(frozen=True, kw_only=True)
class EmbeddedRequest:
    """A request in a file.

    Args:
        values: by field.
        origins: where each value comes from; empty if the file does not say it.
        unused: fields whose values the run did not read.
    """

    values: dict[str, Any]
    origins: Mapping[str, Any] = field(default_factory=dict)
    unused: Sequence[Any] = ()

    @property
    def chosen_values(self) -> dict[str, Any]:
        """The values that are no defaults, for people; those that were not used are marked."""
        return {
            name: f"{value} (not used)" if name in self.unused else value
            for name, value in self.values.items()
            if self.origins.get(name) != str(DEFAULT)
        }

    @property
    def defaults(self) -> int:
        """How many values are defaults."""
        return len(self.values) - len(self.chosen_values)


def request_of(file: Path) -> EmbeddedRequest | None:
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
        if not isinstance(embedded, dict) or not isinstance(values := embedded.get("request"), dict):
            return EmbeddedRequest(values=document)
        origins, unused = embedded.get("origin"), embedded.get("unused")
        return EmbeddedRequest(
            values=values,
            origins=origins if isinstance(origins, dict) else {},
            unused=unused if isinstance(unused, list) else (),
        )
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
