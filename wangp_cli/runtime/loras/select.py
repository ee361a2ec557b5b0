"""The LoRAs of a task and its accelerator: files and strengths, checked and fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.accelerators import NO_ACCELERATOR
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.notices import Notice
from wangp_cli.runtime.events.types import DownloadProgress
from wangp_cli.runtime.loras.header import check_usable
from wangp_cli.runtime.loras.source import PEFT_CONFIG, PEFT_NAME, LoraSource, fetch_source, find_source
from wangp_cli.tasks.lora_strength import Strength

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.runtime.events.types import Emit
    from wangp_cli.runtime.session import Session
    from wangp_cli.runtime.weights.hub import Hub
    from wangp_cli.tasks.render import Render
    from wangp_cli.value_layers import Origins


@dataclass(frozen=True, kw_only=True)
class LoraUse:
    """A LoRA of a task.

    Args:
        source: file, repository or URL.
        strength: as given; `Strength.for_run` expands it to the phases of a run.
        own: given by the task, not by its accelerator.
    """

    source: LoraSource
    strength: Strength
    own: bool = True

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self.source.path


def find_loras(task: Render, origin: Origins, spec: ModelSpec, session: Session) -> list[LoraUse]:
    """The LoRAs of a task, those of its accelerator first; headers of local files are checked.

    Args:
        task: with values for all its fields.
        origin: of each value; a LoRA named by a line of a task file must be on this machine.
        spec: the model.
        session: has the LoRA folder and the accelerators.

    Raises:
        RequestError: a name has no source, or a strength has more phases than the run.
        ModelError: a file is broken or holds no LoRA, or offline a file is missing.
    """
    named = [(*pair, False) for pair in _accelerator_loras(task, spec, session)]
    named += [(*pair, True) for pair in task.strengths()]
    # Who writes task files may not write to the working directory.
    here = "loras" in origin and origin["loras"].kind != "line"
    loras = [
        LoraUse(source=find_source(name, session.loras_dir, here=own and here), strength=strength, own=own)
        for name, strength, own in named
    ]
    for name, strength, _ in named:
        _check_phases(task, name, strength)
    for lora in loras:
        source = lora.source
        if source.is_local:
            check_usable(source.path)
        elif lora.own and origin["loras"].kind in ("line", "latents"):
            raise RequestError(
                "loras",
                f"{source.name!r} is not on this machine, task files name local files",
                hint=f"wangp loras fetch {source.name}",
            )
        elif task.offline:
            raise ModelError(
                f"LoRA {source.name} is not on this machine, and offline nothing is fetched",
                hint=f"wangp loras fetch {source.name}",
            )
    return loras


def _accelerator_loras(task: Render, spec: ModelSpec, session: Session) -> list[tuple[str, Strength]]:
    """Names and strengths of the accelerator's LoRAs, with the task's strengths for them in front of `|`."""
    if task.accelerator in (None, NO_ACCELERATOR):
        return []
    loras = session.accelerators.variant(str(task.accelerator), spec).loras
    given = task.accelerator_strengths()
    if len(given) > len(loras):
        raise RequestError(
            "lora_multipliers",
            f"{len(given)} strengths before |, the accelerator {task.accelerator} has {len(loras)} LoRAs",
        )
    own = [Strength.parse(lora.strength) for lora in loras]
    return [(lora.file, strength) for lora, strength in zip(loras, given + own[len(given) :], strict=True)]


def _check_phases(task: Render, name: str, strength: Strength) -> None:
    try:
        for run in task.samplings:
            strength.for_run(run)
    except ValueError as error:
        raise RequestError("loras", f"{name}: {error}") from None


def source_notices(loras: Sequence[LoraUse]) -> list[Notice]:
    """A notice for each LoRA that will be downloaded, and each whose alpha is in a file that is not there."""
    notices = []
    for source in (lora.source for lora in loras):
        if not source.is_local:
            notices.append(Notice(field="loras", text=f"{source.name} will be fetched to {source.path}"))
        elif source.path.name == PEFT_NAME and not source.path.with_name(PEFT_CONFIG).is_file():
            text = f"there is no {PEFT_CONFIG} beside {source.path}, so its alpha is taken to be its rank"
            notices.append(Notice(field="loras", text=text))
    return notices


def fetch_loras(loras: Sequence[LoraUse], hub: Hub, emit: Emit, check: Callable[[], None]) -> list[LoraUse]:
    """Download the LoRAs that are not on this machine.

    Args:
        loras: of a task.
        hub: for repositories.
        emit: takes progress events.
        check: called between chunks; raises `Cancelled` to stop.

    Raises:
        ModelError: one cannot be fetched, or is no LoRA.
    """
    fetched = []
    for number, lora in enumerate(loras):

        def report(done: int, total: int, name: str = lora.source.name, number: int = number) -> None:
            check()
            emit(DownloadProgress(file=name, done=number, total=len(loras), bytes=done, bytes_total=total))

        fetched.append(replace(lora, source=fetch_source(lora.source, hub, report)))
    return fetched
