"""`wangp decode`: decode latents that were kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from wangp_cli.commands._bind import bind
from wangp_cli.commands._run import exit_with, open_run
from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.task import Encoding, Output

FIELDS = {*Output.model_fields, *Encoding.model_fields, *Runtime.model_fields}
"""The fields of the task that still have an effect when only decoding is left."""


class Latents(Spec):
    """The file of latents to decode."""

    panel: ClassVar[str] = "Command"
    latents: Annotated[
        Path, Flag("File of latents; removed when its result is written.", metavar="FILE", positional=True)
    ]


class DecodeOptions(RunOptions, Latents):
    """Options of `wangp decode`."""

    def files_used(self) -> list[Path]:
        """Also the file of latents."""
        return [*super().files_used(), self.latents]


def run_decode(values: dict[str, Any], options: DecodeOptions) -> None:
    """Decode a file of latents and exit with the run's code."""
    from wangp_cli.runtime.execute import execute
    from wangp_cli.runtime.outcome import Attempt
    from wangp_cli.runtime.workspace.latents import request_of
    from wangp_cli.value_layers import Layer

    file = options.latents
    saved = Layer(kind="latents", name=file.name, values=request_of(file))
    layers = [saved, Layer(kind="flag", values=values)]
    with open_run("decode", options) as run:
        run.begin(planned=1)
        outcome = execute(
            lambda: layers, run.session, saved.values.get("task_id"), Attempt(latents=file.absolute())
        )
        run.finish(outcome.exit_code, stopped=outcome.status == "cancelled")
    exit_with(run)


decode = bind(Generate, run_decode, DecodeOptions, leave_out=set(Generate.model_fields) - FIELDS)
decode.__name__, decode.__doc__ = (
    "decode",
    "Decode latents that were kept when the decoding of a result failed.",
)
