"""What one denoising run needs: the fields that workflows cut and pipelines read."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wangp_cli.tasks.fields import FINITE, MAX_SEED, Flag, FrameCount, Rate, Size, Spec

MODELS = "the model's"
Sampler = Literal["unipc", "euler", "dpm++"]


class Prompt(Spec):
    """What to show."""

    panel: ClassVar[str] = "Prompt"
    prompt: Annotated[str, Flag("What to show.", "-p", metavar="TEXT")] = ""


class Negative(Spec):
    """What to keep out."""

    panel: ClassVar[str] = "Prompt"
    negative_prompt: Annotated[
        str, Flag("What to keep out; needs a guidance scale above 1.", "-n", metavar="TEXT")
    ] = ""


class Canvas(Spec):
    """How large, and how fast it plays."""

    panel: ClassVar[str] = "Size and length"
    size: Annotated[Size, Flag("Width and height in pixels.", metavar="WxH", default=MODELS)] = "832x480"
    fps: Annotated[
        Rate,
        Flag("Frames per second of the file, such as 16 or 24000/1001.", metavar="RATE", default=MODELS),
    ] = "16"


class Length(Spec):
    """How long."""

    panel: ClassVar[str] = "Size and length"
    frames: Annotated[
        FrameCount,
        Flag("Frames, or seconds as in 5s; one frame makes a picture.", "-f", metavar="N", default=MODELS),
    ] = 81


class Sampling(Spec):
    """How the model denoises."""

    panel: ClassVar[str] = "Sampling"
    steps: Annotated[
        int, Field(ge=1, le=500), Flag("Denoising steps.", "-s", metavar="N", default=MODELS)
    ] = 30
    guidance_scale: Annotated[
        float,
        FINITE,
        Field(ge=0, le=100),
        Flag("How strongly to follow the prompt; 1 runs one pass.", "-g", metavar="X", default=MODELS),
    ] = 5.0
    flow_shift: Annotated[
        float,
        FINITE,
        Field(gt=0, le=100),
        Flag("Moves the noise schedule towards high noise.", metavar="X", default=MODELS),
    ] = 5.0
    sampler: Annotated[Sampler, Flag("Solver of the denoising equation.")] = "unipc"
    seed: Annotated[
        int, Field(ge=-1, le=MAX_SEED), Flag("Start of the noise; -1 draws one.", metavar="N", default="")
    ] = -1
    control_strength: Annotated[
        float, FINITE, Field(ge=0, le=2), Flag("Weight of the control video and references.", metavar="X")
    ] = 1.0


class Shot(Sampling, Length, Canvas, Negative, Prompt):
    """One denoising run; once settled, size and frames are on the grid and the seed is drawn."""
