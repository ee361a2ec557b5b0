"""From what was said to a settled task: layers merged, values checked and put on the model's grid."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wangp_cli.catalogue import Accepts, Catalogue, ModelSpec
from wangp_cli.errors import RequestError, nearest
from wangp_cli.plan import reached
from wangp_cli.presets import Layer, Resolved, merge
from wangp_cli.runtime.inputs import Facts, check_inputs
from wangp_cli.runtime.loras import locate_loras
from wangp_cli.runtime.outputs import check_folder, plan_outputs
from wangp_cli.runtime.weights import shipped_vocabulary
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.fields import MAX_FRAMES, MAX_SEED, frame_count, size_of
from wangp_cli.tasks.flags import flag_of
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.shot import Length

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.plan import Plan
    from wangp_cli.runtime.session import Session

DRAWN_SEEDS = 2**32
WORDS: dict[Accepts, str] = {
    "start": "start picture",
    "end": "end picture",
    "references": "reference pictures",
    "source": "video to continue",
    "control": "control video",
    "mask": "mask",
    "audio": "sound",
    "lora": "LoRA",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A settled task, ready to run.

    Args:
        task: every value final.
        origin: where each value came from, by field.
        spec: the model.
        frames: of each result.
        plan: of a task that is made in several runs of the model.
        outputs: one path for each result.
        loras: file and strength of each LoRA.
        notices: what was changed or is worth knowing, for people.
    """

    task: Render
    origin: dict[str, str]
    spec: ModelSpec
    frames: int
    plan: Plan | None
    outputs: list[Path]
    loras: list[tuple[Path, float]]
    notices: list[str]

    @property
    def runs(self) -> int:
        """How often the model runs."""
        return len(self.plan.segments) if self.plan else len(self.outputs)

    @property
    def skipped(self) -> bool:
        """Whether everything is there already and is to be kept."""
        return self.task.skip_existing and all(path.exists() for path in self.outputs)

    def document(self) -> dict[str, Any]:
        """What a dry run prints."""
        return {
            "request": self.task.model_dump(mode="json"),
            "origin": self.origin,
            **({"plan": self.plan.model_dump(mode="json")} if self.plan else {}),
            "outputs": [str(path) for path in self.outputs],
            "notices": self.notices,
        }


def resolve(layers: Sequence[Layer], session: Session) -> Request:
    """Merge what was said onto the defaults and settle it.

    Raises:
        RequestError: a value is wrong, or the model cannot do what was asked; names the field and the fix.
        ConflictError: an output exists.
        NoSpaceError: the output folder cannot take the result.
    """
    said = merge(layers)
    try:
        return _resolve(said, layers, session)
    except RequestError as error:
        raise labelled(error, said.origin, _kind_of(said)) from None


def _resolve(said: Resolved, layers: Sequence[Layer], session: Session) -> Request:
    kind = str(said.values.get("type", "generate"))
    if kind not in TASKS:
        raise RequestError("type", f"there is no task {kind!r}", hint=nearest(kind, list(TASKS)))
    layers = [_about(TASKS[kind], layer) for layer in layers]
    settings = Layer(name="settings", values=session.settings.task_values())
    if not (name := said.values.get("model") or session.settings.model):
        raise RequestError("model", "none is named", hint="name one; `wangp models` lists them")
    spec = session.catalogue.get(str(name))
    defaults = Layer(name="default", values=_class_defaults(kind))
    model = _about(TASKS[kind], Layer(name=f"model {spec.name}", values=spec.defaults))
    merged = merge([defaults, settings, model, *layers])
    origin = merged.origin | {
        field: session.settings_origin.get(field, "default")
        for field, place in merged.origin.items()
        if place == "settings"
    }
    task = validate(merged, kind, origin)
    return settle(task, Resolved(values={}, origin=origin, checksums=merged.checksums), spec, session)


def _kind_of(said: Resolved) -> type[Render]:
    return TASKS.get(str(said.values.get("type")), TASKS["generate"])


def _about(task: type[Render], layer: Layer) -> Layer:
    """What a layer says about a task: models, presets and flags of a batch also speak to others."""
    if layer.name.startswith(_OWN):
        return layer
    foreign = {name for other in TASKS.values() for name in other.model_fields} - set(task.model_fields)
    values = {name: value for name, value in layer.values.items() if name not in foreign}
    return Layer(name=layer.name, values=values, checksums=layer.checksums)


_OWN = ("file", "line")
"""Layers that speak to one task alone."""


