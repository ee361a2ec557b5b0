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
from wangp_cli.runtime.loras.header import Header, check_lora, check_usable


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


NETWORK = Network(
    name="n",
    kind="k",
    config={"num_attention_heads": 4, "attention_head_dim": 12, "num_layers": 2, "ffn_dim": 96},
)
Q, FLAT, LAST = "diffusion_model.blocks.1.self_attn.q", "lycoris_blocks_1_self_attn_o", "blocks_0_ffn_2"
PLACED: dict[str, dict[str, tuple[int, ...]]] = {
    "LoKr": {f"{Q}.lokr_w1": (4, 4), f"{Q}.lokr_w2_a": (12, 3), f"{Q}.lokr_w2_b": (3, 12)},
    "flat LoKr": {f"{FLAT}.lokr_w1": (4, 4), f"{FLAT}.lokr_w2": (12, 12)},
    "LoHa": {f"{Q}.hada_w1_a": (48, 2), f"{Q}.hada_w1_b": (2, 48)},
    "feed-forward": {"blocks.0.ffn.0.lora_A.weight": (2, 48), "blocks.0.ffn.0.lora_B.weight": (96, 2)},
    "feed-forward out": {f"{LAST}.lora_down.weight": (2, 96), f"{LAST}.lora_up.weight": (48, 2)},
    "keys of cross attention": {
        "transformer.blocks.0.attn2.to_k.lora_A.weight": (2, 48),
        "transformer.blocks.0.attn2.to_k.lora_B.weight": (48, 2),
    },
    "norms": {"diffusion_model.blocks.0.norm3.diff": (48,)},
    "tables": {"diffusion_model.blocks.0.diff_m": (1, 6, 48)},
    "the head": {"head.head.lora_A.weight": (2, 48), "head.head.lora_B.weight": (64, 2)},
}  # fmt: skip


@pytest.mark.parametrize("case", PLACED)
def test_a_file_is_placed_by_the_shapes_of_its_layers(case: str) -> None:
    header = Header(shapes=PLACED[case], metadata={})
    assert header.kinds
    assert header.width == 48
    assert header.may_fit(NETWORK)
    wide = NETWORK.model_copy(update={"config": NETWORK.config | {"num_attention_heads": 5}})
    assert not header.may_fit(wide)


def test_the_width_of_the_feed_forward_layer_counts_too() -> None:
    header = Header(shapes=PLACED["feed-forward"], metadata={})
    deeper = NETWORK.model_copy(update={"config": NETWORK.config | {"ffn_dim": 128}})
    assert not header.may_fit(deeper)


def test_a_file_for_two_transformers_fits_models_of_two() -> None:
    keys = [f"diffusion_model.transformer_{number}.blocks.0.norm3.diff" for number in (1, 2)]
    header = Header(shapes=dict.fromkeys(keys, (48,)), metadata={})
    assert (header.may_fit(NETWORK, 2), header.may_fit(NETWORK, 1)) == (True, False)


def test_a_scale_of_a_factor_is_no_layer_of_its_own() -> None:
    shapes = {key: value.shape for key, value in tensors().items()}
    scaled = shapes | {next(iter(shapes)).replace(".weight", ".scale_weight"): (1,)}
    assert Header(shapes=scaled, metadata={}).layers == 1


@pytest.mark.parametrize(
    "second",
    [
        "diffusion_model.blocks.0.self_attn.q.lora_A.other.weight",
        "transformer.blocks.0.self_attn.q.lora_A.weight",
        "diffusion_model.blocks.0.self_attn.q.lora_down.weight",
        "lora_unet_blocks_0_self_attn_q.lora_down.weight",
    ],
)
def test_two_tensors_for_one_place_are_refused_before_a_run(tmp_path: Path, second: str) -> None:
    save_file(tensors() | {second: np.zeros((2, 48), np.float32)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="two tensors for one place") as caught:
        check_usable(tmp_path / "a.safetensors")
    assert second in caught.value.message
    halves = {
        f"diffusion_model.transformer_{n}.x.lora_A.weight": np.zeros((2, 48), np.float32) for n in (1, 2)
    }
    save_file(halves | tensors(), tmp_path / "b.safetensors")
    assert check_usable(tmp_path / "b.safetensors").kinds == ("LoRA",)


def _file(header: object, size: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * size


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
DAMAGED = {
    "metadata is a list": _file({"__metadata__": [1]}),
    "metadata is a text": _file({"__metadata__": "x", "blocks.0.x.lora_A.weight": ENTRY}, 4),
    "a tensor is a number": _file({"x": 1}),
    "a shape is a text": _file({"x": ENTRY | {"shape": "ab"}}, 4),
    "a shape is an object": _file({"x": ENTRY | {"shape": {"a": 1}}}, 4),
    "a side is a text": _file({"x": ENTRY | {"shape": ["a"]}}, 4),
    "a side is a list": _file({"x": ENTRY | {"shape": [[1]]}}, 4),
    "no offsets": _file({"x": ENTRY | {"data_offsets": []}}, 4),
    "one offset": _file({"x": ENTRY | {"data_offsets": [1]}}, 4),
    "offsets are texts": _file({"x": ENTRY | {"data_offsets": ["a", "b"]}}, 4),
    "an offset is absurd": _file({"x": ENTRY | {"data_offsets": [0, 1 << 60]}}, 4),
    "an offset is no whole number": _file({"x": ENTRY | {"data_offsets": [0, 4.5]}}, 4),
    "twice the same key": _file(b'{"x": 1, "x": 2}'),
    "not UTF-8": _file(b'{"\xff": 1}'),
    "deep": _file(b"[" * 5000 + b"]" * 5000),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_header_is_one_clear_message(tmp_path: Path, case: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(DAMAGED[case])
    with pytest.raises(ModelError, match=r"LoRA .*a.safetensors (is broken|holds no weights)"):
        check_lora(tmp_path / "a.safetensors")
