"""Tensors of LoRA files of less common layouts, against a dense merge or peft."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch

from tests.support import tiny
from tests.support.lora_files import (
    ALPHA,
    KOHYA,
    LAYOUTS,
    PEFT,
    RANK,
    Factors,
    Now,
    Tensors,
    adapted,
    dense,
    draw,
    layout,
    merged,
    output,
    saved,
    vace,
)
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import Lora
from wangp_cli.pipelines.lora.adapters import LoraAdapters
from wangp_cli.pipelines.lora.read_file import read
from wangp_cli.pipelines.wan.key_names import original_layer
from wangp_cli.tasks.lora_strength import Strength

NEAR = 1e-5
Q, DOWN, UP = "blocks.0.attn1.to_q", "blocks.0.attn1.to_q.lora_A", "blocks.0.attn1.to_q.lora_B"


@pytest.fixture(scope="module")
def network() -> Any:
    return vace()


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Factors of a layer of 48 x 48."""
    random = torch.Generator().manual_seed(5)
    return torch.randn(RANK, 48, generator=random) * 0.3, torch.randn(48, RANK, generator=random) * 0.3


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def check(network: Any, lora: Lora, *differences: Tensors) -> None:
    """Compare a file with the dense merge of what it must change."""
    result = adapted(network, lora)
    assert apart(result, output(network)) > 1e-4
    assert apart(result, merged(network, *differences)) < NEAR


def half_flat(name: str) -> str:
    """Original names of modules with the layer names of diffusers, all without dots."""
    return name.replace("attn1", "self_attn").replace("attn2", "cross_attn").replace(".", "_")


def half_dotted(name: str) -> str:
    """Original names with an underscore before the number of the block."""
    return original_layer(name).replace("blocks.", "blocks_")


@pytest.mark.parametrize(
    ("prefix", "rename"), [("lycoris_", half_flat), ("lora_unet_", half_dotted), ("", half_flat)]
)
def test_names_that_a_tool_renamed_in_part_are_found(
    network: Any, tmp_path: Path, prefix: str, rename: Callable[[str], str]
) -> None:
    factors = draw(network, only="attn")
    check(network, saved(tmp_path, layout(prefix, KOHYA, rename)(factors)), dense(factors))


def test_modulation_tables_of_blocks_and_head_are_changed(network: Any, tmp_path: Path) -> None:
    shapes = {"blocks.0": (1, 6, 48), "vace_blocks.1": (1, 6, 48), "head": (1, 2, 48)}
    tables = {"blocks.0": "blocks.0.scale_shift_table", "head": "scale_shift_table"}
    torch.manual_seed(1)
    values = {name: torch.randn(shape) * 0.1 for name, shape in shapes.items()}
    lora = saved(tmp_path, {f"diffusion_model.{name}.diff_m": value for name, value in values.items()}, "0.5")
    own = {tables.get(name, f"{name}.scale_shift_table"): 0.5 * value for name, value in values.items()}
    check(network, lora, own)


def test_norms_and_set_weights_of_lycoris_are_changed(network: Any, tmp_path: Path) -> None:
    torch.manual_seed(2)
    norm, bias, wanted = torch.randn(48), torch.randn(48), torch.randn(48, 48) * 0.1
    tensors = {
        "lycoris_blocks_0_norm3.w_norm": norm,
        "lycoris_blocks_0_norm3.b_norm": bias,
        "lycoris_blocks_1_self_attn_v.set_weight": wanted,
    }
    own = network.get_parameter("blocks.1.attn1.to_v.weight").detach()
    differences = {
        "blocks.0.norm2.weight": 0.7 * norm,
        "blocks.0.norm2.bias": 0.7 * bias,
        "blocks.1.attn1.to_v.weight": 0.7 * (wanted - own),
    }
    check(network, saved(tmp_path, tensors, "0.7"), differences)


