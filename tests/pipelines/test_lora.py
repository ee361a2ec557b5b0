"""LoRA files against a dense merge of the same numbers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests import tiny
from wangp_cli.errors import ModelError
from wangp_cli.pipelines import lora
from wangp_cli.pipelines.base import Lora
from wangp_cli.pipelines.lora_names import original_name

RANK, ALPHA = 4, 2.0
Tensors = dict[str, torch.Tensor]
CONDITION = "condition_embedder.text_embedder.linear_1"


@pytest.fixture(scope="module")
def network() -> Any:
    return tiny.transformer("WanVACETransformer3DModel", vace_layers=[0, 1], vace_in_channels=96)


@pytest.fixture(scope="module")
def factors(network: Any) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return draw(network, seed=0)


def draw(network: Any, seed: int) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Random factors for every linear layer of the blocks, and one outside them."""
    random = torch.Generator().manual_seed(seed)
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear) and ("blocks." in name or name in (CONDITION, "proj_out"))
    }
    return {
        name: (
            torch.randn(RANK, layer.in_features, generator=random) * 0.2,
            torch.randn(layer.out_features, RANK, generator=random) * 0.2,
        )
        for name, layer in layers.items()
    }


def output(network: Any) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        return network(
            hidden_states=torch.randn(1, 16, 2, 4, 4, generator=random),
            timestep=torch.tensor([500]),
            encoder_hidden_states=torch.randn(1, 6, 32, generator=random),
            control_hidden_states=torch.randn(1, 96, 2, 4, 4, generator=random),
            return_dict=False,
        )[0]


def merged(network: Any, *terms: tuple[dict[str, tuple[torch.Tensor, torch.Tensor]], float]) -> torch.Tensor:
    network = copy.deepcopy(network)
    for factors, strength in terms:
        for name, (down, up) in factors.items():
            network.get_submodule(name).weight.data += strength * (up @ down)
    return output(network)


def with_loras(network: Any, *loras: Lora) -> torch.Tensor:
    network = copy.deepcopy(network)
    lora.apply(network, loras)
    return output(network)


def layout(
    prefix: str, down: str, up: str, rename: Callable[[str], str], alpha: bool
) -> Callable[[Any], Tensors]:
    def tensors(factors: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Tensors:
        state = {}
        for name, (first, second) in factors.items():
            state[f"{prefix}{rename(name)}{down}"] = first
            state[f"{prefix}{rename(name)}{up}"] = second
            if alpha:
                state[f"{prefix}{rename(name)}.alpha"] = torch.tensor(ALPHA)
        return state

    return tensors


def same(name: str) -> str:
    return name


def flat(name: str) -> str:
    return original_name(name).replace(".", "_")


PEFT = (".lora_A.weight", ".lora_B.weight")
DEFAULT = (".lora_A.default.weight", ".lora_B.default.weight")
KOHYA = (".lora_down.weight", ".lora_up.weight")
LAYOUTS = {
    "diffusers": layout("transformer.", *PEFT, same, False),
    "no prefix": layout("", *PEFT, same, False),
    "peft": layout("base_model.model.", *PEFT, same, False),
    "peft over diffusers": layout("base_model.model.transformer.", *PEFT, same, False),
    "comfy": layout("diffusion_model.", *PEFT, original_name, False),
    "comfy down up": layout("diffusion_model.", *KOHYA, original_name, False),
    "comfy alpha": layout("diffusion_model.", *KOHYA, original_name, True),
    "comfy checkpoint": layout("model.diffusion_model.", *PEFT, original_name, False),
    "original": layout("", *PEFT, original_name, False),
    "original default": layout("", *DEFAULT, original_name, False),
    "diffsynth": layout("pipe.dit.", *DEFAULT, original_name, False),
    "musubi alpha": layout("lora_unet_", *KOHYA, flat, True),
    "musubi": layout("lora_unet_", *KOHYA, flat, False),
    "kohya double": layout("lora_unet__", *KOHYA, flat, True),
    "kohya diffusers": layout("lora_transformer_", *KOHYA, lambda name: name.replace(".", "_"), True),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_equals_the_dense_merge(network: Any, factors: Any, tmp_path: Path, name: str) -> None:
    tensors = LAYOUTS[name](factors)
    save_file(tensors, file := tmp_path / "style.safetensors")
    scale = ALPHA / RANK if any(key.endswith(".alpha") for key in tensors) else 1.0
    result = with_loras(network, Lora(path=file, strength=0.6))
    assert (result - output(network)).abs().max() > 1e-2
    assert (result - merged(network, (factors, 0.6 * scale))).abs().max() < 1e-5


def test_two_loras_add_up(network: Any, factors: Any, tmp_path: Path) -> None:
    others = draw(network, seed=1)
    some = {name: pair for name, pair in others.items() if "attn1" in name}
    save_file(LAYOUTS["diffusers"](factors), first := tmp_path / "a.safetensors")
    save_file(LAYOUTS["musubi"](some), second := tmp_path / "b.safetensors")
    result = with_loras(network, Lora(path=first, strength=-0.3), Lora(path=second, strength=0.8))
    assert (result - merged(network, (factors, -0.3), (some, 0.8))).abs().max() < 1e-5


def test_some_layers_are_enough_and_ranks_may_differ(network: Any, tmp_path: Path) -> None:
    name = "blocks.1.attn2.to_out.0"
    wide, narrow = draw(network, seed=2)[name], (torch.randn(1, 48) * 0.2, torch.randn(48, 1) * 0.2)
    both = {name: wide, "blocks.0.attn2.to_out.0": narrow}
    save_file(LAYOUTS["comfy"](both), file := tmp_path / "style.safetensors")
    assert (with_loras(network, Lora(path=file)) - merged(network, (both, 1.0))).abs().max() < 1e-5


def test_alpha_in_the_metadata_counts(network: Any, factors: Any, tmp_path: Path) -> None:
    said = {"transformer.r": RANK, "transformer.lora_alpha": 8, "transformer.alpha_pattern": {"proj_out": 2}}
    file = tmp_path / "style.safetensors"
    save_file(LAYOUTS["diffusers"](factors), file, metadata={"lora_adapter_metadata": json.dumps(said)})
    low = {name: pair for name, pair in factors.items() if name.endswith("proj_out")}
    high = {name: pair for name, pair in factors.items() if name not in low}
    expected = merged(network, (high, 8 / RANK), (low, 2 / RANK))
    assert (with_loras(network, Lora(path=file)) - expected).abs().max() < 1e-4


def test_alpha_beside_a_peft_file_counts(network: Any, factors: Any, tmp_path: Path) -> None:
    save_file(LAYOUTS["peft"](factors), file := tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 1}))
    expected = merged(network, (factors, 1 / RANK))
    assert (with_loras(network, Lora(path=file)) - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"transformer.blocks.9.attn1.to_q.lora_A.weight": torch.zeros(4, 48)}, "blocks.9.attn1.to_q"),
        ({"transformer.blocks.0.attn1.to_q.dora_scale": torch.zeros(48, 1)}, "dora_scale"),
        ({"transformer.blocks.0.attn1.to_q.lokr_w1": torch.zeros(2, 2)}, "lokr_w1"),
        ({"diffusion_model.patch_embedding.diff": torch.zeros(2)}, "patch_embedding.diff"),
        ({"diffusion_model.blocks.0.modulation.diff": torch.zeros(1, 6, 48)}, "modulation.diff"),
        ({"transformer.blocks.0.attn1.norm_q.lora_A.weight": torch.zeros(4, 48)}, "norm_q"),
        ({"text_encoder.blocks.0.lora_A.weight": torch.zeros(4, 48)}, "text_encoder"),
    ],
)
def test_keys_that_fit_nothing_are_named(
    network: Any, factors: Any, tmp_path: Path, extra: Tensors, named: str
) -> None:
    save_file(LAYOUTS["diffusers"](factors) | extra, file := tmp_path / "style.safetensors")
    with pytest.raises(ModelError, match=f"1 keys that fit no layer.*{named}"):
        with_loras(network, Lora(path=file))


