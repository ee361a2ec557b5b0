"""LoRA files on a network: every layout in use, and no key left out in silence."""

from __future__ import annotations

import json
import logging
import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.lora_names import DOWN, FACTOR, aliases, bare_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wangp_cli.pipelines.base import Lora

log = logging.getLogger(__name__)

SHOWN_KEYS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """What a file says about one layer: `up @ down` is added to its weight.

    Args:
        down: `[rank, in]`.
        up: `[out, rank]`.
        alpha: the file's own scale, over the rank; None is the rank itself.
    """

    down: torch.Tensor
    up: torch.Tensor
    alpha: float | None = None


def apply(network: Any, loras: Sequence[Lora]) -> None:
    """Load LoRA files onto a diffusers network and set their strengths.

    Raises:
        ModelError: a file is missing or broken, or holds keys that fit no layer of the network.
    """
    names = []
    for number, lora in enumerate(loras):
        names.append(f"lora{number}")
        _load(network, lora.path, names[-1])
    if names:
        network.set_adapters(names, [lora.strength for lora in loras])


def check_files(loras: Sequence[Lora]) -> None:
    """Refuse LoRA files that are missing, broken or pickles.

    Raises:
        ModelError: naming the file.
    """
    for lora in loras:
        with _opened(lora.path):
            pass


def read_factors(path: Path, layers: Mapping[str, Any]) -> dict[str, Factors]:
    """The factors in a LoRA file, by the network's own names of its layers.

    Args:
        path: a safetensors file in any common layout.
        layers: the network's linear layers by name.

    Raises:
        ModelError: some keys fit no layer, or there are none that do.
    """
    tensors, metadata = _read(path)
    known = aliases(layers)
    halves: dict[str, dict[str, torch.Tensor]] = {}
    alphas: dict[str, float] = {}
    unmatched = []
    for key, tensor in tensors.items():
        match = FACTOR.search(key)
        layer = known.get(bare_name(key[: match.start()] if match else key.removesuffix(".alpha")))
        if layer is None or not (match or key.endswith(".alpha")):
            unmatched.append(key)
        elif match:
            halves.setdefault(layer, {})["down" if match[1] in DOWN else "up"] = tensor
        else:
            alphas[layer] = float(tensor)
    unmatched += [key for key in alphas if key not in halves]
    unmatched += [layer for layer, pair in halves.items() if not _fits(pair, layers[layer])]
    if unmatched or not halves:
        _refuse(path, unmatched)
    return {
        layer: Factors(**pair, alpha=alphas.get(layer, _alpha_in(metadata, layer, pair["down"].shape[0])))
        for layer, pair in halves.items()
    }


def _load(network: Any, path: Path, adapter: str) -> None:
    # An adapter loaded before wraps a layer and keeps the plain one inside.
    layers = {
        name.removesuffix(".base_layer"): layer
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear) and not re.search(r"\.lora_[AB]\.", name)
    }
    factors = read_factors(path, layers)
    state = {}
    for layer, pair in factors.items():
        rank = pair.down.shape[0]
        scale = 1.0 if pair.alpha is None else pair.alpha / rank
        state[f"{layer}.lora_A.weight"] = pair.down.float()
        state[f"{layer}.lora_B.weight"] = pair.up.float() * scale
    try:
        with warnings.catch_warnings():
            # More than one LoRA at a time is what we want.
            warnings.filterwarnings("ignore", "Already found a `peft_config`")
            network.load_lora_adapter(state, prefix=None, adapter_name=adapter)
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"LoRA {path.name} cannot be loaded: {error}") from error
    adapted = sum(
        isinstance(layer, BaseTunerLayer) and adapter in layer.lora_A for layer in network.modules()
    )
    if adapted != len(factors):
        raise ModelError(f"LoRA {path.name} has {len(factors)} pairs, but {adapted} layers took one")
    log.info("loaded LoRA %s onto %d layers", path.name, adapted)


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and what is said about ranks and alphas beside them."""
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        inside = (file.metadata() or {}).get("lora_adapter_metadata")
    if inside:
        metadata = json.loads(inside)
        return tensors, {key.removeprefix("transformer."): value for key, value in metadata.items()}
    # peft keeps these numbers in a file of this name, next to its own `adapter_model.safetensors`.
    beside = path.with_name("adapter_config.json")
    if path.name == "adapter_model.safetensors" and beside.is_file():
        return tensors, dict(json.loads(beside.read_text(encoding="utf-8")))
    return tensors, {}


def _opened(path: Path) -> Any:
    if path.suffix not in (".safetensors", ".sft"):
        raise ModelError(f"LoRA {path} is not a safetensors file")
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise ModelError(f"LoRA {path} is missing") from None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"LoRA {path} is broken: {error}") from error


def _alpha_in(metadata: Mapping[str, Any], layer: str, rank: int) -> float | None:
    """The alpha that metadata states for a layer, after peft's rules."""
    alpha = metadata.get("lora_alpha")
    for pattern, value in (metadata.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", layer):
            alpha = value
    if alpha is None:
        return None
    return float(alpha) * math.sqrt(rank) if metadata.get("use_rslora") else float(alpha)


def _fits(pair: Mapping[str, torch.Tensor], layer: Any) -> bool:
    return (
        set(pair) == {"down", "up"}
        and pair["down"].ndim == pair["up"].ndim == 2
        and pair["down"].shape == (pair["up"].shape[1], layer.in_features)
        and pair["up"].shape[0] == layer.out_features
    )


def _refuse(path: Path, unmatched: list[str]) -> None:
    if not unmatched:
        raise ModelError(f"LoRA {path.name} holds no pair of factors")
    shown = ", ".join(sorted(unmatched)[:SHOWN_KEYS])
    raise ModelError(f"LoRA {path.name} has {len(unmatched)} keys that fit no layer of this model: {shown}")
