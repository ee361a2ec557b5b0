"""Notices of what a model was not trained on: lengths, sizes, inputs and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wangp_cli.notices import Notice
from wangp_cli.runtime.weights.locate import shipped_vocabulary
from wangp_cli.tasks.planned import UNPROMPTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wangp_cli.models import ModelSpec
    from wangp_cli.plan.model import Plan
    from wangp_cli.runtime.request.input_facts import InputFacts
    from wangp_cli.tasks.render import Render
    from wangp_cli.trained import Trained

_WORD = re.compile(r"[^\W\d_]+")


def trained_range_notices(
    task: Render, spec: ModelSpec, facts: InputFacts, frames: int, plan: Plan | None
) -> list[Notice]:
    """A notice for each value, input or word that a model was not trained on.

    Args:
        task: settled.
        spec: its model; without `trained`, only words are checked.
        facts: of its input files.
        frames: of each result.
        plan: of a task that several runs of the model make.
    """
    notices: list[Notice] = []
    if spec.trained is not None:
        notices += _length_notices(task, spec.name, spec.trained, frames, plan)
        if task.size != spec.trained.size:
            notices.append(
                Notice(field="size", text=f"{task.size}, but {spec.name} was trained on {spec.trained.size}")
            )
        notices += _input_notices(task, spec.name, spec.trained, facts)
    return [*notices, *_word_notices(task, spec)]


def _length_notices(
    task: Render, name: str, trained: Trained, frames: int, plan: Plan | None
) -> Iterator[Notice]:
    runs = [segment.generate for segment in plan.segments] if plan else [frames]
    clips = f"{name} was trained on clips of {trained.frames}"
    if (longest := max(runs, default=1)) > trained.frames:
        yield Notice(field="frames", text=f"one run makes {longest}, but {clips}; shorter ones look better")
    elif plan and frames > trained.frames and task.type == "generate":
        yield Notice(field="frames", text=f"{len(runs)} runs make {frames}, {clips}")


def _input_notices(task: Render, name: str, trained: Trained, facts: InputFacts) -> Iterator[Notice]:
    given = {field: mark.ability for field, mark in task.inputs().items() if field in facts}
    for field, ability in given.items():
        # A control video under a mask is a video to inpaint.
        known = "mask" if ability == "control" and "mask" in given.values() else ability
        if known is not None and known not in trained.inputs:
            yield Notice(field=field, text=f"has little effect, {name} was not trained with such an input")
        for file in facts.of(field):
            size = f"{file.width}x{file.height}"
            if file.width and size != task.size:
                text = f"{size} is fitted to {task.size}; {name} was trained on {trained.content}"
                yield Notice(field=field, text=text)


def _word_notices(task: Render, spec: ModelSpec) -> Iterator[Notice]:
    prompts = dict.fromkeys(task.prompts_of_runs)
    words = dict.fromkeys(word for prompt in prompts for word in _words(prompt))
    vocabulary = shipped_vocabulary(spec.source.package) if spec.source.package else frozenset()
    unknown = [word for word in words if word not in vocabulary and word not in _words(UNPROMPTED)]
    if vocabulary and unknown:
        text = f"{spec.name} was not trained on: {', '.join(unknown)}"
        plurals = [word for word in unknown if word.endswith("s") and word[:-1] in vocabulary]
        if plurals:
            text += f"; it knows {', '.join(word[:-1] for word in plurals)}, one at a time"
        yield Notice(field=None, text=f"{text}; for anything else use a real model, see `wangp models`")
    if spec.trained is not None:
        for prompt in prompts:
            if lacking := _lacking(_words(prompt), spec.trained):
                said = "there is none" if prompt == UNPROMPTED else f"{prompt!r} lacks words"
                text = f"{said}, and {spec.name} needs {' and '.join(lacking)}"
                yield Notice(field="prompt", text=f"{text}, such as {spec.trained.example!r}")


def _lacking(words: Sequence[str], trained: Trained) -> list[str]:
    """What a prompt needs and does not have, for people."""
    return [need.name for need in trained.prompt if sum(word in need.words for word in words) < need.count]


def _words(prompt: str) -> list[str]:
    return _WORD.findall(prompt.lower())
