"""A settled request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.runtime.loras.select import LoraUse
from wangp_cli.runtime.weights.locate import locate
from wangp_cli.tasks.render import Pixels, Render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wangp_cli.plan import Plan
    from wangp_cli.runtime.request.input_facts import InputFacts
    from wangp_cli.value_layers import Origins


@dataclass(frozen=True, kw_only=True)
class Request:
    """A settled task, ready to run.

    Args:
        task: every value final.
        origin: where each value came from, by field.
        spec: the model.
        frames: of each result.
        size: of each result, width and height in pixels.
        plan: of a task that is made in several runs of the model.
        outputs: one path for each result.
        facts: of the input files.
        loras: the LoRAs, some perhaps still to be fetched.
        notices: what was changed or is worth knowing, for people.
        addresses: where files were fetched from, by path.
        models_dir: folder of all fetched weights.
    """

    task: Render
    origin: Origins
    spec: ModelSpec
    frames: int
    size: Pixels
    plan: Plan | None
    outputs: list[Path]
    loras: list[LoraUse]
    notices: list[Notice]
    facts: InputFacts
    addresses: Mapping[str, str]
    models_dir: Path

    @property
    def origin_texts(self) -> dict[str, str]:
        """The origin of each value as JSON has it."""
        return {name: str(origin) for name, origin in self.origin.items()}

    @property
    def runs(self) -> int:
        """How often the model runs."""
        return len(self.outputs) * (len(self.plan.segments) if self.plan else 1)

    @property
    def skipped(self) -> bool:
        """Whether everything is there already and is to be kept."""
        return self.task.skip_existing and all(path.exists() for path in self.outputs)

    def document(self) -> dict[str, Any]:
        """The JSON object that a dry run prints; missing weights are one of its notices."""
        return {
            "request": self.task.model_dump(mode="json"),
            "origin": self.origin_texts,
            **({"plan": self.plan.model_dump(mode="json")} if self.plan else {}),
            "outputs": [str(path) for path in self.outputs],
            "notices": [str(notice) for notice in (*self.notices, *self._missing_weights())],
        }

    def _missing_weights(self) -> list[Notice]:
        """A notice if a run would stop because the model's weights are not on this machine."""
        try:
            locate(self.spec, self.models_dir)
        except ModelError as error:
            return [Notice(field="model", text=f"{error.message}, {error.hint}")]
        return []
