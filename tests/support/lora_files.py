"""LoRA files of every layout, and the dense merge that they must equal."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.support import tiny
from wangp_cli.pipelines.base import Lora
from wangp_cli.pipelines.lora.adapters import LoraAdapters
from wangp_cli.pipelines.wan.key_names import original_layer
from wangp_cli.tasks.lora_strength import Strength

RANK, ALPHA = 4, 2.0
Tensors = dict[str, torch.Tensor]
Factors = dict[str, tuple[torch.Tensor, torch.Tensor]]
PEFT = (".lora_A.weight", ".lora_B.weight")
DEFAULT = (".lora_A.default.weight", ".lora_B.default.weight")
KOHYA = (".lora_down.weight", ".lora_up.weight")
CONDITION = "condition_embedder.text_embedder.linear_1"


@dataclass(frozen=True)
class Now:
    """A step of a run."""

    index: int = 0
    steps: int = 1
    phase: int = 0
    phase_index: int = 0
    phase_steps: int = 1


def vace() -> Any:
    """A tiny VACE network."""
    return tiny.transformer("WanVACETransformer3DModel", vace_layers=[0, 1], vace_in_channels=96)


def draw(network: Any, seed: int = 0, only: str = "") -> Factors:
    """Random factors for every linear layer of the blocks, and two outside them; or for some of these."""
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Linear) and ("blocks." in name or name in (CONDITION, "proj_out")):
            pair = (
                torch.randn(RANK, layer.in_features, generator=random) * 0.2,
                torch.randn(layer.out_features, RANK, generator=random) * 0.2,
            )
            if only in name:
                found[name] = pair
    return found


def dense(factors: Factors, scale: float = 1.0) -> Tensors:
    """The weight differences of factors, by parameter."""
    return {f"{name}.weight": scale * (up @ down) for name, (down, up) in factors.items()}


def output(network: Any) -> torch.Tensor:
    """The output of a network for fixed noise."""
    random = torch.Generator().manual_seed(1)
    channels = network.config.in_channels
    inputs = {
        "hidden_states": torch.randn(1, channels, 2, 4, 4, generator=random),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 6, 32, generator=random),
    }
    if "vace_layers" in network.config:
        inputs["control_hidden_states"] = torch.randn(1, 96, 2, 4, 4, generator=random)
    with torch.no_grad():
        answer: torch.Tensor = network(**inputs, return_dict=False)[0]
    return answer


def merged(network: Any, *differences: Tensors) -> torch.Tensor:
    """The output of a network with changed weights."""
    network = copy.deepcopy(network)
    for each in differences:
        for name, difference in each.items():
            network.get_parameter(name).data += difference
    return output(network)


def adapted(network: Any, *loras: Lora, now: Now | None = None) -> torch.Tensor:
    """The output of a network with active LoRAs, which must leave its weights bit-equal."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    adapters = LoraAdapters([network], "cpu", torch.float32)
    adapters.set_loras(loras)
    adapters.set_step(now or Now())
    answer = output(network)
    adapters.remove_all()
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(module._forward_hooks for module in network.modules())
    return answer


def layout(
    prefix: str, names: Sequence[str], rename: Callable[[str], str], alpha: bool = False
) -> Callable[[Factors], Tensors]:
    """A function that writes factors with a tool's prefix, suffixes and layer names."""
    down, up = names

    def tensors(factors: Factors) -> Tensors:
        state = {}
        for name, (first, second) in factors.items():
            state[f"{prefix}{rename(name)}{down}"] = first
            state[f"{prefix}{rename(name)}{up}"] = second
            if alpha:
                state[f"{prefix}{rename(name)}.alpha"] = torch.tensor(ALPHA)
        return state

    return tensors


def same(name: str) -> str:
    """Names of diffusers."""
    return name


def flat(name: str) -> str:
    """Original names without dots."""
    return original_layer(name).replace(".", "_")


LAYOUTS = {
    "diffusers": layout("transformer.", PEFT, same),
    "no prefix": layout("", PEFT, same),
    "peft": layout("base_model.model.", PEFT, same),
    "peft over diffusers": layout("base_model.model.transformer.", PEFT, same),
    "diffusers attention": layout("transformer.", ("_lora.down.weight", "_lora.up.weight"), same),
    "comfy": layout("diffusion_model.", PEFT, original_layer),
    "comfy default": layout("diffusion_model.", DEFAULT, original_layer),
    "comfy down up": layout("diffusion_model.", KOHYA, original_layer),
    "comfy alpha": layout("diffusion_model.", KOHYA, original_layer, alpha=True),
    "comfy checkpoint": layout("model.diffusion_model.", PEFT, original_layer),
    "original": layout("", PEFT, original_layer),
    "original default": layout("", DEFAULT, original_layer),
    "original named": layout("", (".lora.A.weight", ".lora.B.weight"), original_layer),
    "diffsynth": layout("pipe.dit.", DEFAULT, original_layer),
    "musubi alpha": layout("lora_unet_", KOHYA, flat, alpha=True),
    "musubi": layout("lora_unet_", KOHYA, flat),
    "kohya double": layout("lora_unet__", KOHYA, flat, alpha=True),
    "kohya diffusers": layout("lora_transformer_", KOHYA, lambda name: name.replace(".", "_"), alpha=True),
}


def saved(folder: Path, tensors: Tensors, strength: str = "1", **metadata: str) -> Lora:
    file = folder / f"style{len(list(folder.iterdir()))}.safetensors"
    save_file({key: value.clone() for key, value in tensors.items()}, file, metadata=metadata or None)
    return Lora(path=file, strength=Strength.parse(strength))