@pytest.mark.parametrize("flat", [True, False])
def test_factors_of_the_patch_embedding_are_used(network: Any, tmp_path: Path, flat: bool) -> None:
    torch.manual_seed(3)
    down, up = torch.randn(RANK, 16, 1, 2, 2) * 0.3, torch.randn(48, RANK, 1, 1, 1) * 0.3
    delta = (up.flatten(1) @ down.flatten(1)).reshape(48, 16, 1, 2, 2)
    whole = torch.randn(48, 16, 1, 2, 2) * 0.1
    tensors = {
        "diffusion_model.patch_embedding.lora_down.weight": down.flatten(1) if flat else down,
        "diffusion_model.patch_embedding.lora_up.weight": up.flatten(1) if flat else up,
        "diffusion_model.patch_embedding.lora_up.bias": (bias := torch.randn(48) * 0.1),
        "diffusion_model.patch_embedding.alpha": torch.tensor(ALPHA),
        "diffusion_model.patch_embedding.diff": whole,
    }
    scale = 0.8 * ALPHA / RANK
    differences = {
        "patch_embedding.weight": scale * delta + 0.8 * whole,
        "patch_embedding.bias": scale * bias,
    }
    check(network, saved(tmp_path, tensors, "0.8"), differences)


def test_factors_in_eight_bits_are_scaled(network: Any, pair: Any, tmp_path: Path) -> None:
    tensors: Tensors = {}
    rounded = []
    for name, factor in zip((DOWN, UP), pair, strict=True):
        scale = factor.abs().max() / 448
        tensors[f"{name}.weight"] = (factor / scale).to(torch.float8_e4m3fn)
        tensors[f"{name}.scale_weight"] = scale
        rounded.append(tensors[f"{name}.weight"].float() * scale)
    down, up = rounded
    check(network, saved(tmp_path, tensors), dense({Q: (down, up)}))


FILES_FOR_TWO = {
    "ai-toolkit": ("diffusion_model.transformer_1.", "diffusion_model.transformer_2."),
    "diffusers": ("transformer.", "transformer_2."),
    "second only": (None, "transformer_2."),
    "first only": ("diffusion_model.transformer_1.", None),
}


@pytest.mark.parametrize("layout_name", FILES_FOR_TWO)
def test_each_half_of_a_file_for_two_experts_is_on_its_expert(layout_name: str, tmp_path: Path) -> None:
    networks = [tiny.transformer(), tiny.transformer()]
    plain = copy.deepcopy(networks)
    tensors: Tensors = {}
    factors = []
    for number, prefix in enumerate(FILES_FOR_TWO[layout_name]):
        own = draw(networks[0], seed=number) if prefix else {}
        factors.append(own)
        tensors |= layout(prefix or "", PEFT, original_layer)(own)
    adapters = LoraAdapters(networks, "cpu", torch.float32)
    [loaded] = adapters.set_loras([saved(tmp_path, tensors, "0.6")])
    assert loaded.layers == sum(map(len, factors))
    adapters.set_step(Now())
    for network, own, without in zip(networks, factors, plain, strict=True):
        assert apart(output(network), merged(without, dense(own, 0.6))) < NEAR
    with pytest.raises(ModelError, match="one of two transformers, this model has one"):
        read(saved(tmp_path, tensors).path, plain[0])


def test_a_half_beside_keys_of_no_transformer_is_refused(network: Any, tmp_path: Path) -> None:
    tensors = LAYOUTS["comfy"](draw(network)) | layout("transformer_2.", PEFT, str)(draw(network))
    with pytest.raises(ModelError, match="does not say of which transformer"):
        read(saved(tmp_path, tensors).path, network, experts=2)


