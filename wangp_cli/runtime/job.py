"""One task at work: what a workflow is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wangp_cli.pipelines.base import Lora

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Pipeline, Placement
    from wangp_cli.runtime.events import Emit
    from wangp_cli.runtime.progress import Meter
    from wangp_cli.runtime.session import Session
    from wangp_cli.runtime.settle import Request


@dataclass(frozen=True, kw_only=True)
class Job:
    """A settled request with its session, its events and its progress."""

    request: Request
    session: Session
    emit: Emit
    meter: Meter
    checksums: dict[str, str]

    def pipeline(self, placement: Placement, *, wear: bool = False) -> Pipeline:
        """The request's model, loaded; where it is to denoise, it must also wear the request's LoRAs."""
        return self.session.pool.pipeline(
            self.request.spec,
            placement,
            [Lora(path=lora.path, strength=lora.strength) for lora in self.request.loras],
            wear=wear,
            progress=self.meter,
            emit=self.emit,
        )
