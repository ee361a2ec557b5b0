"""Every layout gives the tensors of the diffusers layout, or a message that names the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel, WanVACETransformer3DModel
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from safetensors.torch import load_file, save_file

from tests.support import checkpoint_layouts, tiny
from tests.support.checkpoint_layouts import IMAGE, same
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.wan.key_names import original_parameter

NETWORKS: dict[str, Any] = {
    "t2v": ("WanTransformer3DModel", {}),
    "i2v": ("WanTransformer3DModel", IMAGE),
    "flf2v": ("WanTransformer3DModel", IMAGE | {"pos_embed_seq_len": 34}),
    "i2v 2.2": ("WanTransformer3DModel", {"in_channels": 36}),
    "ti2v": ("WanTransformer3DModel", {"in_channels": 48, "out_channels": 48}),
    "vace": ("WanVACETransformer3DModel", {"vace_layers": [0, 1], "vace_in_channels": 96}),
    "animate": ("WanAnimateTransformer3DModel", IMAGE | tiny.FACE),
    "recam": ("ReCamTransformer3DModel", {}),
    "diffusion forcing": ("SkyReelsV2Transformer3DModel", {}),
    "diffusion forcing with rate": ("SkyReelsV2Transformer3DModel", {"inject_sample_info": True}),
}
NOT_RENAMED = ("img_emb.emb_pos", "fps_projection")
"""What diffusers' own conversion leaves as it is."""


@pytest.mark.parametrize("layout", checkpoint_layouts.LAYOUTS)
def test_a_layout_gives_the_tensors_of_the_diffusers_layout(layout: str, tmp_path: Path) -> None:
    model = checkpoint_layouts.vace()
    files, expected = checkpoint_layouts.LAYOUTS[layout](model.state_dict(), tmp_path)
    model.load_state_dict(expected)
    model.save_pretrained(tmp_path / "diffusers")
    stock = WanVACETransformer3DModel.from_pretrained(tmp_path / "diffusers", disable_mmap=True)
    built = TransformerFiles(checkpoint_layouts.network_of(model), files, allow_pickle=True).build(
        torch.float32, "cpu"
    )
    assert same(built, stock.state_dict())
    assert not any(value.is_meta for value in (*built.parameters(), *built.buffers()))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_read_by_its_original_names(name: str, tmp_path: Path) -> None:
    kind, changes = NETWORKS[name]
    model = tiny.transformer(kind, **changes)
    files, expected = checkpoint_layouts.plain(model.state_dict(), tmp_path)
    assert same(
        TransformerFiles(checkpoint_layouts.network_of(model), files).build(torch.float32, "cpu"), expected
    )


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"recam"}))
def test_the_original_names_are_those_that_diffusers_converts(name: str) -> None:
    kind, changes = NETWORKS[name]
    weights = tiny.transformer(kind, **changes).state_dict()
    asked = checkpoint_layouts.original_names(weights)
    asked = {key: value for key, value in asked.items() if not key.startswith(NOT_RENAMED)}
    converted = convert_wan_transformer_to_diffusers(dict(asked))
    assert set(converted) == {key for key in weights if not original_parameter(key).startswith(NOT_RENAMED)}
    assert all(torch.equal(value, weights[key]) for key, value in converted.items())


@pytest.mark.parametrize(("layout", "prefix"), [("bf16", ""), ("prefixed", "model.diffusion_model.")])
def test_animate_is_read_without_the_blur_kernels_of_its_file(
    layout: str, prefix: str, tmp_path: Path
) -> None:
    model = tiny.transformer("WanAnimateTransformer3DModel", **IMAGE | tiny.FACE)
    [file], expected = checkpoint_layouts.LAYOUTS[layout](model.state_dict(), tmp_path)
    block = f"{prefix}motion_encoder.enc.net_app.convs.1"
    blur = {f"{block}.{name}.0.kernel": torch.ones(4, 4) for name in ("conv2", "skip")}
    save_file(load_file(file) | blur, file)
    assert same(
        TransformerFiles(checkpoint_layouts.network_of(model), [file]).build(torch.float32, "cpu"), expected
    )


def test_half_precision_keeps_what_diffusers_keeps_in_float32(tmp_path: Path) -> None:
    model = checkpoint_layouts.vace()
    files, _ = checkpoint_layouts.plain(model.state_dict(), tmp_path)
    model.save_pretrained(tmp_path / "diffusers")
    stock = WanVACETransformer3DModel.from_pretrained(
        tmp_path / "diffusers", dtype=torch.bfloat16, disable_mmap=True
    )
    built = TransformerFiles(checkpoint_layouts.network_of(model), files).build(torch.bfloat16, "cpu")
    assert same(built, stock.state_dict())
    assert {value.dtype for value in built.parameters()} == {torch.float32, torch.bfloat16}
    for name, value in built.named_parameters():
        assert value.dtype == stock.get_parameter(name).dtype, name


