"""From the flags of `wangp batch` to a plan and its lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.presets import Layer
from wangp_cli.runtime.admit import Door, Rules
from wangp_cli.runtime.batch import Plan
from wangp_cli.runtime.events import Fault
from wangp_cli.runtime.intake import Line, each_image, each_video, read_lines
from wangp_cli.runtime.session import Session


def plan_of(said: Mapping[str, Any], extra: Mapping[str, Any], session: Session) -> Plan:
    """How the batch runs, from the tasks' flags and the batch's own."""
    folder = Path(said.get("output_dir") or session.settings.output_dir).expanduser().absolute()
    defaults = [Layer(name="command", values={"type": "generate"})]
    if session.settings.name is None:
        defaults.append(Layer(name="default", values={"name": "{task_id}"}))
    defaults += [
        Layer(name=f"preset {name}", values=session.presets.get(name).values)
        for name in extra.get("preset", [])
    ]
    flags = {name: value for name, value in said.items() if name != "output_dir"}
    roots = [Path.cwd(), folder, session.loras_dir, *extra.get("allow_path", [])]
    if (source := extra.get("tasks")) and source != "-":
        roots.append(Path(source).absolute().parent)
    roots += [extra[name] for name in ("each_image", "each_video") if name in extra]
    return Plan(
        rules=Rules(
            folder=folder,
            defaults=[*defaults, Layer(name="flag", values=flags | {"output_dir": folder})],
            roots=roots,
            only=frozenset(extra.get("only", [])),
            shard=_shard(extra.get("shard", "1/1")),
        ),
        order=extra.get("order", "given"),
        fail_fast=bool(extra.get("fail_fast")),
        retries=int(extra.get("retries", 0)),
        timeout=extra.get("task_timeout"),
        limit=extra.get("limit"),
        resume=bool(extra.get("resume")),
    )


def _shard(text: str) -> tuple[int, int]:
    which, _, of = text.partition("/")
    if not (which.isdigit() and of.isdigit() and 1 <= int(which) <= int(of)):
        raise RequestError("--shard", f"{text!r} is not I/N, such as 2/8")
    return int(which), int(of)


def lines_of(extra: Mapping[str, Any], said: Mapping[str, Any], plan: Plan) -> Iterator[Line]:
    """The lines of whatever was given."""
    given = [name for name in ("tasks", "each_image", "each_video") if name in extra]
    if len(given) != 1:
        found = "nothing is given" if not given else f"{' and '.join(given)} exclude each other"
        raise RequestError("tasks", found, hint="give a file of tasks, - , --each-image or --each-video")
    if "tasks" in extra:
        return read_lines(extra["tasks"], stdin=sys.stdin.buffer, work=plan.rules.folder / ".wangp")
    read = each_image if given == ["each_image"] else each_video
    return read(extra[given[0]], dict(said))


def check_all(lines: Iterator[Line], door: Door) -> int:
    """Print what every line would do, or why it cannot; 2 if any cannot."""
    code = 0
    for line in lines:
        for one in door.admit([line]):
            report: dict[str, Any] = {"line": one.line.number, "task_id": one.key}
            if one.error is not None:
                code = 2
                report["error"] = Fault.of(one.error).model_dump(mode="json")
            elif one.request is not None:
                report |= one.request.document()
            sys.stdout.write(json.dumps(report) + "\n")
    return code
