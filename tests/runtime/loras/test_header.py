"""Facts of LoRA files from their headers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from tests.support.lora_hub import tensors
from wangp_cli.errors import ModelError
from wangp_cli.models import Network
from wangp_cli.runtime.loras.header import Header, check_lora


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with no safetensors header"),
        (b"<!DOCTYPE html><html>please log in</html>", "begins with a web page"),
        (b"\xff" * 64, "begins with no safetensors header"),
        (struct.pack("<Q", 100_000) + b"[" * 100_000, "begins with no safetensors header"),
        (save(tensors())[:-9], "its header wants"),
        (save(tensors()) + b"more", "its header wants"),
        (save({"blocks.0.attn1.to_q.weight": np.zeros((2, 2))}), "holds no weights of a LoRA"),
        (save({}), "it is empty"),
    ],
)
def test_a_broken_file_is_seen_from_its_header(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        check_lora(tmp_path / "a.safetensors")


def test_the_header_tells_what_a_file_is(tmp_path: Path) -> None:
    said = {
        "modelspec.title": "Ink",
        "ss_tag_frequency": json.dumps({"10_ink": {"inkwash": 10, "a tree": 2}}),
    }
    save_file(tensors(width=5120), tmp_path / "a.safetensors", metadata=said)
    header = check_lora(tmp_path / "a.safetensors")
    assert header.facts() == {
        "kinds": ["LoRA"], "layers": 1, "ranks": [2], "width": 5120, "blocks": 1,
        "title": "Ink", "trigger_words": ["inkwash", "a tree"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"trigger_words": "['ink wash', brush]"}, ("'ink wash'", "brush")),
        ({"modelspec.trigger_phrase": "ink", "trigger_words": "other"}, ("ink",)),
        ({"ss_tag_frequency": "{broken"}, ()),
        ({"ss_tag_frequency": "[1]"}, ()),
        ({}, ()),
    ],
)
def test_trigger_words_come_from_the_metadata(metadata: dict[str, str], words: tuple[str, ...]) -> None:
    assert Header(shapes={}, metadata=metadata).trigger_words == words


def test_a_pickle_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a safetensors file"):
        check_lora(tmp_path / "a.ckpt")


def test_a_lora_may_fit_a_network_of_its_width_with_enough_blocks() -> None:
    network = Network(
        name="n", kind="k", config={"num_attention_heads": 4, "attention_head_dim": 12, "num_layers": 2}
    )
    shapes = {key: value.shape for key, value in tensors(width=48).items()}
    assert Header(shapes=shapes, metadata={}).may_fit(network)
    wide = {key: value.shape for key, value in tensors(width=96).items()}
    assert not Header(shapes=wide, metadata={}).may_fit(network)
    deep = {key.replace("blocks.0", "blocks.2"): shape for key, shape in shapes.items()}
    assert not Header(shapes=deep, metadata={}).may_fit(network)
