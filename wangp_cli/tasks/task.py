"""The base class of tasks, and the field groups that tasks share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from wangp_cli.models import Kind, ModelSpec
from wangp_cli.tasks.engines import AUTO, EngineChoice
from wangp_cli.tasks.fields import MANY, Flag, Input, Spec
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
    """Images, videos and audio that condition the result."""

    panel: ClassVar[str] = "Inputs"
    image_start: Annotated[Path | None, Input(("image",), "start"), Flag("Image of the first frame.")] = None
    image_end: Annotated[Path | None, Input(("image",), "end"), Flag("Image of the last frame.")] = None
    image_refs: Annotated[
        tuple[Path, ...],
        Input(("image",), "references"),
        MANY,
        Flag("Reference image of what to show; repeatable.", name="image_ref"),
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
        Flag("Mask video for the control video; white is inpainted."),
    ] = None
    video_face: Annotated[
        Path | None,
        Input(("video",), "face"),
        Flag("Video of a face, whose expressions the character takes."),
    ] = None
    video_background: Annotated[
        Path | None,
        Input(("video",), "background"),
        Flag("Video into which the character is put, where the mask is white."),
    ] = None
    image_guide: Annotated[
        Path | None, Input(("image",), "control"), Flag("Control image for all frames.")
    ] = None
    image_mask: Annotated[
        Path | None,
        Input(("image",), "mask"),
        Flag("Mask image for all frames; white is inpainted."),
    ] = None
    audio_guide: Annotated[
        Path | None,
        Input(("audio",), "speech"),
        Flag("Speech audio that a person speaks; it is the audio of the result."),
    ] = None
    audio_source: Annotated[
        Path | None, Input(("audio",), "audio"), Flag("Audio of the result, cut to its length.")
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


OUTPUT_DIR = Flag("Folder for results.", metavar="FOLDER")
NAME = Flag("Template of file names: {type} {input} {index} {date} ...", metavar="TEMPLATE")
METADATA_MODE = Flag(
    "Where the request is stored: embed in the file, sidecar beside it, or none.", metavar="MODE"
)


class Output(Spec):
    """Result files: names, folder, and where the request is stored."""

    panel: ClassVar[str] = "Output"
    output: Annotated[Path | None, Flag("File to write; its ending picks the container.", "-o")] = None
    output_dir: Annotated[Path, OUTPUT_DIR] = Path("outputs")
    name: Annotated[str, NAME] = "{type}_{input}"
    overwrite: Annotated[bool, Flag("Replace files that exist.")] = False
    skip_existing: Annotated[bool, Flag("Skip a task whose files all exist.")] = False
    metadata_mode: Annotated[MetadataMode, METADATA_MODE] = "embed"


class Encoding(Spec):
    """Encoding of images and videos."""

    panel: ClassVar[str] = "Output"
    codec: Annotated[
        Codec | None,
        Flag(
            f"Video codec: {', '.join(get_args(Codec))}. Default: the container's usual one.",
            metavar="NAME",
            choices=get_args(Codec),
        ),
    ] = None
    crf: Annotated[
        int | None, Field(ge=0, le=63), Flag("Quality of the codec, lower is better.", metavar="N")
    ] = None
    image_format: Annotated[ImageFormat, Flag("Format of images.")] = "png"


TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Ids of tasks: they name tasks in events, and files."""


def _task_id(value: str | None) -> str | None:
    if value is not None and not TASK_ID.fullmatch(value):
        raise ValueError(f"{value!r} is not a plain name: at most 128 letters, digits, dots, dashes and _")
    return value


class Identity(Spec):
    """Type and id of a task."""

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
        prepare: `module:function` of a generator like `run` that returns the task with changed values, such
            as a longer prompt; called before `run` if `needs_preparing`.
        prepared_fields: those that `prepare` may change; paths, sizes and plans must not depend on them.
        stages: in the order in which they happen, with their shares of the time.
        suffixes: endings of result files; the first is the default.
        engine_uses: what its engines are for, such as `interpolation`, for `wangp doctor`.
        model_kinds: the kind that the model of a role must have; models of other roles are of any kind.
    """

    panel: ClassVar[str] = "Task"
    run: ClassVar[str]
    prepare: ClassVar[str | None] = None
    prepared_fields: ClassVar[frozenset[str]] = frozenset()
    stages: ClassVar[tuple[StageShare, ...]] = TASK_STAGES
    suffixes: ClassVar[tuple[str, ...]] = ()
    engine_uses: ClassVar[Mapping[str, EngineChoice]] = MappingProxyType({})
    model_kinds: ClassVar[Mapping[str, Kind]] = MappingProxyType({})

    @classmethod
    @cache
    def inputs(cls) -> dict[str, Input]:
        """The fields that name input files."""
        marks = ((name, mark) for name, field in cls.model_fields.items() for mark in field.metadata)
        return {name: mark for name, mark in marks if isinstance(mark, Input)}

    @classmethod
    def model_defaults(cls, spec: ModelSpec) -> Mapping[str, Any]:
        """The values that fields have by default with a model."""
        return spec.defaults

    def media(self) -> dict[str, tuple[Path, ...]]:
        """Paths of the input files that are given, by field."""
        values = {name: getattr(self, name) for name in self.inputs()}
        return {
            name: value if isinstance(value, tuple) else (value,) for name, value in values.items() if value
        }

    def engines(self) -> Mapping[str, EngineChoice]:
        """The engines that fields name, by field; only of those that the task will use."""
        return {}

    def models(self) -> Mapping[str, str]:
        """Names of the catalogue entries it uses, by role; their weights must be there before it starts.

        The role of an engine is the field that names it.
        """
        names = ((field, getattr(self, field), choice.builtin) for field, choice in self.engines().items())
        return {field: name for field, name, builtin in names if name not in (AUTO, builtin)}

    @property
    def usual_suffix(self) -> str:
        """The ending of result files whose name is not given."""
        return self.suffixes[0]

    @classmethod
    def asks_for_one(cls, values: Mapping[str, Any]) -> bool:  # noqa: ARG003 - for subclasses
        """Whether values, not validated yet, ask for one result alone."""
        return True

    @property
    def results(self) -> int:
        """Number of result files."""
        return 1

    def single(self, index: int) -> Self:  # noqa: ARG002 - for subclasses
        """The task that makes only result `index`."""
        return self

    def files_beside(self, result: Path) -> tuple[Path, ...]:  # noqa: ARG002 - for subclasses
        """Files that are written with a result, besides a sidecar."""
        return ()

    def folders_beside(self, result: Path) -> tuple[Path, ...]:  # noqa: ARG002 - for subclasses
        """Folders whose files are replaced by those written with a result."""
        return ()

    def name_fields(self, index: int) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """What the template of the file name of result `index` may hold, besides id, index, date and time."""
        first = next((paths[0].stem for paths in self.media().values()), "")
        return {"type": self.type, "input": first}

    @property
    def needs_preparing(self) -> bool:
        """Whether `prepare` must run; it must return a task for which this is False."""
        return False

    @property
    def frees_models(self) -> bool:
        """Whether loaded models are freed when it is done."""
        return False
