"""The output of `--estimate`: memory, disk and time of a task, without loading weights."""

from __future__ import annotations

import json as json_
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wangp_cli.files.folders import free_bytes
from wangp_cli.files.units import format_bytes, format_seconds
from wangp_cli.runtime.request.request import RenderRequest
from wangp_cli.runtime.weights.locate import expected, fetchable
from wangp_cli.runtime.weights.sizes import network_config, part_sizes
from wangp_cli.tasks.stages import RENDER_STAGES, StageShare, fractions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wangp_cli.models import ModelSpec
    from wangp_cli.runtime.request.request import Request
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.render import Render


def estimate_text(request: Request, session: Session, *, json: bool) -> str:
    """The estimate of a settled request as text, or as JSON."""
    if isinstance(request, RenderRequest):
        facts = _render_facts(request, session)
        return json_.dumps(facts, indent=2) if json else _render_text(facts, request.task)
    facts = _task_facts(request, session)
    return json_.dumps(facts, indent=2) if json else _task_text(facts)


def _render_facts(request: RenderRequest, session: Session) -> dict[str, Any]:
    from wangp_cli.pipelines.memory.estimate import Model, estimate

    spec, models_dir = request.spec, session.models_dir
    sizes = part_sizes(spec, models_dir)
    folder = expected(spec, models_dir).folder
    frames = [segment.generate for segment in request.plan.segments] if request.plan else []
    model = Model(
        traits=spec.traits,
        grid=spec.grid,
        config=network_config(spec, models_dir),
        weights={name: size.weights for name, size in sizes.items()},
        bytes=sum(size.bytes for size in sizes.values()),
    )
    # Frames of each run of the model: one run per segment of a plan, else one per result.
    engines = {
        role: sum(size.weights for size in part_sizes(request.models[role], models_dir).values())
        for role in request.models
        if role != "model"
    }
    runs = frames or [request.frames] * len(request.outputs)
    estimated = estimate(request.task, model, runs, engines)
    disk = _disk(request.models.values(), models_dir) | {"folder": str(folder)}
    stages = _stage_seconds(request.task.stages, estimated.load_seconds, estimated.run_seconds)
    return {"model": spec.name} | asdict(estimated) | {"fits": estimated.fits, "stages": stages, "disk": disk}


def _task_facts(request: Request, session: Session) -> dict[str, Any]:
    """Facts of a task that no diffusion model renders: its stages as shares in [0, 1], its weights."""
    models_dir = session.models_dir
    spans = fractions_of(request.task.stages)
    return {
        "task": request.task.type,
        "models": {role: spec.name for role, spec in request.models.items()},
        "stages": {name: round(end - begin, 4) for name, (begin, end) in spans.items()},
        "disk": _disk(request.models.values(), models_dir),
    }


def _task_text(facts: dict[str, Any]) -> str:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in facts["stages"].items())
    models = [f"models   {', '.join(facts['models'].values())}", _disk_line(facts["disk"])]
    return "\n".join([f"{facts['task']}", *(models if facts["models"] else []), f"stages   {shares}"])


def _disk(specs: Iterable[ModelSpec], models_dir: Path) -> dict[str, Any]:
    """Bytes of the weights of models; absent ones count as to fetch, or as missing if they have no source."""
    counts = {"bytes": 0, "to_fetch_bytes": 0, "missing_bytes": 0}
    for spec in specs:
        key = "to_fetch_bytes" if fetchable(spec.source) else "missing_bytes"
        for size in part_sizes(spec, models_dir).values():
            counts["bytes"] += size.bytes
            counts[key] += 0 if size.here else size.bytes
    return counts | {"free_bytes": free_bytes(models_dir)}


def _stage_seconds(stages: Sequence[StageShare], load_seconds: float, run_seconds: float) -> dict[str, float]:
    """Seconds of each stage.

    The stages of a render share `run_seconds` by weight; further stages add to it, at the same rate.
    """
    rendering = {stage.name for stage in RENDER_STAGES} - {"load"}
    weight = sum(stage.weight for stage in stages if stage.name in rendering)
    each = {stage.name: run_seconds * stage.weight / weight for stage in stages}
    return {name: round(load_seconds if name == "load" else seconds, 3) for name, seconds in each.items()}


def _disk_line(disk: dict[str, Any]) -> str:
    absent = [
        f"{format_bytes(disk[key])} {state}"
        for key, state in (("to_fetch_bytes", "to fetch"), ("missing_bytes", "missing"))
        if disk[key]
    ]
    sizes = f"{format_bytes(disk['bytes'])} of weights, {', '.join(absent) or 'all here'}"
    return f"disk     {sizes}, {format_bytes(disk['free_bytes'])} free"


def _render_text(facts: dict[str, Any], task: Render) -> str:
    render_stages = {stage.name for stage in RENDER_STAGES}
    further = [
        f"         and about {format_seconds(facts['stages'][stage.name])} for {stage.label}"
        for stage in task.stages
        if stage.name not in render_stages
    ]
    parts = ", ".join(f"{name} {format_bytes(size)}" for name, size in facts["weights"].items())
    shortage = "" if facts["fits"] else ", which is too little"
    return "\n".join(
        [
            f"{facts['model']} on {facts['device']} in {facts['dtype']}",
            f"profile  {facts['profile']}: {facts['why']}",
            f"weights  {parts}",
            f"device   {format_bytes(facts['device_bytes'])} at the peak, "
            f"{format_bytes(facts['free_bytes'])} free{shortage}",
            f"memory   {format_bytes(facts['memory_bytes'])} at the peak",
            _disk_line(facts["disk"]),
            f"time     about {format_seconds(facts['load_seconds'])} to load, then "
            f"{format_seconds(facts['run_seconds'])}; a rough guess from the speed of this machine",
            *further,
        ]
    )
