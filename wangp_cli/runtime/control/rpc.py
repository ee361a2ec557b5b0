"""JSON-RPC 2.0 requests that steer a run: one request a line, at most one reply line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
NO_SUCH_TASK = -32001


@dataclass(frozen=True)
class Answer:
    """The answer to one line.

    Args:
        reply: the line to send back; None for a notification.
        malformed: whether the line was no JSON-RPC 2.0 request.
    """

    reply: bytes | None
    malformed: bool = False


class _RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def answer(control: Control, run: str, line: bytes) -> Answer:
    """Carry out the request of one line."""
    try:
        request = _parse(line)
    except _RpcError as error:
        return Answer(_reply(None, error=error), malformed=True)
    request_id = request.get("id")
    try:
        result = _call(control, run, request["method"], request.get("params", {}))
    except _RpcError as error:
        return Answer(_reply(request_id, error=error))
    return Answer(_reply(request_id, result=result) if "id" in request else None)


def _reply(request_id: Any, *, result: Any = None, error: _RpcError | None = None) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id}
    body |= {"error": {"code": error.code, "message": str(error)}} if error else {"result": result}
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


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
        raise _RpcError(PARSE_ERROR, str(error)) from None
    is_request = (
        isinstance(request, dict)
        and request.get("jsonrpc") == "2.0"
        and isinstance(request.get("method"), str)
        and isinstance(request.get("id"), str | int | float | None)
    )
    if not is_request:
        raise _RpcError(INVALID_REQUEST, "not a JSON-RPC 2.0 request")
    parsed: dict[str, Any] = request
    return parsed


def _call(control: Control, run: str, method: str, params: Any) -> dict[str, Any]:
    if method not in METHODS:
        raise _RpcError(METHOD_NOT_FOUND, f"no method {method!r}, there are {', '.join(METHODS)}")
    if not isinstance(params, dict) or not params.keys() <= METHODS[method]:
        known = ", ".join(METHODS[method]) or "none"
        raise _RpcError(INVALID_PARAMS, f"{method}: params are an object with these keys: {known}")
    extra = _act(control, method, params)
    if method == "status":
        return {"run": run, **control.snapshot()}
    return {"rev": control.rev, "state": control.state, **extra}


def _act(control: Control, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    match method:
        case "pause":
            mode = params.get("mode", "now")
            if mode not in ("now", "drain"):
                raise _RpcError(INVALID_PARAMS, "mode: now or drain")
            control.pause(mode)
        case "resume":
            control.resume()
        case "drain":
            control.drain()
        case "abort":
            control.abort()
        case "cancel":
            task_id = params.get("id")
            if not isinstance(task_id, str):
                raise _RpcError(INVALID_PARAMS, "id: the id of a task")
            if not control.cancel(task_id):
                raise _RpcError(NO_SUCH_TASK, f"no task {task_id!r} waits or runs")
            return {"task": task_id}
    return {}
