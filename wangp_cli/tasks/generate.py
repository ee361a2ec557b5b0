"""The task behind `wangp generate`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from wangp_cli.tasks.fields import Flag
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.shot import Shot
from wangp_cli.tasks.task import MediaInputs


class Generate(MediaInputs, Shot, Render):  # type: ignore[misc] # both define model_construct, which nobody calls
    """Make a video from a prompt, pictures and videos; one frame makes a picture."""

    run: ClassVar[str] = "wangp_cli.workflows.generate:run"
    panel: ClassVar[str] = "Output"
    shaped_by: ClassVar[tuple[str, ...]] = (
        "image_start",
        "video_source",
        "video_initial",
        "video_guide",
        "image_guide",
    )
    rated_by: ClassVar[tuple[str, ...]] = ("video_source",)
    type: Literal["generate"] = "generate"
    count: Annotated[
        int, Field(ge=1, le=1000), Flag("Results to make, with consecutive seeds.", metavar="N")
    ] = 1

    @property
    def text(self) -> str:
        """The prompt."""
        return self.prompt

    @property
    def unwanted(self) -> str:
        """The negative prompt."""
        return self.negative_prompt

    @property
    def results(self) -> int:
        """How many files it makes."""
        return self.count

    def single(self, index: int) -> Self:
        """A task that makes result `index` alone."""
        return self.cut(seed=self.seed + index, count=1)

    @model_validator(mode="after")
    def _says_what_to_show(self) -> Self:
        if not self.prompt.strip():
            raise ValueError("prompt: blank, say what to show")
        return self

    @model_validator(mode="after")
    def _starts_from_noise_or_a_video(self) -> Self:
        if (self.denoising_strength < 1) != (self.video_initial is not None):
            fault = (
                "1 starts from noise, so video_initial would do nothing"
                if self.video_initial
                else f"{self.denoising_strength} needs a video to start from, give video_initial"
            )
            raise ValueError(f"denoising_strength: {fault}")
        return self
