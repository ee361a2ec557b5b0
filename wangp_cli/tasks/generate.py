"""The task behind `wangp generate`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from wangp_cli.tasks.fields import Flag
from wangp_cli.tasks.shot import Shot
from wangp_cli.tasks.task import Adapters, MediaInputs, Output, Runtime, Task


class Generate(Runtime, Output, Adapters, MediaInputs, Shot, Task):
    """Make a video from a prompt, pictures and videos; one frame makes a picture."""

    run: ClassVar[str] = "wangp_cli.workflows.generate:run"
    panel: ClassVar[str] = "Output"
    type: Literal["generate"] = "generate"
    count: Annotated[
        int, Field(ge=1, le=1000), Flag("Results to make, with consecutive seeds.", metavar="N")
    ] = 1

    @model_validator(mode="after")
    def _says_what_to_show(self) -> Self:
        if not self.prompt.strip():
            raise ValueError("prompt: blank, say what to show")
        return self
