"""A task on its way to a settled request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

from wangp_cli.notices import Notice
from wangp_cli.tasks.render import Render

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.plan.model import Plan
    from wangp_cli.runtime.request.input_facts import InputFacts
    from wangp_cli.value_layers import Origin, Origins


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is settled of a task so far; each step of `settle` gives a new draft.

    Args:
        task: the validated task, before anything is settled.
        spec: its model.
        facts: of its input files.
        origin: of each value, the settled ones included.
        values: the settled values that replace those of the task, by field name.
        notices: in the order of the steps.
        frames: of each result; 0 until it is settled.
        plan: of a task that several runs of the model make together.
    """

    task: Render
    spec: ModelSpec
    facts: InputFacts
    origin: Origins
    values: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    frames: int = 0
    plan: Plan | None = None

    @property
    def rate(self) -> Fraction:
        """Frames per second of the result, as far as it is settled."""
        return Fraction(self.values.get("fps", self.task.fps))

    @property
    def settled_task(self) -> Render:
        """The task with the settled values."""
        return self.task.replace(**self.values)

    def with_value(self, name: str, value: Any, origin: Origin, *, notice: bool = False) -> Self:
        """A draft in which a field is settled; with a notice of its origin and value if it changed."""
        more = (Notice(field=name, text=f"{origin}, makes {value}"),) if notice else ()
        return replace(
            self,
            values={**self.values, name: value},
            origin={**self.origin, name: origin},
            notices=self.notices + more,
        )

    def with_notices(self, notices: Iterable[Notice]) -> Self:
        """A draft with more notices."""
        return replace(self, notices=(*self.notices, *notices))
