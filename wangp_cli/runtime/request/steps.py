"""Steps of `settle`: frame rate, frames, size, dtypes and seed, each from a draft to the next draft."""

from __future__ import annotations

import secrets
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice
from wangp_cli.pipelines.memory.cpu_dtypes import is_cpu, is_slow
from wangp_cli.runtime.request.check_inputs import check_animation, check_mask_length
from wangp_cli.runtime.request.output_paths import output_folder
from wangp_cli.runtime.workspace.latents import kept_seed
from wangp_cli.runtime.workspace.segments_cache import find_interrupted_seed
from wangp_cli.tasks.fields import MAX_FRAMES, MAX_RATE, MAX_SIDE, MIN_SIDE, frame_count, size_of
from wangp_cli.tasks.shot import Length
from wangp_cli.value_layers import DEFAULT, Origin

if TYPE_CHECKING:
    from wangp_cli.grid import Grid
    from wangp_cli.media.facts import MediaFacts
    from wangp_cli.models import ModelSpec
    from wangp_cli.runtime.request.draft import Draft

DRAWN_SEEDS = 2**32
ADAPTED = frozenset({"context", "overlap", "sliding_window_overlap"})
"""Fields whose default a plan adapts in silence: there is nothing to tell where nobody gave a value."""
DRAWN = Origin("drawn", "drawn")
DRAWN_BEFORE = Origin("drawn", "drawn by the run that was interrupted")


def settle_rate(draft: Draft) -> Draft:
    """The frame rate of the file: that of an input video whose frames it shows, unless one is given.

    Raises:
        RequestError: the input plays too slowly or too fast.
    """
    task, given = draft.task, draft.origin["fps"]
    rate, origin = Fraction(task.fps), given
    fields = (
        (*task.rate_inputs, "video_guide") if draft.spec.requires_full_control_video else task.rate_inputs
    )
    field = next((field for field in fields if field in draft.facts), None)
    if field and not given.is_explicit and (own := draft.facts.of(field)[0].fps):
        if not 1 <= own <= MAX_RATE:
            raise RequestError(
                field,
                f"plays {float(own):g} frames a second, wanted 1 to {MAX_RATE}",
                hint="--fps sets another rate",
            )
        if own != rate:
            rate, origin = own, Origin("input", f"rate of {field}")
    return draft.with_value("fps", str(rate), origin, notice=rate != Fraction(task.fps))


def settle_frames(draft: Draft) -> Draft:
    """The frames of each result: by a plan if several runs of the model make it, else on the model's grid.

    Raises:
        RequestError: they cannot be planned, are too many, or an input is too short for them.
    """
    task, rate = draft.task, draft.rate
    check_animation(task, draft.spec, draft.facts, rate)
    spec = _at_rate(draft.spec, rate)
    plan = task.plan(draft.facts.lengths(rate), spec, rate)
    if plan is not None:
        task.check_plan(plan)
        check_mask_length(task, draft.facts, plan)
        told = [
            notice
            for notice in plan.notices
            if notice.field not in ADAPTED or draft.origin.get(notice.field, DEFAULT).is_explicit
        ]
        plan = plan.model_copy(update={"notices": (*told, *task.plan_notices(plan))})
        return replace(draft, frames=plan.total, plan=plan).with_notices(plan.notices)
    assert isinstance(task, Length)
    frames, origin = _frames_on_grid(draft, task, spec.grid)
    return replace(draft, frames=frames).with_value("frames", frames, origin, notice=frames != task.frames)


def _at_rate(spec: ModelSpec, rate: Fraction) -> ModelSpec:
    """The model with the range of its frame counts at this rate."""
    try:
        return spec.at(rate)
    except ValueError as error:
        raise RequestError("fps", f"{rate}: {error}") from None


def _frames_on_grid(draft: Draft, task: Length, grid: Grid) -> tuple[int, Origin]:
    given = task.frames
    count = frame_count(given, draft.rate)
    frames = grid.frames(count)
    if frames == given:
        return frames, draft.origin["frames"]
    is_count = isinstance(given, int)
    text = f"{given} at {draft.rate} fps"
    if not 1 <= count <= MAX_FRAMES - grid.step:
        made = f"{given} is out of range" if is_count else f"{text} is {count} frames"
        raise RequestError("frames", f"{made}, must be 1 to {MAX_FRAMES - grid.step}")
    return frames, Origin("grid", f"snapped from {given}" if is_count else text)


def settle_size(draft: Draft) -> Draft:
    """The size that the model works at: of the shape of an input unless one is given, on the model's grid.

    Raises:
        RequestError: an input is too small, too large or too long in one side.
    """
    task, origin = draft.task, draft.origin["size"]
    field = next((field for field in task.size_inputs if field in draft.facts), None)
    if field and not origin.is_explicit:
        size, origin = _size_of_input(draft, field, draft.facts.of(field)[0])
    else:
        size = "{}x{}".format(*draft.spec.grid.size(*size_of(task.size)))
        origin = origin if size == task.size else Origin("grid", f"snapped from {task.size}")
    return draft.with_value("size", size, origin, notice=size != task.size)


def _size_of_input(draft: Draft, field: str, facts: MediaFacts) -> tuple[str, Origin]:
    """The size of an input, or one of its shape with about as many pixels as the model usually makes."""
    grid = draft.spec.grid
    if draft.task.keeps_size:
        width, height = grid.size(facts.width, facts.height)
        origin = Origin("input", f"size of {field}")
    else:
        from wangp_cli.media.resize import budget_size

        usual = size_of(draft.task.size)
        width, height = budget_size(facts.width, facts.height, *usual, grid.block)
        origin = Origin("input", f"shape of {field}")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
        raise RequestError(
            field,
            f"{facts.width}x{facts.height} makes {width}x{height}, sides must be {MIN_SIDE} to {MAX_SIDE}",
            hint="--size crops it to another shape",
        )
    return f"{width}x{height}", origin


def settle_dtypes(draft: Draft) -> Draft:
    """float32 in place of a 16-bit dtype that this machine's CPU computes very slowly.

    Raises:
        RequestError: the task must be exact.
    """
    task = draft.task
    for name in ("dtype", "vae_dtype"):
        dtype = getattr(task, name)
        if not (is_slow(dtype) and is_cpu(task.device)):
            continue
        text = f"this CPU has no instructions for {dtype}, which takes more than 100 times as long"
        if task.exact:
            raise RequestError(name, f"{text}; exact allows no other", hint="float32, or without --exact")
        origin = Origin("machine", f"in place of {dtype}")
        notice = Notice(field=name, text=f"float32, {text}")
        draft = draft.with_value(name, "float32", origin).with_notices([notice])
    return draft


def settle_seed(draft: Draft) -> Draft:
    """A seed where none is given: that of an interrupted run, whose segments serve again, or a new one."""
    task = draft.settled_task
    if task.seed != -1:
        return draft
    folder = output_folder(task)
    before = find_interrupted_seed(task, folder) if draft.plan else kept_seed(task, folder)
    if before is None:
        # A name that the user gave does not show the seed.
        hidden = task.output is not None
        return draft.with_value("seed", secrets.randbelow(DRAWN_SEEDS), DRAWN, notice=hidden)
    notice = Notice(field="seed", text=f"{before}, {DRAWN_BEFORE}")
    return draft.with_value("seed", before, DRAWN_BEFORE).with_notices([notice])
