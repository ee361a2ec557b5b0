"""JSON-RPC client of a running command: find the run, send a request, read the reply."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError, WangpError
from wangp_cli.files import strict_json
from wangp_cli.runtime.control import registry
from wangp_cli.runtime.control.registry import Record
from wangp_cli.runtime.control.rpc import MAX_LINE

REPLY_SECONDS = 10.0


def find(name: str, folders: Sequence[Path]) -> Record:
    """The live run of this id, unique beginning of one, output folder, or `last`.

    Raises:
        RequestError: there is none, or more than one.
    """
    live = sorted(
        (record for folder in folders for record in registry.records(folder)),
        key=lambda record: record.started,
    )
    if not live:
        raise RequestError("run", "no run is going on")
    if name == "last":
        return live[-1]
    matches = [record for record in live if record.run == name]
    matches = matches or [record for record in live if name and record.run.startswith(name)]
    matches = matches or [record for record in live if _absolute(name) in record.folders]
    if len(matches) == 1:
        return matches[0]
    known = ", ".join(record.run for record in (matches or live))
    if matches:
        raise RequestError("run", f"{name!r} may be any of {len(matches)} runs", hint=f"one of {known}")
    raise RequestError("run", f"there is no run {name!r}", hint=f"one of {known}, or last")


def _absolute(name: str) -> str:
    return str(Path(name).expanduser().resolve())


def call(record: Record, method: str, **params: str) -> dict[str, Any]:
    """Send a request to a run and return its result.

    Raises:
        RequestError: the run refuses.
        WangpError: it does not answer.
    """
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(REPLY_SECONDS)
            connection.connect(str(record.socket))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline(MAX_LINE)
    except OSError as error:
        raise WangpError(f"run {record.run} does not answer: {error.strerror or error}") from None
    try:
        reply = strict_json.loads(line)
    except ValueError:
        raise WangpError(f"run {record.run} ended before it answered") from None
    if "error" in reply:
        raise RequestError(method, reply["error"]["message"])
    result: dict[str, Any] = reply["result"]
    return result
