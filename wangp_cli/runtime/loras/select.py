"""The LoRAs of a task: which files, how strong, and fetched before they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.accelerators import NO_ACCELERATOR
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.notices import Notice
from wangp_cli.runtime.events.types import DownloadProgress
from wangp_cli.runtime.loras.header import check_lora
from wangp_cli.runtime.loras.source import LoraSource, fetch_source, find_source
from wangp_cli.tasks.loras import Strength

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
        source: where it is, or comes from.
        strength: as it was said; a run says in which phases.
        own: said by the task, rather than part of its accelerator.
    """

    source: LoraSource
    strength: Strength
    own: bool = True

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.source.path


def find_loras(task: Render, origin: Origins, spec: ModelSpec, session: Session) -> list[LoraUse]:
    """The LoRAs of a task, those of its accelerator first; those that are here are looked into.

    Args:
        task: with values for all its fields.
        origin: where each came from; what a task file names must be here.
        spec: the model.
        session: has the LoRA folder.

    Raises:
        RequestError: there is none of a name, or a strength has more phases than the run.
        ModelError: a file is broken or holds no LoRA, or one may not be fetched.
    """
    named = [(*each, False) for each in _of_accelerator(task, spec, session)]
    named += [(*each, True) for each in task.strengths()]
    found = [
        LoraUse(source=find_source(name, session.loras_dir), strength=strength, own=own)
        for name, strength, own in named
    ]
    for name, strength, _ in named:
        _check_phases(task, name, strength)
    for lora in found:
        source = lora.source
        if source.here:
            check_lora(source.path)
        elif lora.own and origin["loras"].kind == "line":
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
    return found


def _of_accelerator(task: Render, spec: ModelSpec, session: Session) -> list[tuple[str, Strength]]:
    """Names and strengths of the accelerator's LoRAs."""
    if task.accelerator in (None, NO_ACCELERATOR):
        return []
    loras = session.accelerators.variant(str(task.accelerator), spec).loras
    said = task.accelerator_strengths()
    if len(said) > len(loras):
        raise RequestError(
            "lora_multipliers",
            f"{len(said)} strengths before |, the accelerator {task.accelerator} has {len(loras)} LoRAs",
        )
    own = [Strength.parse(lora.strength) for lora in loras]
    return [(lora.file, strength) for lora, strength in zip(loras, said + own[len(said) :], strict=True)]


def _check_phases(task: Render, name: str, strength: Strength) -> None:
    try:
        for run in task.samplings:
            strength.for_run(run)
    except ValueError as error:
        raise RequestError("loras", f"{name}: {error}") from None


def download_notices(loras: Sequence[LoraUse]) -> list[Notice]:
    """What is not here yet, for people."""
    missing = (lora.source for lora in loras if not lora.source.here)
    return [
        Notice(field="loras", text=f"{source.name} will be fetched to {source.path}") for source in missing
    ]


def fetch_loras(loras: Sequence[LoraUse], hub: Hub, emit: Emit, check: Callable[[], None]) -> list[LoraUse]:
    """The same LoRAs, all on this machine.

    Args:
        loras: of a task.
        hub: where repositories are.
        emit: told how a download goes.
        check: raises where the task is to stop.

    Raises:
        ModelError: one cannot be fetched, or is no LoRA.
    """
    found = []
    for number, lora in enumerate(loras):

        def tell(here: int, total: int, name: str = lora.source.name, number: int = number) -> None:
            check()
            emit(DownloadProgress(file=name, done=number, total=len(loras), bytes=here, bytes_total=total))

        found.append(replace(lora, source=fetch_source(lora.source, hub, tell)))
    return found
