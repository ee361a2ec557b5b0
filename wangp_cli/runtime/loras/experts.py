"""LoRAs that are made for one of the two transformers of a model, known by their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wangp_cli.notices import Notice
from wangp_cli.tasks.lora_strength import Strength

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.tasks.render import Render

STRENGTHS = {"high": "1;0", "low": "0;1"}
"""Strength by phase of a LoRA for the transformer of high or low noise."""
_WORD = re.compile(r"(?<![a-z])(high|low)(?![a-z])|(high|low)(?=[-_ ]?noise)", re.IGNORECASE)
_NOISE = re.compile(r"(high|low)[-_ ]?noise", re.IGNORECASE)


def pair_by_name(task: Render, spec: ModelSpec) -> tuple[Render, list[Notice]]:
    """The task with a strength by phase for LoRAs that come as a pair, one for each transformer of the model.

    LoRAs without a strength are a pair if their names differ in `high` and `low` alone. Other LoRAs named for
    one transformer keep their strength.

    Args:
        task: with values for all its fields.
        spec: its model.

    Returns:
        the task, and a notice for each pair, and for each other LoRA named for one transformer that is
        applied to both.
    """
    if spec.experts == 1:
        return task, []
    given = task.given_strengths()
    free = [] if task.lora_multipliers else [name for name, strength in given if strength is None]
    paired = {name: side for pair in _pairs(free) for side, name in pair.items()}
    notices = [
        Notice(
            field="loras",
            text=f"{pair['high']} and {pair['low']} are a pair by their names: the first is applied at high "
            "noise, the second at low noise; strengths such as @1;0.5 change that",
        )
        for pair in _pairs(free)
    ]
    for name, strength in given:
        if name not in paired and (side := _NOISE.search(name)) and len((strength or Strength()).phases) == 1:
            text = f"{name} is named for {side[1].lower()} noise, and is applied to both transformers"
            notices.append(
                Notice(field="loras", text=f"{text}; {name}@{STRENGTHS[side[1].lower()]} limits it")
            )
    if not paired:
        return task, notices
    loras = tuple(
        f"{lora}@{STRENGTHS[paired[name]]}" if name in paired else lora
        for lora, (name, _) in zip(task.loras, given, strict=True)
    )
    return task.replace(loras=loras), notices


def _pairs(names: list[str]) -> list[dict[str, str]]:
    """The names that come as a pair, as `high` and `low`; a name that has several partners has none."""
    by_rest: dict[str, dict[str, list[str]]] = {}
    for name in names:
        if match := _WORD.search(name):
            rest = f"{name[: match.start()]}*{name[match.end() :]}".lower()
            by_rest.setdefault(rest, {}).setdefault(match[0].lower(), []).append(name)
    return [
        {side: one[0] for side, one in sides.items()}
        for sides in by_rest.values()
        if len(sides) == 2 and all(len(one) == 1 for one in sides.values())
    ]