SET = {f"{Q}.set_weight": torch.ones(48, 48)}
TWICE: dict[str, tuple[list[Callable[[Factors], Tensors]], Tensors]] = {
    "two adapters": (
        [
            LAYOUTS["original default"],
            layout("", (".lora_A.new.weight", ".lora_B.new.weight"), original_layer),
        ],
        {},
    ),
    "two prefixes": ([LAYOUTS["diffusers"], LAYOUTS["comfy"]], {}),
    "two suffixes": ([LAYOUTS["comfy"], LAYOUTS["comfy down up"]], {}),
    "two spellings": ([LAYOUTS["musubi"], layout("lora_unet_", KOHYA, half_dotted)], {}),
    "two alphas": (
        [LAYOUTS["comfy"]],
        {f"{Q}.alpha": torch.ones(()), f"transformer.{Q}.alpha": torch.zeros(())},
    ),
    "two differences": (
        [LAYOUTS["comfy"]],
        {"blocks.0.norm3.diff": torch.ones(48), "blocks.0.norm2.w_norm": torch.ones(48)},
    ),
    "two tables": (
        [],
        {"blocks.0.diff_m": torch.ones(1, 6, 48), "blocks.0.modulation.diff": torch.ones(1, 6, 48)},
    ),
    "set and changed": ([LAYOUTS["diffusers"]], SET),
    "set and added": ([], SET | {f"{Q}.diff": torch.ones(48, 48)}),
    "two magnitudes": (
        [LAYOUTS["diffusers"]],
        {f"{Q}.magnitude": torch.ones(48), f"{Q}.dora_scale": torch.ones(48, 1)},
    ),
    "matrix and factors": (
        [],
        {
            f"{Q}.lokr_w1": torch.ones(4, 4),
            f"{Q}.lokr_w1_a": torch.ones(4, 1),
            f"{Q}.lokr_w1_b": torch.ones(1, 4),
            f"{Q}.lokr_w2": torch.ones(12, 12),
        },
    ),
}


