"""The field groups that tasks share, and the task itself."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from wangp_cli.tasks.fields import Flag, Input, Spec

Codec = Literal[
    "h264",
    "h264-10",
    "h264-444",
    "h264-lossless",
    "hevc",
    "av1",
    "vp9",
    "prores",
    "prores4444",
    "ffv1",
    "dnxhr",
]
ImageFormat = Literal["png", "jpg", "webp"]
MetadataMode = Literal["embed", "sidecar", "none"]


class MediaInputs(Spec):
    """Pictures, videos and sound that steer the result."""

    panel: ClassVar[str] = "Inputs"
    image_start: Annotated[Path | None, Input(("image",), "start"), Flag("Picture of the first frame.")] = (
        None
    )
    image_end: Annotated[Path | None, Input(("image",), "end"), Flag("Picture of the last frame.")] = None
    image_refs: Annotated[
        tuple[Path, ...],
        Input(("image",), "references"),
        Flag("Picture of what to show; repeatable.", name="image_ref"),
    ] = ()
    video_source: Annotated[
        Path | None,
        Input(("video",), "source"),
        Flag("Video to continue; the result holds it and the new frames."),
    ] = None
    video_initial: Annotated[
        Path | None,
        Input(("video",), "initial"),
        Flag("Video to start from instead of noise; needs a denoising strength below 1."),
    ] = None
    video_guide: Annotated[
        Path | None, Input(("video",), "control"), Flag("Control video, followed frame by frame.")
    ] = None
    video_mask: Annotated[
        Path | None,
        Input(("video",), "mask"),
        Flag("Mask video over the control video; white is painted anew."),
    ] = None
    video_face: Annotated[
        Path | None,
        Input(("video",), "face"),
        Flag("Video of a face alone, whose expressions a character takes."),
    ] = None
    video_background: Annotated[
        Path | None,
        Input(("video",), "background"),
        Flag("Video in which the mask says what a character replaces."),
    ] = None
    image_guide: Annotated[
        Path | None, Input(("image",), "control"), Flag("Control picture, held for all frames.")
    ] = None
    image_mask: Annotated[
        Path | None,
        Input(("image",), "mask"),
        Flag("Mask picture, held for all frames; white is painted anew."),
    ] = None
    audio_guide: Annotated[
        Path | None,
        Input(("audio",), "speech"),
        Flag("Recording of what a person says; the result is heard with it."),
    ] = None
    audio_source: Annotated[
        Path | None, Input(("audio",), "audio"), Flag("Sound for the result, cut to its length.")
    ] = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        for picture, video in (("image_guide", "video_guide"), ("image_mask", "video_mask")):
            if getattr(self, picture) and getattr(self, video):
                raise ValueError(f"{picture}: not together with {video}, give one of them")
        if self.video_source and self.image_start:
            raise ValueError("image_start: not together with video_source, give one of them")
        if self.video_background and not (self.video_mask or self.image_mask):
            raise ValueError("video_background: there is no mask that says what is replaced, give video_mask")
        return self


class Output(Spec):
    """Where results go and in which form."""

    panel: ClassVar[str] = "Output"
    output: Annotated[Path | None, Flag("File to write; its ending picks the container.", "-o")] = None
    output_dir: Annotated[Path, Flag("Folder for results.", metavar="FOLDER")] = Path("outputs")
    name: Annotated[
        str, Flag("Template of file names: {model} {seed} {prompt} {index} {date} ...", metavar="TEMPLATE")
    ] = "{model}_seed{seed}_{prompt}"
    overwrite: Annotated[bool, Flag("Replace files that exist.")] = False
    skip_existing: Annotated[bool, Flag("Make nothing where all files exist.")] = False
    codec: Annotated[
        Codec | None,
        Flag(
            f"Video codec: {', '.join(get_args(Codec))}. Default: the container's usual one.", metavar="NAME"
        ),
    ] = None
    crf: Annotated[
        int | None, Field(ge=0, le=63), Flag("Quality of the codec, lower is better.", metavar="N")
    ] = None
    image_format: Annotated[ImageFormat, Flag("Format of pictures.")] = "png"
    metadata_mode: Annotated[
        MetadataMode,
        Flag("Where the request is kept: embed in the file, sidecar beside it, or none.", metavar="MODE"),
    ] = "embed"


def _task_id(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", value):
        raise ValueError(f"{value!r} is not a plain name: at most 128 letters, digits, dots, dashes and _")
    return value


class Task(Spec):
    """One unit of work."""

    panel: ClassVar[str] = "Task"
    run: ClassVar[str]
    type: str
    model: Annotated[
        str,
        Field(min_length=1, max_length=128),
        Flag("Model to use; `wangp models` lists them.", "-m", metavar="NAME"),
    ]
    task_id: Annotated[
        str | None, AfterValidator(_task_id), Flag("Name of the task in events.", metavar="NAME")
    ] = None

    @classmethod
    @cache
    def inputs(cls) -> dict[str, Input]:
        """The fields that name input files."""
        marks = ((name, mark) for name, field in cls.model_fields.items() for mark in field.metadata)
        return {name: mark for name, mark in marks if isinstance(mark, Input)}

    def media(self) -> dict[str, tuple[Path, ...]]:
        """The files given, by field."""
        values = {name: getattr(self, name) for name in self.inputs()}
        return {
            name: value if isinstance(value, tuple) else (value,) for name, value in values.items() if value
        }
