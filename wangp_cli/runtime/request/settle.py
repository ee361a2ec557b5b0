"""A task settled for its model: inputs checked, size and length on the grid, seed drawn, paths decided."""

from __future__ import annotations

import re
import secrets
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.plan import frame_count_at_fps
from wangp_cli.runtime.events.events_file import check_apart
from wangp_cli.runtime.history.log import HISTORY, check_history
from wangp_cli.runtime.loras.select import download_notices, find_loras
from wangp_cli.runtime.request.check_inputs import (
    InputFacts,
    check_animation,
    check_inputs,
    speech_ends_early,
)
from wangp_cli.runtime.request.check_model import check_model, check_recamera
from wangp_cli.runtime.request.output_paths import check_writable, output_folder, plan_outputs, result_files
from wangp_cli.runtime.request.request import Request
from wangp_cli.runtime.weights.locate import shipped_vocabulary
from wangp_cli.runtime.workspace.segments_cache import seed_of_interrupted
from wangp_cli.tasks.fields import MAX_FRAMES, MAX_RATE, MAX_SEED, MAX_SIDE, MIN_SIDE, frame_count, size_of
from wangp_cli.tasks.planned import UNPROMPTED
from wangp_cli.tasks.render import Render, Shape
from wangp_cli.tasks.shot import Length
from wangp_cli.value_layers import MergedLayers, Origin

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.media.facts import VideoFacts
    from wangp_cli.plan import Plan
    from wangp_cli.runtime.session import Session

DRAWN_SEEDS = 2**32
DRAWN = Origin("drawn", "drawn")
DRAWN_BEFORE = Origin("drawn", "drawn by the run that was interrupted")


def settle(task: Render, merged: MergedLayers, spec: ModelSpec, session: Session) -> Request:
    """Check a task against its model and inputs, plan its frames, draw its seed and decide its paths."""
    origin, notices = dict(merged.origin), []
    if spec.status == "unsupported":
        raise ModelError(
            f"model {spec.name!r} is not supported: {spec.status_note}",
            hint="`wangp models` lists those that are",
        )
    notices += check_model(task, spec, origin, session.catalogue)
    loras = find_loras(task, origin, spec, session)
    facts = check_inputs(task, [lora.path for lora in loras if lora.source.here], merged.checksums)
    if session.manifest_path:
        check_writable("manifest_path", session.manifest_path.absolute().parent, session.writable)
    shapes = _shapes(facts)
    notices += task.check_shapes(shapes, sized=origin["size"].is_explicit)
    rate, origin["fps"] = _settle_rate(task, spec, facts, origin["fps"])
    changes: dict[str, Any] = {"model": spec.name, "fps": str(rate)}
    if rate != Fraction(task.fps):
        notices.append(f"fps: {origin['fps']}, makes {rate}")
    spec_at_rate = _at_rate(spec, rate)
    plan = _plan(task, spec_at_rate, facts, rate)
    if plan is not None:
        frames = plan.total
        notices += plan.notices
    else:
        assert isinstance(task, Length)
        frames, origin["frames"] = _settle_frames(task, spec_at_rate, rate, origin["frames"])
        changes["frames"] = frames
        if frames != task.frames:
            notices.append(f"frames: {origin['frames']}, makes {frames}")
    check_recamera(task, spec, facts, frames)
    size, origin["size"] = _settle_size(task, facts, spec, origin["size"])
    changes["size"] = size
    if size != task.size:
        notices.append(f"size: {origin['size']}, makes {size}")
    if task.seed == -1:
        changes["seed"], origin["seed"] = _draw_seed(task.replace(**changes), plan, notices)
    settled = task.replace(**changes)
    if settled.seed + settled.results - 1 > MAX_SEED:
        raise RequestError("seed", f"{settled.seed} leaves no room for {settled.results} results")
    notices += [
        *speech_ends_early(facts, plan, frames, rate),
        *vocabulary_notices(settled.all_prompts, spec),
        *download_notices(loras),
    ]
    made = shapes[task.size_inputs[0]][0][:2] if task.splices else size_of(size)
    outputs = plan_outputs(settled, frames, made, session.writable, plan)
    _check_records(settled, outputs, session)
    return Request(
        task=settled,
        origin=origin,
        spec=spec,
        frames=frames,
        size=made,
        plan=plan,
        outputs=outputs,
        loras=loras,
        notices=notices,
        addresses=merged.addresses,
        models_dir=session.models_dir,
    )


def _check_records(task: Render, outputs: list[Path], session: Session) -> None:
    """Check that the history can go on, and that neither it nor a result is the events file."""
    history = session.manifest_path or outputs[0].parent / HISTORY
    check_history(history)
    if session.events_file:
        results = [file for path in outputs for file in result_files(task, path)]
        check_apart(session.events_file, [*results, history])


