"""Reading LoRA files: every layout in use, and no key left out in silence."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.lora_names import DOWN, FACTOR, aliases, bare_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHOWN_KEYS = 3
DELTAS = {".diff": "weight", ".diff_b": "bias"}
"""Endings of keys that hold a whole difference, and the parameter it is of."""


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

    @property
    def scaled_up(self) -> torch.Tensor:
        """`up` with the file's own scale in it, float32."""
        scale = 1.0 if self.alpha is None else self.alpha / self.down.shape[0]
        return self.up.float() * scale


@dataclass(frozen=True, kw_only=True, eq=False)
class LoraFile:
    """The content of a LoRA file, by the network's own names.

    Args:
        factors: by layer.
        deltas: by parameter, added as they are; some distilled models bring them for norms and biases.
    """

    factors: dict[str, Factors] = field(default_factory=dict)
    deltas: dict[str, torch.Tensor] = field(default_factory=dict)


def opened(path: Path) -> Any:
    """An open safetensors file.

    Raises:
        ModelError: it is missing, broken or of another kind.
    """
    if path.suffix not in (".safetensors", ".sft"):
        raise ModelError(f"LoRA {path} is not a safetensors file")
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise ModelError(f"LoRA {path} is missing") from None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"LoRA {path} is broken: {error}") from error


def read(path: Path, layers: Mapping[str, Any]) -> LoraFile:
    """What a LoRA file says about a network.

    Args:
        path: a safetensors file in any common layout.
        layers: the network's layers by name.

    Raises:
        ModelError: some keys fit no layer, or the file is empty.
    """
    tensors, metadata = _read(path)
    known = aliases(layers)
    halves: dict[str, dict[str, torch.Tensor]] = {}
    alphas: dict[str, float] = {}
    deltas: dict[str, torch.Tensor] = {}
    unmatched = []
    for key, tensor in tensors.items():
        name, part = _split(key)
        layer = known.get(bare_name(name))
        if layer is None:
            unmatched.append(key)
        elif part in ("down", "up"):
            halves.setdefault(layer, {})[part] = tensor
        elif part == "alpha":
            alphas[layer] = float(tensor)
        elif part and _delta_fits(tensor, layers[layer], part):
            deltas[f"{layer}.{part}"] = tensor
        else:
            unmatched.append(key)
    unmatched += [layer for layer in alphas if layer not in halves]
    unmatched += [layer for layer, pair in halves.items() if not _pair_fits(pair, layers[layer])]
    if unmatched:
        shown = ", ".join(sorted(unmatched)[:SHOWN_KEYS])
        raise ModelError(
            f"LoRA {path.name} has {len(unmatched)} keys that fit no layer of this model: {shown}"
        )
    if not halves and not deltas:
        raise ModelError(f"LoRA {path.name} holds no weights")
    factors = {
        layer: Factors(**pair, alpha=alphas.get(layer, _alpha_in(metadata, layer, pair["down"].shape[0])))
        for layer, pair in halves.items()
    }
    return LoraFile(factors=factors, deltas=deltas)


def _split(key: str) -> tuple[str, str]:
    """A key's layer and what it holds: `down`, `up`, `alpha`, `weight`, `bias` or nothing we know."""
    if match := FACTOR.search(key):
        return key[: match.start()], "down" if match[1] in DOWN else "up"
    if key.endswith(".alpha"):
        return key.removesuffix(".alpha"), "alpha"
    name, dot, ending = key.rpartition(".")
    return name, DELTAS.get(dot + ending, "")


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors, and what is said about ranks and alphas beside them."""
    with opened(path) as file:
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


def _alpha_in(metadata: Mapping[str, Any], layer: str, rank: int) -> float | None:
    """The alpha that metadata states for a layer, after peft's rules."""
    alpha = metadata.get("lora_alpha")
    for pattern, value in (metadata.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", layer):
            alpha = value
    if alpha is None:
        return None
    return float(alpha) * math.sqrt(rank) if metadata.get("use_rslora") else float(alpha)


def _pair_fits(pair: Mapping[str, torch.Tensor], layer: Any) -> bool:
    return (
        isinstance(layer, torch.nn.Linear)
        and set(pair) == {"down", "up"}
        and pair["down"].ndim == pair["up"].ndim == 2
        and pair["down"].shape == (pair["up"].shape[1], layer.in_features)
        and pair["up"].shape[0] == layer.out_features
    )


def _delta_fits(delta: torch.Tensor, layer: Any, parameter: str) -> bool:
    found = getattr(layer, parameter, None)
    return found is not None and found.shape == delta.shape
