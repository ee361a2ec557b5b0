"""What `--estimate` prints: memory, disk and time of a task, before anything is loaded."""

from __future__ import annotations

import json as json_
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wangp_cli.runtime.weights import locate
from wangp_cli.runtime.weights.sizes import network_config, part_sizes

if TYPE_CHECKING:
    from wangp_cli.runtime.request.request import Request
    from wangp_cli.runtime.session import Session


def shown(request: Request, session: Session, *, json: bool) -> str:
    """The estimate of a settled request as text, or as JSON."""
    facts = _facts(request, session)
    return json_.dumps(facts, indent=2) if json else _text(facts)


def _facts(request: Request, session: Session) -> dict[str, Any]:
    from wangp_cli.pipelines.memory.estimate import Model, estimate

    spec, models_dir = request.spec, session.models_dir
    sizes = part_sizes(spec, models_dir)
    runs = [segment.generate for segment in request.plan.segments] if request.plan else []
    model = Model(
        traits=spec.traits,
        grid=spec.grid,
        config=network_config(spec, models_dir),
        weights={name: size.weights for name, size in sizes.items()},
        bytes=sum(size.bytes for size in sizes.values()),
    )
    # What is generated in the segments of a plan; else the same in every result.
    found = estimate(request.task, model, runs or [request.frames] * len(request.outputs))
    existing = next(folder for folder in (models_dir, *models_dir.parents) if folder.is_dir())
    disk = {
        "bytes": model.bytes,
        "to_fetch_bytes": sum(size.bytes for size in sizes.values() if not size.here),
        "free_bytes": shutil.disk_usage(existing).free,
        "folder": str(locate.expected(spec, models_dir).folder),
    }
    return {"model": spec.name} | asdict(found) | {"fits": found.fits, "disk": disk}


def _text(facts: dict[str, Any]) -> str:
    disk = facts["disk"]
    fetch = f"{_size(disk['to_fetch_bytes'])} to fetch" if disk["to_fetch_bytes"] else "all here"
    parts = ", ".join(f"{name} {_size(size)}" for name, size in facts["weights"].items())
    room = "" if facts["fits"] else ", which is too little"
    return "\n".join(
        [
            f"{facts['model']} on {facts['device']} in {facts['dtype']}",
            f"profile  {facts['profile']}: {facts['why']}",
            f"weights  {parts}",
            f"device   {_size(facts['device_bytes'])} at the peak, {_size(facts['free_bytes'])} free{room}",
            f"memory   {_size(facts['memory_bytes'])} at the peak",
            f"disk     {_size(disk['bytes'])} of weights, {fetch}, {_size(disk['free_bytes'])} free",
            f"time     about {_time(facts['load_seconds'])} to load, then {_time(facts['run_seconds'])};"
            " a rough guess from the speed of this machine",
        ]
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