def test_whole_differences_of_norms_and_biases_are_added(network: Any, factors: Any, tmp_path: Path) -> None:
    differences = {
        "diffusion_model.blocks.0.self_attn.q.diff_b": ("blocks.0.attn1.to_q.bias", 48),
        "diffusion_model.blocks.1.norm3.diff": ("blocks.1.norm2.weight", 48),
        "diffusion_model.vace_blocks.1.cross_attn.norm_k.diff": ("vace_blocks.1.attn2.norm_k.weight", 48),
        "diffusion_model.head.head.diff_b": ("proj_out.bias", 64),
    }
    extra = {key: torch.randn(size) * 0.2 for key, (_, size) in differences.items()}
    save_file(LAYOUTS["comfy"](factors) | extra, file := tmp_path / "style.safetensors")
    changed = copy.deepcopy(network)
    for key, (name, _) in differences.items():
        changed.get_parameter(name).data += 0.5 * extra[key]
    result = with_loras(network, Lora(path=file, strength=0.5))
    assert (result - merged(changed, (factors, 0.5))).abs().max() < 1e-5


def test_half_a_pair_is_refused(network: Any, factors: Any, tmp_path: Path) -> None:
    tensors = LAYOUTS["diffusers"](factors)
    del tensors["transformer.blocks.0.attn1.to_q.lora_B.weight"]
    save_file(tensors, file := tmp_path / "style.safetensors")
    with pytest.raises(ModelError, match=r"blocks\.0\.attn1\.to_q"):
        with_loras(network, Lora(path=file))


def test_a_lora_of_a_wider_network_is_refused(network: Any, tmp_path: Path) -> None:
    wide = {"blocks.0.attn1.to_q": (torch.zeros(4, 5120), torch.zeros(5120, 4))}
    save_file(LAYOUTS["diffusers"](wide), file := tmp_path / "style.safetensors")
    with pytest.raises(ModelError, match=r"blocks\.0\.attn1\.to_q"):
        with_loras(network, Lora(path=file))


def test_a_file_without_factors_is_refused(network: Any, tmp_path: Path) -> None:
    save_file({}, file := tmp_path / "style.safetensors")
    with pytest.raises(ModelError, match="holds no weights"):
        with_loras(network, Lora(path=file))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("style.pt", b"anything", "not a safetensors file"),
        ("style.safetensors", b"anything", "is broken"),
        ("style.safetensors", None, "is missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_before_loading(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        lora.check_files([Lora(path=file)])


def test_a_loaded_pipeline_follows_its_lora(checkpoint: Any, tmp_path: Path) -> None:
    from wangp_cli.pipelines import wan_load
    from wangp_cli.pipelines.base import Inputs, Placement

    network = tiny.transformer()
    save_file(LAYOUTS["musubi"](draw(network, 0)), file := tmp_path / "style.safetensors")
    shot, results = tiny.shot(), []
    for strength in (0.0, 0.5, None):
        loras = [] if strength is None else [Lora(path=file, strength=strength)]
        pipeline = wan_load.load(
            tiny.spec("t2v"), checkpoint("t2v"), Placement(), loras, tiny.Parts(), tiny.quiet
        )
        results.append(pipeline.denoise(shot, pipeline.encode(shot, Inputs(), tiny.quiet), tiny.quiet))
    assert torch.equal(results[0], results[2])
    assert not torch.equal(results[0], results[1])