def _class_defaults(kind: str) -> dict[str, Any]:
    fields = TASKS[kind].model_fields
    return {name: field.default for name, field in fields.items() if not field.is_required()}


def validate(merged: Resolved, kind: str, origin: dict[str, str]) -> Render:
    """The task of merged values.

    Raises:
        RequestError: for the first wrong value; the others are named after it.
    """
    try:
        return TASKS[kind].model_validate(merged.values)
    except ValidationError as error:
        faults = [_explain(fault, list(TASKS[kind].model_fields), origin) for fault in error.errors()]
        (field, message, hint), *rest = faults
        more = "".join(f"; {label(other, origin, TASKS[kind])}: {text}" for other, text, _ in rest)
        raise RequestError(field, message + more, hint=hint) from None


def label(field: str, origin: dict[str, str], task: type[Render]) -> str:
    """How to name a field to the one who said it: the option for a flag, else the key."""
    flag = flag_of(task, field) if origin.get(field) == "flag" else None
    return flag.option(field) if flag else field


def labelled(error: RequestError, origin: dict[str, str], task: type[Render]) -> RequestError:
    """The same error, its field named as the one who said it knows it."""
    text = error.message.removeprefix(f"{error.field}: ")
    return RequestError(label(error.field, origin, task), text, hint=error.hint)


def option(field: str, task: type[Render]) -> str:
    """The option that sets a field, for hints."""
    flag = flag_of(task, field)
    return flag.option(field) if flag else field


def _explain(fault: Any, known: list[str], origin: dict[str, str]) -> tuple[str, str, str | None]:
    field = str(fault["loc"][0]) if fault["loc"] else ""
    value, context = fault.get("input"), fault.get("ctx", {})
    text = fault["msg"][:1].lower() + fault["msg"][1:]
    match fault["type"]:
        case "value_error":
            text = str(context["error"])
            if not field:
                # A rule about several fields names the first of them.
                field, _, text = text.partition(": ")
        case "missing":
            text = "is needed"
        case "extra_forbidden":
            return field, f"there is no such key ({origin[field]})", nearest(field, known) or None
        case "greater_than_equal" | "greater_than":
            text = f"{value!r} is too small, must be {_limit(fault)}"
        case "less_than_equal" | "less_than":
            text = f"{value!r} is too large, must be {_limit(fault)}"
        case "literal_error":
            text = f"{value!r} is not one of {context['expected'].replace(' or ', ', ')}"
        case "finite_number":
            text = f"{value!r} is not a finite number"
        case _:
            shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
            text = f"{shown}: {text}"
    return field, text, None


def _limit(fault: Any) -> str:
    context = fault["ctx"]
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return next(f"{words[key]} {context[key]}" for key in words if key in context)


def settle(task: Render, merged: Resolved, spec: ModelSpec, session: Session) -> Request:
    """Check a task against its model and inputs, plan its frames, draw its seed and decide its paths."""
    origin, notices = dict(merged.origin), []
    _check_accepted(task, spec, session.catalogue)
    loras = locate_loras(task, session)
    facts = check_inputs(task, [path for path, _ in loras], merged.checksums)
    if session.manifest_path:
        check_folder("manifest_path", session.manifest_path.absolute().parent, session.writable)
    changes: dict[str, Any] = {}
    if spec.name != task.model:
        changes["model"] = spec.name
    rate, origin["fps"] = _settle_rate(task, facts, origin["fps"])
    changes["fps"] = str(rate)
    if rate != Fraction(task.fps):
        notices.append(f"fps: {origin['fps']}, makes {rate}")
    plan = task.plan(_lengths(facts, rate), spec.grid, rate)
    if plan is not None:
        frames = plan.total
        notices += plan.notices
    else:
        assert isinstance(task, Length)
        frames, origin["frames"] = _settle_frames(task, spec, rate, origin["frames"])
        changes["frames"] = frames
        if frames != task.frames:
            notices.append(f"frames: {origin['frames']}, makes {frames}")
    size, origin["size"] = _settle_size(task, facts, spec, origin["size"])
    changes["size"] = size
    if size != task.size:
        notices.append(f"size: {origin['size']}, makes {size}")
    if task.seed == -1:
        changes["seed"] = secrets.randbelow(DRAWN_SEEDS)
        origin["seed"] = "drawn"
    settled = task.cut(**changes)
    if settled.seed + settled.results - 1 > MAX_SEED:
        raise RequestError("seed", f"{settled.seed} leaves no room for {settled.results} results")
    notices += unknown_words(settled.text, spec)
    return Request(
        task=settled,
        origin=origin,
        spec=spec,
        frames=frames,
        plan=plan,
        outputs=plan_outputs(settled, frames, session.writable),
        loras=loras,
        notices=notices,
    )