def _plan(task: Render, spec: ModelSpec, facts: InputFacts, rate: Fraction) -> Plan | None:
    """The frames of a task that is made in several runs; either way its inputs are long enough."""
    check_animation(task, spec, facts, rate)
    plan = task.plan(_lengths(facts, rate), spec, rate)
    if plan is not None:
        task.check_plan(plan)
    return plan


def _draw_seed(task: Render, plan: Plan | None, notices: list[str]) -> tuple[int, Origin]:
    """A seed; that of the same request where a run was interrupted, so that its segments serve again."""
    before = seed_of_interrupted(task, output_folder(task)) if plan else None
    if before is not None:
        notices.append(f"seed: {before}, {DRAWN_BEFORE}")
        return before, DRAWN_BEFORE
    return secrets.randbelow(DRAWN_SEEDS), DRAWN


def _settle_rate(task: Render, spec: ModelSpec, facts: InputFacts, origin: Origin) -> tuple[Fraction, Origin]:
    """The rate of the file: a video that is shown in it keeps its own, or it would play faster or slower."""
    rate_inputs = (*task.rate_inputs, "video_guide") if spec.requires_full_control_video else task.rate_inputs
    rated = next((field for field in rate_inputs if field in facts), None)
    if rated and not origin.is_explicit:
        found = facts[rated][0].fps
        if found and not 1 <= found <= MAX_RATE:
            raise RequestError(
                rated,
                f"plays {float(found):g} frames a second, wanted 1 to {MAX_RATE}",
                hint="--fps sets another rate",
            )
        if found and found != Fraction(task.fps):
            return found, Origin("input", f"rate of {rated}")
    return Fraction(task.fps), origin


def _at_rate(spec: ModelSpec, rate: Fraction) -> ModelSpec:
    """The model with the range of its frame counts at this rate."""
    try:
        return spec.at(rate)
    except ValueError as error:
        raise RequestError("fps", f"{rate}: {error}") from None


def _lengths(facts: InputFacts, rate: Fraction) -> dict[str, list[int]]:
    """Frames of each video at `rate`, by field."""
    return {
        field: [
            frame_count_at_fps(fact.frames, fact.fps, rate) if fact.fps else fact.frames for fact in found
        ]
        for field, found in facts.items()
    }


def _shapes(facts: InputFacts) -> dict[str, list[Shape]]:
    return {
        field: [Shape(fact.width, fact.height, fact.fps) for fact in found] for field, found in facts.items()
    }


def _settle_frames(task: Length, spec: ModelSpec, rate: Fraction, origin: Origin) -> tuple[int, Origin]:
    asked = task.frames
    count = frame_count(asked, rate)
    frames = spec.grid.frames(count)
    if frames == asked:
        return frames, origin
    if not 1 <= count <= MAX_FRAMES - spec.grid.step:
        is_count = isinstance(asked, int)
        made = f"{asked} is out of range" if is_count else f"{asked} at {rate} fps is {count} frames"
        raise RequestError("frames", f"{made}, must be 1 to {MAX_FRAMES - spec.grid.step}")
    text = f"snapped from {asked}" if isinstance(asked, int) else f"{asked} at {rate} fps"
    return frames, Origin("grid", text)


def _settle_size(task: Render, facts: InputFacts, spec: ModelSpec, origin: Origin) -> tuple[str, Origin]:
    width, height = size_of(task.size)
    shaping = next((field for field in task.size_inputs if field in facts), None)
    if shaping and not origin.is_explicit:
        return _size_like(facts[shaping][0], shaping, task, spec)
    size = "{}x{}".format(*spec.grid.size(width, height))
    return size, origin if size == task.size else Origin("grid", f"snapped from {task.size}")


def _size_like(found: VideoFacts, field: str, task: Render, spec: ModelSpec) -> tuple[str, Origin]:
    """The size of an input, or one of its shape with about as many pixels as the model usually makes."""
    if task.keeps_size:
        width, height = spec.grid.size(found.width, found.height)
        origin = Origin("input", f"size of {field}")
    else:
        from wangp_cli.media.resize import budget_size

        sides = size_of(task.size)
        width, height = budget_size(found.width, found.height, *sides, spec.grid.block)
        origin = Origin("input", f"shape of {field}")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
        raise RequestError(
            field,
            f"{found.width}x{found.height} makes {width}x{height}, sides must be {MIN_SIDE} to {MAX_SIDE}",
            hint="--size crops it to another shape",
        )
    return f"{width}x{height}", origin


def vocabulary_notices(prompt: str, spec: ModelSpec) -> list[str]:
    """A notice if the prompt leaves the small world of a model that ships with us."""
    world = shipped_vocabulary(spec.source.package) if spec.source.package else None
    if not world:
        return []
    known = world | set(UNPROMPTED.split())
    strange = [word for word in re.findall(r"[^\W\d_]+", prompt.lower()) if word not in known]
    if not strange:
        return []
    words = ", ".join(dict.fromkeys(strange))
    return [
        f"{spec.name} was not trained on: {words}; for anything else use a real model, see `wangp models`"
    ]
