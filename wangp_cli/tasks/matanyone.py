"""The `matanyone` task: the matte of an object in a video, from its mask in one frame or in several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice, unused_notices
from wangp_cli.tasks.engines import AUTO, CLASSIC, EngineChoice, EngineName
from wangp_cli.tasks.fields import Flag, Pixels, Size, Spec, size_of
from wangp_cli.tasks.object_marks import ObjectMarks
from wangp_cli.tasks.shape import ResultShape, Shape
from wangp_cli.tasks.tool import Tool

UNREFINED = "none"
ENGINES = EngineChoice("matting", ("matanyone", "sam2"), CLASSIC)
REFINERS = EngineChoice("matting", ("vitmatte",), UNREFINED)
SEGMENTERS = EngineChoice("segmenter", ("sam2", "sam3"))
OF_WORDS = EngineChoice("segmenter", ("sam3",))
"""Those that find what words name."""


class MatteOptions(Spec):
    """Engines, and how masks are prepared and followed."""

    panel: ClassVar[str] = "Task"
    engine: Annotated[
        EngineName,
        Flag("Engine: auto, classic or a model, such as matanyone2.", metavar="NAME", complete="models"),
    ] = AUTO
    segmenter: Annotated[
        EngineName,
        Flag("Model that finds what points, a box or words mark: auto, or its name.", metavar="NAME"),
    ] = AUTO
    refiner: Annotated[
        EngineName,
        Flag("Model that refines the edges of each frame: none, auto or a name.", metavar="NAME"),
    ] = UNREFINED
    erode_kernel: Annotated[
        int | None,
        Field(ge=0, le=200),
        Flag(
            "Size of the ellipse that shrinks the mask, after the other one; 0 is none.",
            metavar="PIXELS",
            default="10 for MatAnyone, else 0",
        ),
    ] = None
    dilate_kernel: Annotated[
        int | None,
        Field(ge=0, le=200),
        Flag(
            "Size of the ellipse that grows the mask; 0 is none.",
            metavar="PIXELS",
            default="10 for MatAnyone, else 0",
        ),
    ] = None
    warmup_frames: Annotated[
        int,
        Field(ge=0, le=100),
        Flag("How often MatAnyone refines the matte of the first frame before the others.", metavar="N"),
    ] = 10
    max_size: Annotated[
        int | None,
        Field(ge=64, le=4096),
        Flag(
            "Shorter side at which classic and MatAnyone follow the object.",
            metavar="PIXELS",
            default="256 for classic, else that of the frames",
        ),
    ] = None


class MatteResult(Spec):
    """Frames, size and form of the results."""

    panel: ClassVar[str] = "Size and length"
    start_frame: Annotated[
        int,
        Field(ge=0, le=10_000_000),
        Flag("First frame; the mask is of this one.", metavar="N"),
    ] = 0
    end_frame: Annotated[
        int | None,
        Field(ge=1, le=10_000_000),
        Flag("Frame before which it ends.", metavar="N", default="the end of the video"),
    ] = None
    size: Annotated[
        Size | None,
        Flag("Size of the results; another aspect ratio is cropped.", metavar="WxH", default="the input's"),
    ] = None
    matting: Annotated[
        Literal["foreground", "background"],
        Flag("What is opaque: the object (foreground), or all but it (background)."),
    ] = "foreground"
    mask_type: Annotated[
        Literal["wangp", "greenscreen", "alpha"],
        Flag(
            "What the result shows: the frames as they are (wangp), what is opaque on green (greenscreen), "
            "or transparency (alpha). The matte is always written beside it, in grey.",
        ),
    ] = "wangp"
    archive: Annotated[
        Literal["none", "zip", "folder"] | None,
        Flag(
            "Also write RGBA frames as PNG files.",
            default="zip for alpha, else none",
            choices=("none", "zip", "folder"),
            metavar="none|zip|folder",
        ),
    ] = None
    each_object: Annotated[bool, Flag("Also write the matte of each of several objects.")] = False
    audio: Annotated[bool, Flag("Keep the audio of the video.", default="on")] = True


class Matanyone(MatteResult, MatteOptions, ObjectMarks, Tool):
    """Make the matte of an object in a video or image: its alpha, with soft edges."""

    run: ClassVar[str] = "wangp_cli.workflows.matanyone:run"
    engine_uses: ClassVar[Mapping[str, EngineChoice]] = {"mattes": ENGINES, "first masks": SEGMENTERS}
    type: Literal["matanyone"] = "matanyone"

    @property
    def objects(self) -> int:
        """Number of objects that have mattes of their own."""
        return self.mask_labels or max(len(self.mask), 1)

    @property
    def frame_archive(self) -> Literal["none", "zip", "folder"]:
        """The form of the RGBA frames."""
        return self.archive or ("zip" if self.mask_type == "alpha" else "none")

    def engines(self) -> Mapping[str, EngineChoice]:
        """What follows the object, and where they are used what finds it and what refines its edges."""
        choices = {**super().engines(), "engine": ENGINES}
        if self.is_marked:
            choices["segmenter"] = OF_WORDS if self.text else SEGMENTERS
        if self.refiner != UNREFINED:
            choices["refiner"] = REFINERS
        return choices

    def files_beside(self, result: Path) -> tuple[Path, ...]:
        """The mattes, and the archive of RGBA frames."""
        archive = [archive_path(result)] if self.frame_archive == "zip" else []
        each = range(1, self.objects + 1) if self.each_object and self.objects > 1 else ()
        return (alpha_path(result), *(alpha_path(result, number) for number in each), *archive)

    def folders_beside(self, result: Path) -> tuple[Path, ...]:
        """The folder of RGBA frames."""
        return (folder_path(result),) if self.frame_archive == "folder" else ()

    @property
    def reads_to_end(self) -> bool:
        """Whether the last frame is that of the input; another one is checked to be intact."""
        return self.end_frame is None

    def frames_of(self, source: Shape) -> range:
        """The frames of the input that are used.

        Raises:
            RequestError: the input has no such frames.
        """
        end = source.frames if self.end_frame is None else self.end_frame
        if end > source.frames:
            raise RequestError("end_frame", f"{end}, but the input has {source.frames} frames")
        if self.start_frame >= end:
            field = "start_frame" if self.end_frame is None else "end_frame"
            text = f"{self.start_frame} to {end}, must begin before it ends"
            raise RequestError(field, text, hint=f"the input has {source.frames} frames")
        return range(self.start_frame, end)

    def result_shape(self, inputs: Mapping[str, Sequence[Shape]]) -> ResultShape:
        """The used frames at the size of the input, or another one."""
        [source] = inputs["video"]
        size: Pixels = size_of(self.size) if self.size else (source.width, source.height)
        return ResultShape(size, len(self.frames_of(source)), source.fps, self.mask_type == "alpha")

    def check_inputs(self, inputs: Mapping[str, Sequence[Shape]], given: frozenset[str]) -> list[Notice]:
        """Check masks, points and key frames; notices of values that are not used."""
        [source] = inputs["video"]
        for field in ("mask", "key_masks"):
            for mask in inputs.get(field, ()):
                if not mask.like(source):
                    raise RequestError(field, f"{mask} has another shape than the input, {source}")
        self.check_marks(source)
        frames = self.frames_of(source)
        for frame in self.key_frames:
            if frame not in frames[1:]:
                if len(frames) == 1:
                    raise RequestError(
                        "key_frames", f"{frame}, but there is one frame, give its mask as mask"
                    )
                wanted = f"must be {frames.start + 1} to {frames.stop - 1}, after the first and in the video"
                raise RequestError("key_frames", f"{frame}, {wanted}")
        return unused_notices(self._unread(source), given)

    def _unread(self, source: Shape) -> dict[str, str | None]:
        """Why fields are not read, None for those that are."""
        reasons: dict[str, str | None] = {
            "segmenter": None if self.is_marked else "a mask is given",
            "each_object": None if self.objects > 1 else "there is one object",
            "audio": "the input is an image" if source.fps is None else None,
        }
        return reasons

    def unread_by(self, architectures: Mapping[str, str]) -> Mapping[str, str]:
        """The warm-up is that of MatAnyone; SAM 2 has a size of its own."""
        architecture = architectures.get("engine")
        reasons = {} if architecture == "matanyone" else {"warmup_frames": f"{self.engine} has no warm-up"}
        return (
            {**reasons, "max_size": f"{self.engine} has its own size"} if architecture == "sam2" else reasons
        )


def alpha_path(result: Path, number: int | None = None) -> Path:
    """The file of the matte beside a result, of all objects or of one counted from 1."""
    end = "_alpha" if number is None else f"_alpha_{number}"
    return result.with_stem(result.stem + end)


def archive_path(result: Path) -> Path:
    """The archive of RGBA frames beside a result."""
    return result.with_name(f"{result.stem}_rgba.zip")


def folder_path(result: Path) -> Path:
    """The folder of RGBA frames beside a result."""
    return result.with_name(f"{result.stem}_rgba")
