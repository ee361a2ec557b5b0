"""`wangp doctor`: check the installation and the machine."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel, ConfigDict
from rich.table import Table

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_json
from wangp_cli.files.folders import free_bytes, nearest_existing
from wangp_cli.files.units import format_bytes
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import plain, stdout_console
from wangp_cli.runtime.request.engines import BestEngine, best_engine
from wangp_cli.runtime.weights import locate
from wangp_cli.runtime.workspace import segments_cache
from wangp_cli.tasks import TASKS

HUB = "huggingface.co"
STATUS_MARKUP = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "problem": "[red]problem[/]"}


class Check(BaseModel):
    """The result of one check."""

    model_config = ConfigDict(defer_build=True)
    name: str
    status: Literal["ok", "warning", "problem"]
    found: str
    fix: str | None = None


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check python, torch, device, memory, disk, attention, folders, hub, engines and versions."""
    with report_errors():
        checks = [*_software(), *_machine(), *_folders(), _hub(), _starter(), *_engines()]
        if json:
            from wangp_cli.runtime.history.manifest import versions

            write_json({"checks": [check.model_dump() for check in checks], "versions": versions()})
        else:
            _print(checks)
        if any(check.status == "problem" for check in checks):
            raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        table.add_row(
            STATUS_MARKUP[check.status],
            check.name,
            plain(check.found + (f" ({check.fix})" if check.fix else "")),
        )
    stdout_console().print(table)


def _software() -> list[Check]:
    from wangp_cli.runtime.history.manifest import versions

    packages = versions()
    checks = [
        Check(name="python", status="ok", found=f"{platform.python_version()} on {platform.platform()}")
    ]
    for name in ("torch", "diffusers", "transformers", "av"):
        installed = name in packages
        fix = None if installed else f"pip install {name}"
        checks.append(
            Check(
                name=name,
                status="ok" if installed else "problem",
                found=packages.get(name, "missing"),
                fix=fix,
            )
        )
    return checks


def _machine() -> list[Check]:
    import torch

    from wangp_cli.pipelines.denoise.attention import available
    from wangp_cli.pipelines.memory.placement import best_device, best_dtype

    device = best_device()
    name = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} cores, no GPU found"
    fix = (
        None if device != "cpu" else "fine for the starter; large models need a GPU and a CUDA build of torch"
    )
    checks = [
        Check(name="device", status="ok", found=f"{device}, {best_dtype(device)}: {name}", fix=fix),
        Check(name="attention", status="ok", found=", ".join(available(device))),
    ]
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        checks.append(
            Check(name="GPU memory", status="ok", found=f"{format_bytes(free)} of {format_bytes(total)} free")
        )
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    low = total < 4e9
    checks.append(
        Check(
            name="memory",
            status="warning" if low else "ok",
            found=f"{format_bytes(free)} of {format_bytes(total)} free",
            fix="at least 4 GB are needed" if low else None,
        )
    )
    return checks


def _folders() -> list[Check]:
    settings, _, folders = bootstrap.load_settings()
    paths = {
        "outputs": settings.output_dir.absolute(),
        "models": bootstrap.models_dir(settings, folders),
        "LoRAs": bootstrap.loras_dir(settings, folders),
        "settings": folders.config,
        "logs": folders.state,
    }
    return [*(_folder(name, path) for name, path in paths.items()), *_unfinished(paths["outputs"])]


def _unfinished(outputs: Path) -> list[Check]:
    """A check that names the segments of interrupted tasks, if there are any."""
    if not (size := segments_cache.work_size(outputs)):
        return []
    found = f"{outputs / segments_cache.FOLDER}, {format_bytes(size)} of interrupted tasks"
    fix = "run the same commands again, or remove the folder; unused segments are removed after a week"
    return [Check(name="unfinished work", status="ok", found=found, fix=fix)]


def _folder(name: str, path: Path) -> Check:
    existing = nearest_existing(path)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Check(
            name=name, status="problem", found=f"{path} cannot be written", fix="see `wangp settings path`"
        )
    free = free_bytes(existing)
    low = free < 1e9
    return Check(
        name=name,
        status="warning" if low else "ok",
        found=f"{path}, {format_bytes(free)} free",
        fix="less than 1 GB is left" if low else None,
    )


def _hub() -> Check:
    try:
        socket.create_connection((HUB, 443), timeout=3).close()
    except OSError as error:
        return Check(
            name="hub",
            status="warning",
            found=f"{HUB} cannot be reached: {error}",
            fix="only needed to fetch weights; the starter needs no hub",
        )
    return Check(name="hub", status="ok", found=f"{HUB} answers")


def _starter() -> Check:
    _, _, folders = bootstrap.load_settings()
    spec: Any = bootstrap.catalogue(folders).get("starter")
    present = locate.present(spec, Path())
    return Check(
        name="starter",
        status="ok" if present else "problem",
        found="ships with this installation" if present else "its weights are missing",
        fix=None if present else "install wangp again",
    )


def _engines() -> list[Check]:
    """A check for each use of engines: what `auto` stands for here, and how to get a better one."""
    settings, _, folders = bootstrap.load_settings()
    catalogue, models_dir = bootstrap.catalogue(folders), bootstrap.models_dir(settings, folders)
    uses = {use: choice for task in TASKS.values() for use, choice in task.engine_uses.items()}
    found = {use: best_engine(choice, catalogue, models_dir) for use, choice in uses.items()}
    return [_engine(use, best) for use, best in found.items() if best]


def _engine(use: str, best: BestEngine) -> Check:
    name = f"engine of {use}"
    if not best.is_here:
        return Check(
            name=name, status="ok", found="no weights are here", fix=f"wangp models fetch {best.name}"
        )
    fix = f"`wangp models fetch {best.better}` gets a better one" if best.better else None
    return Check(name=name, status="ok", found=best.name, fix=fix)
