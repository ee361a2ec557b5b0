"""JSON-RPC 2.0 of a run's control: one line in, at most one line out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from wangp_cli.files import strict_json
from wangp_cli.runtime.control.state import Control

MAX_LINE = 64 * 1024
METHODS: dict[str, frozenset[str]] = {
    "hello": frozenset({"token"}),
    "status": frozenset(),
    "pause": frozenset({"mode"}),
    "resume": frozenset(),
    "cancel": frozenset({"id"}),
    "drain": frozenset(),
    "abort": frozenset(),
}
"""Every method and the names of its parameters."""
NO_SUCH_TASK = -32001


class _RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def answer(control: Control, run: str, line: bytes) -> bytes | None:
    """Carry out one request and give the line to send back; None for a notification."""
    identity: Any = None
    try:
        request = _parse(line)
        identity = request.get("id")
        result = _call(control, run, request["method"], request.get("params", {}))
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "result": result}
    except _RpcError as error:
        reply = {"jsonrpc": "2.0", "id": identity, "error": {"code": error.code, "message": str(error)}}
    else:
        if "id" not in request:
            return None
    return json.dumps(reply, separators=(",", ":")).encode() + b"\n"


def is_hello(line: bytes, check: Callable[[str], bool]) -> bool:
    """Whether a line is `hello` with the right token."""
    try:
        request = _parse(line)
    except _RpcError:
        return False
    params = request.get("params")
    token = params.get("token") if isinstance(params, dict) else None
    return request["method"] == "hello" and isinstance(token, str) and token.isascii() and check(token)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = strict_json.loads(line)
    except ValueError as error:
        raise _RpcError(-32700, str(error)) from None
    fine = (
        isinstance(request, dict)
        and request.get("jsonrpc") == "2.0"
        and isinstance(request.get("method"), str)
        and isinstance(request.get("id"), str | int | float | None)
    )
    if not fine:
        raise _RpcError(-32600, "not a JSON-RPC 2.0 request")
    found: dict[str, Any] = request
    return found


def _call(control: Control, run: str, method: str, params: Any) -> dict[str, Any]:
    if method not in METHODS:
        raise _RpcError(-32601, f"no method {method!r}, there are {', '.join(METHODS)}")
    if not isinstance(params, dict) or not params.keys() <= METHODS[method]:
        known = ", ".join(METHODS[method]) or "none"
        raise _RpcError(-32602, f"{method}: params are an object with these keys: {known}")
    extra = _act(control, method, params)
    if method == "status":
        return {"run": run, **control.snapshot()}
    return {"rev": control.rev, "state": control.state, **extra}


def _act(control: Control, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    match method:
        case "pause":
            mode = params.get("mode", "now")
            if mode not in ("now", "drain"):
                raise _RpcError(-32602, "mode: now or drain")
            control.pause(mode)
        case "resume":
            control.resume()
        case "drain":
            control.drain()
        case "abort":
            control.abort()
        case "cancel":
            task = params.get("id")
            if not isinstance(task, str):
                raise _RpcError(-32602, "id: the id of a task")
            if not control.cancel(task):
                raise _RpcError(NO_SUCH_TASK, f"no task {task!r} waits or runs")
            return {"task": task}
    return {}
