"""LoRA files of every layout against a dense merge of the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.support import tiny
from tests.support.lora_files import (
    ALPHA,
    LAYOUTS,
    RANK,
    Factors,
    Tensors,
    adapted,
    dense,
    draw,
    merged,
    output,
    saved,
    vace,
)
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import Lora
from wangp_cli.pipelines.lora import read_file

NEAR = 1e-5


@pytest.fixture(scope="module")
def network() -> Any:
    return vace()


@pytest.fixture(scope="module")
def factors(network: Any) -> Factors:
    return draw(network)


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("only", ["", "attn1"])
def test_every_layout_equals_the_dense_merge(network: Any, tmp_path: Path, name: str, only: str) -> None:
    factors = draw(network, only=only)
    tensors = LAYOUTS[name](factors)
    scale = ALPHA / RANK if any(key.endswith(".alpha") for key in tensors) else 1.0
    result = adapted(network, saved(tmp_path, tensors, "0.6"))
    assert apart(result, output(network)) > 1e-3
    assert apart(result, merged(network, dense(factors, 0.6 * scale))) < NEAR


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_the_number_format_of_a_file_does_not_matter(
    network: Any, factors: Factors, tmp_path: Path, kind: torch.dtype
) -> None:
    rough = {key: value.to(kind) for key, value in LAYOUTS["comfy"](factors).items()}
    rounded = {name: (down.to(kind).float(), up.to(kind).float()) for name, (down, up) in factors.items()}
    assert apart(adapted(network, saved(tmp_path, rough)), merged(network, dense(rounded))) < NEAR


def test_loras_add_up_whatever_their_layers_and_ranks(network: Any, factors: Factors, tmp_path: Path) -> None:
    some = draw(network, seed=1, only="attn1")
    some["blocks.0.attn2.to_out.0"] = (torch.randn(1, 48) * 0.2, torch.randn(48, 1) * 0.2)
    first = saved(tmp_path, LAYOUTS["diffusers"](factors), "-0.3")
    second = saved(tmp_path, LAYOUTS["musubi"](some), "0.8")
    result = adapted(network, first, second)
    assert apart(result, merged(network, dense(factors, -0.3), dense(some, 0.8))) < NEAR


def test_alpha_in_the_metadata_counts(network: Any, factors: Factors, tmp_path: Path) -> None:
    pattern = r"blocks\.\d+\..*proj_out|proj_out"
    said = {"transformer.r": RANK, "transformer.lora_alpha": 8, "transformer.alpha_pattern": {pattern: 2}}
    lora = saved(tmp_path, LAYOUTS["diffusers"](factors), lora_adapter_metadata=json.dumps(said))
    low = {name: pair for name, pair in factors.items() if name.endswith("proj_out")}
    high = {name: pair for name, pair in factors.items() if name not in low}
    assert apart(adapted(network, lora), merged(network, dense(high, 8 / RANK), dense(low, 2 / RANK))) < 1e-4


def test_alpha_beside_a_peft_file_counts(network: Any, factors: Factors, tmp_path: Path) -> None:
    save_file(LAYOUTS["peft"](factors), file := tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 1}))
    assert apart(adapted(network, Lora(path=file)), merged(network, dense(factors, 1 / RANK))) < NEAR


DIFFERENCES = {
    "diffusion_model.blocks.0.self_attn.q.diff_b": ("blocks.0.attn1.to_q.bias", (48,)),
    "diffusion_model.blocks.1.norm3.diff": ("blocks.1.norm2.weight", (48,)),
    "diffusion_model.vace_blocks.1.cross_attn.norm_k.diff": ("vace_blocks.1.attn2.norm_k.weight", (48,)),
    "diffusion_model.head.head.diff_b": ("proj_out.bias", (64,)),
    "diffusion_model.patch_embedding.diff": ("patch_embedding.weight", (48, 16, 1, 2, 2)),
    "diffusion_model.blocks.0.ffn.0.diff": ("blocks.0.ffn.net.0.proj.weight", (96, 48)),
    "diffusion_model.blocks.1.modulation.diff": ("blocks.1.scale_shift_table", (1, 6, 48)),
    "diffusion_model.head.modulation.diff": ("scale_shift_table", (1, 2, 48)),
}


def test_whole_differences_are_added(network: Any, factors: Factors, tmp_path: Path) -> None:
    extra = {key: torch.randn(shape) * 0.1 for key, (_, shape) in DIFFERENCES.items()}
    lora = saved(tmp_path, LAYOUTS["comfy"](factors) | extra, "0.5")
    other = saved(tmp_path, extra)
    own = {name: 1.5 * extra[key] for key, (name, _) in DIFFERENCES.items()}
    assert apart(adapted(network, lora, other), merged(network, dense(factors, 0.5), own)) < NEAR


def product(kind: str) -> tuple[Tensors, torch.Tensor]:
    """LoKr or LoHa on a layer of 48 x 48, and its dense matrix."""
    left, right = torch.randn(4, 2), torch.randn(12, 24) * 0.2
    low, wide = torch.randn(12, 3) * 0.4, torch.randn(3, 24) * 0.4
    first, second = torch.randn(4, 1), torch.randn(1, 2)
    alpha = torch.tensor(6.0)
    sides = {f"hada_w{side}_{part}": torch.randn(48, 3) for side in "12" for part in "ab"}
    hada = {key: value if key.endswith("a") else value.T.contiguous() for key, value in sides.items()}
    return {
        "hadamard": (
            hada | {"alpha": alpha},
            (hada["hada_w1_a"] @ hada["hada_w1_b"]) * (hada["hada_w2_a"] @ hada["hada_w2_b"]) * 2,
        ),
        "whole": ({"lokr_w1": left, "lokr_w2": right, "alpha": alpha}, torch.kron(left, right)),
        "right": (
            {"lokr_w1": left, "lokr_w2_a": low, "lokr_w2_b": wide, "alpha": alpha},
            torch.kron(left, low @ wide) * 2,
        ),
        "both": (
            {"lokr_w1_a": first, "lokr_w1_b": second, "lokr_w2_a": low, "lokr_w2_b": wide},
            torch.kron(first @ second, low @ wide),
        ),
    }[kind]


@pytest.mark.parametrize("kind", ["whole", "right", "both", "hadamard"])
@pytest.mark.parametrize("prefix", ["diffusion_model.blocks.1.cross_attn.k", "lycoris_blocks_1_cross_attn_k"])
def test_lokr_and_loha_equal_the_dense_merge(network: Any, tmp_path: Path, kind: str, prefix: str) -> None:
    torch.manual_seed(3)
    parts, matrix = product(kind)
    lora = saved(tmp_path, {f"{prefix}.{part}": value for part, value in parts.items()}, "0.7")
    result = adapted(network, lora)
    assert apart(result, output(network)) > 1e-3
    assert apart(result, merged(network, {"blocks.1.attn2.to_k.weight": 0.7 * matrix})) < NEAR


@pytest.mark.parametrize("form", ["dora_scale", "lora_magnitude_vector", "dora_scale of inputs"])
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_dora_equals_the_dense_merge(network: Any, tmp_path: Path, form: str, strength: float) -> None:
    torch.manual_seed(4)
    layer = "blocks.0.ffn.net.0.proj"
    factors = draw(network, only=layer) | draw(network, only="blocks.1.attn1.to_v")
    weight = network.get_submodule(layer).weight
    rows = "of inputs" not in form
    magnitude = weight.norm(dim=int(rows), keepdim=True) * (
        0.5 + torch.rand(weight.shape[1 - int(rows)], 1).T
        if not rows
        else 0.5 + torch.rand(weight.shape[0], 1)
    )
    changed = weight + dense(factors)[f"{layer}.weight"]
    changed = changed * magnitude / changed.norm(dim=int(rows), keepdim=True)
    key = "dora_scale" if "dora" in form else "lora_magnitude_vector"
    value = magnitude.flatten() if "vector" in form else magnitude
    tensors = LAYOUTS["diffusers"](factors) | {f"transformer.{layer}.{key}": value.detach().contiguous()}
    expected = dense(factors, strength) | {f"{layer}.weight": strength * (changed - weight).detach()}
    result = adapted(network, saved(tmp_path, tensors, str(strength)))
    assert apart(result, merged(network, expected)) < NEAR


def test_layers_for_pictures_are_left_out_where_there_are_none(tmp_path: Path) -> None:
    image = tiny.transformer(in_channels=36, image_dim=16, added_kv_proj_dim=48)
    text = tiny.transformer()
    tensors = LAYOUTS["comfy"](draw(image))
    lora = saved(tmp_path, tensors)
    assert any("k_img" in key for key in tensors)
    assert apart(adapted(text, lora), merged(text, dense(draw_like(text, image)))) < NEAR
    [found] = read_file.read(lora.path, text)
    assert len(found.left_out) == 8
    assert all("_img" in key for key in found.left_out)


def draw_like(text: Any, image: Any) -> Factors:
    """The factors of an image-to-video network for the layers that a text-to-video network has."""
    known = dict(text.named_modules())
    return {name: pair for name, pair in draw(image).items() if name in known}


REFUSED: list[tuple[Tensors, str]] = [
    ({"transformer.blocks.9.attn1.to_q.lora_A.weight": torch.zeros(4, 48)}, "blocks.9.*has no block 9"),
    ({"transformer.blocks.0.attn1.to_x.lora_A.weight": torch.zeros(4, 48)}, "to_x.*no such layer"),
    ({"transformer.blocks.0.attn1.to_q.hada_w1_a": torch.zeros(2, 2)}, "holds factors of two kinds"),
    ({"condition_embedder.time_proj.hada_w1_a": torch.zeros(4, 4)}, "comes without hada_w1_b"),
    ({"diffusion_model.patch_embedding.diff": torch.zeros(2)}, "patch_embedding.diff.*is 2, the network"),
    ({"diffusion_model.blocks.0.modulation.diff": torch.zeros(1, 5, 48)}, "modulation.diff.*1 x 5 x 48"),
    ({"diffusion_model.blocks.0.self_attn.norm_q.diff_b": torch.zeros(48)}, "norm_q.*has no bias"),
    ({"transformer.blocks.0.attn1.norm_q.lora_A.weight": torch.zeros(4, 48)}, "norm_q.*only linear layers"),
    ({"text_encoder.blocks.0.lora_A.weight": torch.zeros(4, 48)}, "is of a text encoder"),
    ({"lora_te_layer_0.lora_down.weight": torch.zeros(4, 48)}, "is of a text encoder"),
    ({"transformer.blocks.0.attn1.to_q.alpha": torch.tensor(float("nan"))}, "to_q.alpha.*not finite"),
    ({"transformer.blocks.0.attn1.to_q.lora_B.weight": torch.full((48, 4), torch.inf)}, "not finite"),
    ({"transformer.blocks.0.attn1.to_q.lora_A.weight": torch.zeros(5, 48)}, "down is 5 x 48, up is 48 x 4"),
    ({"transformer.blocks.0.attn1.to_q.dora_scale": torch.zeros(7, 1)}, "magnitude is 7 x 1"),
    ({"condition_embedder.time_proj.alpha": torch.tensor(1.0)}, "time_proj.alpha.*without factors"),
    ({"condition_embedder.time_proj.lora_A.weight": torch.zeros(4, 48)}, "down comes without up"),
    ({"condition_embedder.time_proj.lokr_w1": torch.zeros(4, 4)}, "comes without lokr_w2"),
]  # fmt: skip


@pytest.mark.parametrize(("extra", "why"), REFUSED, ids=[next(iter(extra)) for extra, _ in REFUSED])
def test_a_key_that_fits_nothing_is_named_with_its_reason(
    network: Any, factors: Factors, tmp_path: Path, extra: Tensors, why: str
) -> None:
    lora = saved(tmp_path, LAYOUTS["diffusers"](factors) | extra)
    with pytest.raises(ModelError, match=rf"fits \d+ layers of this model, but not with \d keys.*{why}"):
        adapted(network, lora)


def test_a_lora_of_a_wider_network_fits_no_layer(network: Any, tmp_path: Path) -> None:
    wide = {"blocks.0.attn1.to_q": (torch.zeros(4, 5120), torch.zeros(5120, 4))}
    lora = saved(tmp_path, LAYOUTS["diffusers"](wide))
    with pytest.raises(ModelError, match=r"fits no layer.*5120 x 5120, the layer is 48 x 48"):
        adapted(network, lora)


def test_a_file_without_factors_is_refused(network: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no weights"):
        adapted(network, saved(tmp_path, {}))


def test_metadata_that_cannot_be_read_is_refused(network: Any, factors: Factors, tmp_path: Path) -> None:
    for said in (
        "no json",
        "[1]",
        '{"lora_alpha": NaN}',
        '{"alpha_pattern": {"(": 1}}',
        '{"alpha_pattern": {"((.|.)+)+x": 1}}',
        '{"alpha_pattern": {".*.*.*.*.*.*.*.*x": 1}}',
        '{"alpha_pattern": 5}',
    ):
        lora = saved(tmp_path, LAYOUTS["diffusers"](factors), lora_adapter_metadata=said)
        with pytest.raises(ModelError, match=r"metadata|fits no layer.*alpha"):
            adapted(network, lora)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("style.pt", b"anything", "not a safetensors file"),
        ("style.safetensors", b"anything", "is broken"),
        ("style.safetensors", None, "is missing"),
        ("style.safetensors", "cut", "is broken"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    network: Any, factors: Factors, tmp_path: Path, name: str, content: bytes | str | None, message: str
) -> None:
    file = tmp_path / name
    if content == "cut":
        content = saved(tmp_path, LAYOUTS["diffusers"](factors)).path.read_bytes()[:-100]
    if content is not None:
        file.write_bytes(content)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=message):
        adapted(network, Lora(path=file))
