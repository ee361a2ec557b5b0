"""JSON-RPC requests, proper and wrong."""

from __future__ import annotations

import json

import pytest

from wangp_cli.runtime.control.rpc import INVALID_REQUEST, PARSE_ERROR, answer
from wangp_cli.runtime.control.state import Control


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b"GET / HTTP/1.1\r", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"status","method":"abort"}', -32700),
        (b"[]", -32600),
        (b'{"id":1,"method":"abort"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"abort"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"kill"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"abort","params":{"x":1}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"abort","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"pause","params":{"mode":"later"}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"pause","params":{"mode":[]}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"cancel"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"cancel","params":{"id":"x"}}', -32001),
        (b"[" * 60_000, -32700),
    ],
)
def test_what_is_no_proper_request_changes_nothing(line: bytes, code: int) -> None:
    control = Control()
    answered = answer(control, "run", line)
    assert answered.reply is not None
    assert json.loads(answered.reply)["error"]["code"] == code
    assert answered.malformed == (code in (PARSE_ERROR, INVALID_REQUEST))
    assert (control.rev, control.state) == (0, "running")


def test_a_notification_acts_without_an_answer() -> None:
    control = Control()
    assert answer(control, "run", b'{"jsonrpc":"2.0","method":"drain"}').reply is None
    assert control.state == "draining"
