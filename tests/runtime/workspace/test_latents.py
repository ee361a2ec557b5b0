"""Requests in files of latents."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.workspace.latents import (
    is_same_request,
    kept_seed,
    latents_file,
    latents_request,
    request_of,
)
from wangp_cli.tasks.generate import Generate


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


TASK = Generate(model="starter", prompt="a", task_id="t", seed=-1, count=2)


def test_requests_are_the_same_whatever_their_seed_and_output(tmp_path: Path) -> None:
    request = latents_request(TASK, 0)
    moved = TASK.replace(seed=5, output_dir=str(tmp_path), name="x", overwrite=True, task_id="u")
    assert is_same_request(request, latents_request(moved, 1))
    for change in ({"steps": 3}, {"prompt": "b"}, {"image_start": "/a.png"}, {"vae_tiling": "off"}):
        assert not is_same_request(request, latents_request(TASK.replace(**change), 0))


@pytest.mark.parametrize(
    ("index", "seed", "wanted"),
    [(0, 7, 7), (1, 8, 7), (1, 0, None), (0, -1, None), (0, 2**80, None), (0, True, None), (0, "7", None)],
)
def test_a_drawn_seed_is_found_in_latents_of_the_task(
    index: int, seed: Any, wanted: int | None, tmp_path: Path
) -> None:
    assert kept_seed(TASK, tmp_path) is None
    file = latents_file(TASK, index, tmp_path)
    file.parent.mkdir()
    request = latents_request(TASK, index) | {"seed": seed}
    file_of(file, {"__metadata__": {"wangp": json.dumps(request)}})
    assert kept_seed(TASK, tmp_path) == wanted
    assert kept_seed(TASK.replace(steps=3), tmp_path) is None
    assert kept_seed(TASK.replace(task_id="u"), tmp_path) is None
