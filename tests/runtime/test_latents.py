"""Requests in files of latents."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.latents import request_of


def file_of(path: Path, header: Any) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


def test_the_request_is_in_the_metadata(tmp_path: Path) -> None:
    request = {"type": "generate", "seed": 7}
    file = file_of(tmp_path / "a.safetensors", {"__metadata__": {"wangp": json.dumps(request)}})
    assert request_of(file) == request


@pytest.mark.parametrize("header", [{}, {"__metadata__": {}}, {"__metadata__": {"wangp": "{"}}, []])
def test_a_file_without_a_request_is_refused(tmp_path: Path, header: Any) -> None:
    with pytest.raises(RequestError, match="holds no latents of ours"):
        request_of(file_of(tmp_path / "a.safetensors", header))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"cannot read .*none\.safetensors"):
        request_of(tmp_path / "none.safetensors")