def _check_accepted(task: Render, spec: ModelSpec, catalogue: Catalogue) -> None:
    asked: dict[Accepts, str] = dict.fromkeys(sorted(task.abilities(spec)), "model")
    given: dict[Accepts, str] = {
        mark.ability: field for field, mark in task.inputs().items() if mark.ability and getattr(task, field)
    }
    if task.loras:
        given["lora"] = "loras"
    for feature, field in (asked | given).items():
        if feature not in spec.accepts:
            able = catalogue.accepting(feature)
            hint = f"models that do: {', '.join(able)}" if able else None
            raise RequestError(field, f"model {spec.name!r} takes no {WORDS[feature]}", hint=hint)
    has = set(given) | set(asked) | ({"start"} if "source" in given else set())
    for feature in sorted(spec.requires - has):
        taking = (name for name, mark in task.inputs().items() if mark.ability == feature)
        field = next(taking, "model")
        hint = f"give {option(field, type(task))}"
        raise RequestError(field, f"model {spec.name!r} needs a {WORDS[feature]}", hint=hint)
    if "mask" in given and "control" not in given and "control" not in asked:
        raise RequestError(
            given["mask"], "there is no control video to mask", hint="give --video-guide or --image-guide"
        )


def _said(origin: str) -> bool:
    """Whether a person chose the value for this very task, rather than a default, a setting or a preset."""
    return origin == "flag" or origin.startswith(_OWN)


def _settle_rate(task: Render, facts: Facts, origin: str) -> tuple[Fraction, str]:
    """The rate of the file: a video that is shown in it keeps its own, or it would play faster or slower."""
    rated = next((field for field in task.rated_by if field in facts), None)
    if rated and not _said(origin):
        found = facts[rated][0].fps
        if found and found != Fraction(task.fps):
            return found, f"rate of {rated}"
    return Fraction(task.fps), origin


def _lengths(facts: Facts, rate: Fraction) -> dict[str, list[int]]:
    """Frames of each video at `rate`, by field."""
    return {
        field: [reached(fact.frames, fact.fps, rate) if fact.fps else fact.frames for fact in found]
        for field, found in facts.items()
    }


def _settle_frames(task: Length, spec: ModelSpec, rate: Fraction, origin: str) -> tuple[int, str]:
    asked = task.frames
    count = frame_count(asked, rate)
    frames = spec.grid.frames(count)
    if frames == asked:
        return frames, origin
    if not 1 <= count <= MAX_FRAMES - spec.grid.step:
        is_count = isinstance(asked, int)
        made = f"{asked} is out of range" if is_count else f"{asked} at {rate} fps is {count} frames"
        raise RequestError("frames", f"{made}, must be 1 to {MAX_FRAMES - spec.grid.step}")
    return frames, f"snapped from {asked}" if isinstance(asked, int) else f"{asked} at {rate} fps"


def _settle_size(task: Render, facts: Facts, spec: ModelSpec, origin: str) -> tuple[str, str]:
    width, height = size_of(task.size)
    shaping = next((field for field in task.shaped_by if field in facts), None)
    if shaping and not _said(origin):
        found = facts[shaping][0]
        if task.keeps_size:
            size = "{}x{}".format(*spec.grid.size(found.width, found.height))
            return size, f"size of {shaping}"
        from wangp_cli.media.resize import budget_size

        width, height = budget_size(found.width, found.height, width, height, spec.grid.block)
        return f"{width}x{height}", f"shape of {shaping}"
    size = "{}x{}".format(*spec.grid.size(width, height))
    return size, origin if size == task.size else f"snapped from {task.size}"


def unknown_words(prompt: str, spec: ModelSpec) -> list[str]:
    """A notice if the prompt leaves the small world of a model that ships with us."""
    world = shipped_vocabulary(spec.source.package) if spec.source.package else None
    if not world:
        return []
    strange = [word for word in re.findall(r"[^\W\d_]+", prompt.lower()) if word not in world]
    if not strange:
        return []
    words = ", ".join(dict.fromkeys(strange))
    return [
        f"{spec.name} was not trained on: {words}; for anything else use a real model, see `wangp models`"
    ]