@pytest.mark.parametrize("case", TWICE)
def test_a_second_tensor_for_one_place_is_refused_by_name(network: Any, tmp_path: Path, case: str) -> None:
    layouts, tensors = TWICE[case]
    for write in layouts:
        tensors = tensors | write(draw(network, only=Q))
    with pytest.raises(ModelError, match=r"same part of|lokr_w1 and lokr_w1_a|the file (replaces|changes)"):
        read(saved(tmp_path, tensors).path, network)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{DOWN}.one.weight", f"{UP}.two.weight"),
        (f"transformer.{DOWN}.weight", f"diffusion_model.{UP}.weight"),
        (f"{DOWN}.weight", f"{UP}.default.weight"),
        ("blocks.0.attn1.to_q.lora_A.weight", "blocks.0.self_attn.q.lora_B.weight"),
    ],
)
def test_factors_of_two_adapters_make_no_pair(
    network: Any, pair: Any, tmp_path: Path, first: str, second: str
) -> None:
    lora = saved(tmp_path, {first: pair[0], second: pair[1]})
    with pytest.raises(ModelError, match="is of another adapter than"):
        read(lora.path, network)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({f"{Q}.lokr_w1_a": torch.ones(90000, 1), f"{Q}.lokr_w1_b": torch.ones(1, 90000),
          f"{Q}.lokr_w2": torch.ones(2, 2)}, "makes 180000 x 180000"),
        ({f"{DOWN}.weight": torch.ones(0, 48), f"{UP}.weight": torch.ones(48, 0)}, "down is 0 x 48"),
        ({f"{DOWN}.weight": torch.ones(4, 48), f"{UP}.weight": torch.ones(48, 4),
          f"{Q}.alpha": torch.ones(3)}, "its alpha is 3"),
        ({f"{DOWN}.weight": torch.ones(4, 48), f"{UP}.weight": torch.ones(48, 4),
          f"{UP}.bias": torch.ones(3)}, "its bias is 3"),
        ({f"{DOWN}.weight": torch.ones(4), f"{UP}.weight": torch.ones(48, 4)}, "down is 4, up is 48 x 4"),
        ({f"{Q}.hada_w1_a": torch.ones(48, 0), f"{Q}.hada_w1_b": torch.ones(0, 48),
          f"{Q}.hada_w2_a": torch.ones(48, 0), f"{Q}.hada_w2_b": torch.ones(0, 48)}, "hada_w1_a is 48 x 0"),
        ({f"{DOWN}.weight": torch.ones(4, 48, dtype=torch.int8)}, "has dtype I8"),
    ],
)  # fmt: skip
def test_tensors_that_would_break_a_computation_are_refused(
    network: Any, tmp_path: Path, tensors: Tensors, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        read(saved(tmp_path, tensors).path, network)


PEFT_CONFIGS: dict[str, Any] = {
    "LoRA": peft.LoraConfig(r=4, lora_alpha=3, target_modules=["to_q", "proj"]),
    "LoRA by layer": peft.LoraConfig(
        r=4, lora_alpha=3, use_rslora=True, target_modules=["to_q", "to_k"], alpha_pattern={"attn2.to_k": 9}
    ),
    "LoRA with biases": peft.LoraConfig(r=4, lora_alpha=2, lora_bias=True, target_modules=["to_q"]),
    "LoRA of a convolution": peft.LoraConfig(r=2, lora_alpha=3, target_modules=["patch_embedding", "to_q"]),
    "DoRA": peft.LoraConfig(r=4, lora_alpha=3, use_dora=True, target_modules=["to_q", "to_out.0"]),
    "LoHa": peft.LoHaConfig(r=3, alpha=6, target_modules=["to_q", "proj"], alpha_pattern={"proj": 2}),
    "LoKr": peft.LoKrConfig(r=2, alpha=5, target_modules=["to_q", "proj"], rank_pattern={"proj": 3}),
    "LoKr of whole matrices": peft.LoKrConfig(r=64, alpha=16, target_modules=["to_q"]),
}


@pytest.mark.filterwarnings("ignore:.*LoRA tensor.*invalid shape")
@pytest.mark.parametrize("name", PEFT_CONFIGS)
def test_a_folder_that_peft_saved_equals_peft(tmp_path: Path, name: str) -> None:
    torch.manual_seed(7)
    network = tiny.transformer(num_layers=1)
    model = peft.get_peft_model(copy.deepcopy(network), PEFT_CONFIGS[name])
    for key, value in model.named_parameters():
        if value.requires_grad:
            value.data += torch.randn_like(value) * 0.1 if "magnitude" not in key else value.data * 0.2
    model.save_pretrained(tmp_path)
    expected = output(model.get_base_model())
    result = adapted(network, Lora(path=tmp_path / "adapter_model.safetensors"))
    assert apart(expected, output(network)) > 1e-3
    assert apart(result, expected) < 1e-4


def test_alpha_patterns_match_names_of_the_original_code_too(network: Any, pair: Any, tmp_path: Path) -> None:
    factors: Factors = {Q: pair}
    said = json.dumps({"r": RANK, "lora_alpha": 8, "alpha_pattern": {"self_attn.q": 2}})
    lora = saved(tmp_path, LAYOUTS["comfy"](factors), lora_adapter_metadata=said)
    check(network, lora, dense(factors, 2 / RANK))


def test_the_magnitude_of_ai_toolkit_is_that_of_dora(network: Any, pair: Any, tmp_path: Path) -> None:
    weight = network.get_submodule(Q).weight.detach()
    changed = weight + pair[1] @ pair[0]
    magnitude = changed.norm(dim=1) * (0.5 + torch.rand(48))
    tensors = LAYOUTS["comfy"]({Q: pair}) | {"diffusion_model.blocks.0.self_attn.q.magnitude": magnitude}
    wanted = changed * (magnitude / changed.norm(dim=1))[:, None]
    strength = str(Strength.parse("0.5"))
    check(network, saved(tmp_path, tensors, strength), {f"{Q}.weight": 0.5 * (wanted - weight)})
