"""`wangp decode`: decode latents that were kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from wangp_cli.commands._bind import bind
from wangp_cli.commands._run import exit_with, open_run
from wangp_cli.errors import RequestError
from wangp_cli.files.safe_names import name_fault
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.runtime.workspace.segments_cache import FOLDER
from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.finishing import Finishing
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.task import TASK_ID, Encoding, Output

FIELDS = {
    *Output.model_fields,
    *Encoding.model_fields,
    *Finishing.model_fields,
    *Runtime.model_fields,
}
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


def values_of(file: Path) -> dict[str, Any]:
    """The values of the request in a file of latents, as far as a file may decide about them.

    The result goes beside the latents, under the name that it was to have; out of a work folder, it goes to
    the folder of results around it. It replaces nothing.

    Raises:
        RequestError: the file cannot be read, holds no latents of wangp, or the name leads elsewhere.
    """
    from wangp_cli.runtime.history.manifest import LOCAL_FIELDS
    from wangp_cli.runtime.workspace.latents import request_of

    request = request_of(file)
    values = {field: value for field, value in request.items() if field not in LOCAL_FIELDS}
    folder = file.absolute().parent
    name = Path(str(request.get("output") or f"{file.stem}.mp4")).name
    if fault := name_fault(name):
        raise RequestError("latents", f"the name of the result, {quote_for_message(name)}, {fault}")
    task_id = request.get("task_id")
    known = {"task_id": task_id} if isinstance(task_id, str) and TASK_ID.fullmatch(task_id) else {}
    return values | known | {"output": str((folder.parent if _is_own(file) else folder) / name)}


def _is_own(file: Path) -> bool:
    """Whether a file lies in a work folder, where only this program writes."""
    return file.absolute().parent.name == FOLDER


def run_decode(values: dict[str, Any], options: DecodeOptions) -> None:
    """Decode a file of latents and exit with the run's code."""
    from wangp_cli.runtime.execute import execute
    from wangp_cli.runtime.intake.path_policy import check_paths
    from wangp_cli.runtime.outcome import Attempt
    from wangp_cli.value_layers import Layer

    file = options.latents
    saved = Layer(kind="latents", name=file.name, values=values_of(file))
    layers = [saved, Layer(kind="flag", values=values)]
    with open_run("decode", options) as run:
        if not _is_own(file):
            check_paths(
                saved.values,
                [file.absolute().parent, Path.cwd(), run.session.loras_dir],
                tasks=run.session.tasks,
            )
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
