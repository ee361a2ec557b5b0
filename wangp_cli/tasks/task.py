"""The field groups that tasks share, and the task itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from wangp_cli.tasks.fields import Flag, Input, Spec
from wangp_cli.tasks.stages import TASK_STAGES, StageShare

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
    """Where results go, and where the request is kept."""

    panel: ClassVar[str] = "Output"
    output: Annotated[Path | None, Flag("File to write; its ending picks the container.", "-o")] = None
    output_dir: Annotated[Path, Flag("Folder for results.", metavar="FOLDER")] = Path("outputs")
    name: Annotated[
        str, Flag("Template of file names: {model} {seed} {prompt} {index} {date} ...", metavar="TEMPLATE")
    ] = "{type}_{input}"
    overwrite: Annotated[bool, Flag("Replace files that exist.")] = False
    skip_existing: Annotated[bool, Flag("Make nothing where all files exist.")] = False
    metadata_mode: Annotated[
        MetadataMode,
        Flag("Where the request is kept: embed in the file, sidecar beside it, or none.", metavar="MODE"),
    ] = "embed"


class Encoding(Spec):
    """How pictures and videos are encoded."""

    panel: ClassVar[str] = "Output"
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


TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Ids of tasks: they name tasks in events, and files."""


def _task_id(value: str | None) -> str | None:
    if value is not None and not TASK_ID.fullmatch(value):
        raise ValueError(f"{value!r} is not a plain name: at most 128 letters, digits, dots, dashes and _")
    return value


class Identity(Spec):
    """Which task it is."""

    panel: ClassVar[str] = "Task"
    type: str
    task_id: Annotated[
        str | None, AfterValidator(_task_id), Flag("Name of the task in events.", metavar="NAME")
    ] = None


class Task(Output, Identity):
    """One unit of work: its values, and what the runtime needs to know to run it.

    A subclass adds fields and overrides what differs; `type` is a Literal with the task's name as default.

    Attributes:
        run: `module:function` of the workflow: a generator over a job that yields each stage before it.
        prepare: `module:function` of a generator like `run` that returns the task with better values, such
            as a longer prompt; only called where `needs_preparing`.
        prepared_fields: those that `prepare` may change; paths, sizes and plans must not depend on them.
        stages: in the order in which they happen, with their shares of the time.
        suffixes: endings of result files; the first is the default.
    """

    panel: ClassVar[str] = "Task"
    run: ClassVar[str]
    prepare: ClassVar[str | None] = None
    prepared_fields: ClassVar[frozenset[str]] = frozenset()
    stages: ClassVar[tuple[StageShare, ...]] = TASK_STAGES
    suffixes: ClassVar[tuple[str, ...]] = ()

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

    def models(self) -> Mapping[str, str]:
        """Names of the catalogue entries it uses, by role; their weights must be there before it starts."""
        return {}

    @property
    def results(self) -> int:
        """How many files it makes."""
        return 1

    def single(self, index: int) -> Self:  # noqa: ARG002 - for those whose results differ
        """A task that makes result `index` alone."""
        return self

    def files_beside(self, result: Path) -> tuple[Path, ...]:  # noqa: ARG002 - for those that have some
        """Files that are written with a result, besides a sidecar."""
        return ()

    def name_fields(self, index: int) -> dict[str, Any]:  # noqa: ARG002 - for those whose results differ
        """What the template of the file name of result `index` may hold, besides id, index, date and time."""
        first = next((paths[0].stem for paths in self.media().values()), "")
        return {"type": self.type, "input": first}

    @property
    def needs_preparing(self) -> bool:
        """Whether `prepare` has work to do; False of the task that it returns."""
        return False

    @property
    def frees_models(self) -> bool:
        """Whether loaded models are freed when it is done."""
        return False
