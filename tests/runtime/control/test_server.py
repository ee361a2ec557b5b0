"""The sockets of a run, and who may enter."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.control import serving
from wangp_cli.errors import ConflictError, RequestError, ResourceError
from wangp_cli.runtime.control import client, registry
from wangp_cli.runtime.control.rpc import MAX_LINE
from wangp_cli.runtime.control.server import ControlServer, may_control, peer_uid
from wangp_cli.runtime.control.state import Control


def say(address: Any, data: bytes) -> bytes:
    """Send everything and read until the other side closes, or says nothing for a while."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    found = b""
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(0.4)
        one.connect(address)
        with contextlib.suppress(OSError):
            one.sendall(data)
            while piece := one.recv(65536):
                found += piece
    return found


def test_a_run_answers_on_a_private_socket_and_leaves_nothing(folder: Path) -> None:
    control = Control()
    with serving(control, folder) as server:
        path = server.record.socket
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        record = client.find("run", [folder])
        assert client.call(record, "pause", mode="now")["state"] == "paused"
        assert client.call(record, "status")["run"] == "run-1"
        with pytest.raises(RequestError, match="no task 'x'"):
            client.call(record, "cancel", id="x")
    assert list(folder.iterdir()) == []


def test_a_folder_with_too_long_a_name_or_open_to_others_is_passed_over(folder: Path, tmp_path: Path) -> None:
    long, shared = tmp_path / ("x" * 100), Path("/tmp")
    control = Control()
    server = ControlServer(control, "run-1", [long, shared, folder])
    server.close()
    assert server.record.folder == folder
    with pytest.raises(ResourceError, match="too long a name"):
        ControlServer(control, "run-1", [long])
    with pytest.raises(ResourceError, match="other users may enter"):
        ControlServer(control, "run-1", [shared])
    folder.joinpath("link").symlink_to(folder)
    assert not registry.is_private(folder / "link")


def test_only_the_user_and_root_may_enter() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_uid(left) == os.geteuid()
    assert may_control(os.geteuid())
    assert may_control(0)
    assert not may_control(os.geteuid() + 4711)


def test_another_user_is_shown_the_door(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wangp_cli.runtime.control.server.peer_uid", lambda _: os.geteuid() + 4711)
    control = Control()
    with serving(control, folder) as server:
        assert say(str(server.record.socket), b'{"jsonrpc":"2.0","id":1,"method":"abort"}\n') == b""
    assert control.state == "running"


def test_a_line_without_end_closes_the_connection(folder: Path) -> None:
    control = Control()
    with serving(control, folder) as server:
        padding = b" " * MAX_LINE
        line = b'{"jsonrpc":"2.0","id":1,"method":"abort"}' + padding + b"\n"
        assert say(str(server.record.socket), line) == b""
        assert say(str(server.record.socket), b"x" * (3 * MAX_LINE)) == b""
    assert control.state == "running"


def hello(server: ControlServer, token: str | None = None) -> bytes:
    said = token if token is not None else server.record.token.read_text().strip()
    request = {"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"token": said}}
    return json.dumps(request).encode() + b"\n"


ABORT = b'{"jsonrpc":"2.0","id":1,"method":"abort"}\n'


def test_the_port_opens_to_the_token_alone(folder: Path) -> None:
    control = Control()
    with serving(control, folder, port=0) as server:
        address = ("127.0.0.1", server.port)
        assert stat.S_IMODE(server.record.token.stat().st_mode) == 0o600
        assert len(server.record.token.read_text().strip()) == 64
        assert say(address, ABORT) == b""
        assert say(address, hello(server, "wrong") + ABORT) == b""
        assert say(address, hello(server, "ü" * 64) + ABORT) == b""
        assert say(address, b'{"jsonrpc":"2.0","id":1,"method":"hello"}\n' + ABORT) == b""
        assert control.snapshot()["state"] == "running"
        replies = say(address, hello(server) + ABORT).splitlines()
        assert [json.loads(reply)["id"] for reply in replies] == [0, 1]
        assert control.state == "aborting"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("verb", ["POST", "GET", "OPTIONS", "PUT", "CONNECT"])
def test_a_web_page_cannot_drive_a_run(folder: Path, verb: str) -> None:
    control = Control()
    with serving(control, folder, port=0) as server:
        body = hello(server) + ABORT
        head = f"{verb} / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n".encode()
        assert say(("127.0.0.1", server.port), head + body) == b""
        # Not even by a page that knows the token and smuggles a verb behind it.
        say(("127.0.0.1", server.port), hello(server) + head + ABORT)
        # Nor on the socket, where a first line that is no request ends it.
        say(str(server.record.socket), head + ABORT)
    assert control.state == "running"


def test_a_slow_unauthenticated_connection_is_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wangp_cli.runtime.control.server.HELLO_SECONDS", 0.2)
    with serving(Control(), folder, port=0) as server, socket.socket() as connection:
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(5)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 4:
                connection.sendall(b" ")
                time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_many_unauthenticated_connections_do_not_block_the_user(folder: Path) -> None:
    with serving(Control(), folder, port=0) as server:
        connections = [socket.create_connection(("127.0.0.1", server.port or 0)) for _ in range(40)]
        assert client.call(server.record, "status")["state"] == "running"
        for connection in connections:
            connection.close()


def test_a_port_in_use_is_a_clear_error_and_leaves_nothing(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConflictError, match="control_port"):
            ControlServer(Control(), "run-1", [folder], port=taken.getsockname()[1])
    assert list(folder.iterdir()) == []


def test_a_server_that_ran_out_of_descriptors_answers_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED]
    accept = socket.socket.accept

    def exhausted(listener: socket.socket) -> Any:
        if failures:
            raise OSError(failures.pop(), "short")
        return accept(listener)

    monkeypatch.setattr("wangp_cli.runtime.control.server.EXHAUSTED_SECONDS", 0.01)
    monkeypatch.setattr(socket.socket, "accept", exhausted)
    control = Control()
    with serving(control, folder):
        assert client.call(client.find("run", [folder]), "status")["run"] == "run-1"
    assert failures == []


def test_a_run_is_found_by_a_folder_whose_name_is_no_utf_8(folder: Path, tmp_path: Path) -> None:
    name = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    with serving(Control(), folder) as server:
        server.record.add_folder(name)
        assert client.find(str(name), [folder]).run == "run-1"