def test_a_prediction_from_a_file_is_that_of_the_network(tmp_path: Path) -> None:
    model = tiny.transformer()
    files, _ = checkpoint_layouts.quanto(model.state_dict(), tmp_path)
    built = TransformerFiles(checkpoint_layouts.network_of(model), files).build(torch.float32, "cpu").eval()
    torch.manual_seed(1)
    inputs = {
        "hidden_states": torch.randn(1, 16, 2, 4, 4),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 8, 32),
    }
    with torch.no_grad():
        error = built(**inputs).sample - model(**inputs).sample
    assert error.abs().max() < 0.02


def changed(tmp_path: Path, **changes: Any) -> tuple[Any, list[Path]]:
    """A tiny network, and a file of it in which some tensors are others, or gone."""
    model = tiny.transformer()
    keys = checkpoint_layouts.original_names(model.state_dict())
    keys |= {name.replace("/", "."): value for name, value in changes.items()}
    kept = {key: value for key, value in keys.items() if value is not None}
    return checkpoint_layouts.network_of(model), checkpoint_layouts.save(
        tmp_path / "changed.safetensors", kept
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blocks/0/self_attn/q/weight": None}, "has no blocks.0.self_attn.q.weight, which tiny needs"),
        ({"blocks/1/modulation": None}, "blocks.1.modulation"),
        ({"blocks/0/ffn/0/weight": torch.zeros(3, 3)}, r"blocks.0.ffn.0.weight of \[3, 3\]"),
        ({"control_adapter/weight": torch.zeros(2)}, "does not know: control_adapter.weight"),
        ({"blocks/0/cam_encoder/weight": torch.zeros(2)}, "cam_encoder"),
        ({"blocks/0/attn1/to_q/weight": torch.zeros(48, 48)}, "twice"),
        ({"blocks/0/self_attn/q/weight": torch.zeros(48, 48, dtype=torch.int8)}, "has dtype I8"),
        ({"blocks/0/self_attn/q/scale_weight": torch.ones(5)}, r"\[5\] for \[48, 48\]"),
        ({"blocks/0/self_attn/z/scale_weight": torch.ones(1)}, "scales nothing"),
        (
            {
                "scaled_fp8": torch.zeros(2),
                "blocks/0/self_attn/q/weight": torch.zeros(48, 48).to(torch.float8_e4m3fn),
            },
            "no scale for blocks.0.self_attn.q.weight",
        ),
        (
            {
                "blocks/0/self_attn/q/comfy_quant": torch.tensor(
                    list(json.dumps({"format": "nvfp4"}).encode()), dtype=torch.uint8
                )
            },
            "quantised as nvfp4",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    network, files = changed(tmp_path, **changes)
    with pytest.raises(ModelError, match=said):
        TransformerFiles(network, files)


def test_a_vace_module_alone_is_refused(tmp_path: Path) -> None:
    model = checkpoint_layouts.vace()
    files, _ = checkpoint_layouts.base_and_module(model.state_dict(), tmp_path)
    with pytest.raises(ModelError, match=r"has no head.modulation, patch_embedding"):
        TransformerFiles(checkpoint_layouts.network_of(model), files[1:])
    with pytest.raises(ModelError, match="twice"):
        TransformerFiles(
            checkpoint_layouts.network_of(model),
            [*files, *checkpoint_layouts.plain(model.state_dict(), tmp_path)[0]],
        )


def test_diffusers_own_reader_agrees_where_it_reads_a_layout(tmp_path: Path) -> None:
    model = tiny.transformer()
    files, _ = checkpoint_layouts.prefixed(model.state_dict(), tmp_path)
    model.save_config(tmp_path / "config" / "transformer")
    path = files[0].rename(tmp_path / "prefixed.safetensors")
    stock = WanTransformer3DModel.from_single_file(
        str(path), config=str(tmp_path / "config"), subfolder="transformer"
    )
    built = TransformerFiles(checkpoint_layouts.network_of(model), [path]).build(torch.float32, "cpu")
    assert same(built, stock.state_dict())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type.Wan2_1-FLF2V-14B-720P", torch.zeros(1)),
        ("model_type.Wan2_1-FLF2V-14B-720P", torch.zeros((), dtype=torch.int64)),
        ("tool.version", torch.zeros(0)),
        ("freqs", torch.zeros(4, 2, dtype=torch.complex64)),
        ("rope.freqs_cos", torch.zeros(4, 2)),
    ],
)
def test_markers_and_buffers_are_read_over(key: str, value: torch.Tensor, tmp_path: Path) -> None:
    network, files = changed(tmp_path, **{key.replace(".", "/"): value})
    assert TransformerFiles(network, files).shapes()


@pytest.mark.parametrize(
    "key", ["blocks.0.gate", "blocks.0.self_attn.q.scale", "head.head.weight_scale_2", "gate"]
)
def test_a_number_of_a_layer_is_no_marker(key: str, tmp_path: Path) -> None:
    network, files = changed(tmp_path, **{key.replace(".", "/"): torch.ones(1)})
    with pytest.raises(ModelError, match=f"does not know: {key}"):
        TransformerFiles(network, files)
