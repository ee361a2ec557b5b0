"""One task at work: what a workflow is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wangp_cli.pipelines.base import Lora, Pipeline, Placement
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

    def pipeline(self, placement: Placement, loras: Sequence[Lora]) -> Pipeline:
        """The request's model, loaded."""
        return self.session.pool.pipeline(
            self.request.spec, placement, loras, progress=self.meter, emit=self.emit
        )
