"""Reading LoRA files: every layout in use, and no key left out in silence."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.key_names import SHOWN_KEYS
from wangp_cli.pipelines.checkpoints.network_classes import key_names
from wangp_cli.pipelines.lora.keys import TEXT_ENCODERS, aliases, bare_name, split_key
from wangp_cli.pipelines.lora.parse import MisfitError, change_of, sides_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wangp_cli.pipelines.lora.delta import Change

WHOLE = ("weight", "bias")
"""Parts that hold a whole difference of a parameter."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LoraFile:
    """The changes of a network by a LoRA file, by the network's own names.

    Args:
        changes: by linear layer.
        differences: by parameter, added as they are; some distilled models bring them for norms, biases and
            tables.
        left_out: keys of layers for pictures, which this network has no place for.
        rejected: keys that fit nothing, and why.
    """

    changes: dict[str, Change] = field(default_factory=dict)
    differences: dict[str, torch.Tensor] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> int:
        """How many layers and parameters it changes."""
        return len(self.changes) + len(self.differences)

    @property
    def reads_weights(self) -> bool:
        """Whether what it adds depends on the network's own weights."""
        return bool(self.differences) or any(change.magnitude is not None for change in self.changes.values())

    def to(self, device: str, dtype: torch.dtype) -> LoraFile:
        """The same on a device, factors in a dtype; whole differences stay float32."""
        return LoraFile(
            changes={layer: change.to(device, dtype) for layer, change in self.changes.items()},
            differences={name: delta.to(device, torch.float32) for name, delta in self.differences.items()},
            left_out=self.left_out,
        )


def read(path: Path, network: Any) -> LoraFile:
    """The changes of a network by a LoRA file, all of whose keys must fit.

    Args:
        path: a safetensors file in any common layout.
        network: the diffusers model, with or without its weights in memory.

    Raises:
        ModelError: the file is broken or holds no weights, or some keys fit nothing; names them.
    """
    found = match(path, network)
    if found.rejected:
        shown = ", ".join(f"{key} ({why})" for key, why in list(found.rejected.items())[:SHOWN_KEYS])
        fits = f"fits {found.layers} layers of this model, but not" if found.layers else "fits no layer of"
        count = len(found.rejected)
        raise ModelError(
            f"LoRA {path.name} {fits} {'with ' if found.layers else 'this model: '}{count} keys: {shown}",
            hint=f"`wangp loras check {path}` explains every key",
        )
    if not found.layers:
        raise ModelError(f"LoRA {path.name} holds no weights for this model")
    return found


def match(path: Path, network: Any) -> LoraFile:
    """The changes of a network by a LoRA file; keys that do not fit are in `rejected`.

    Raises:
        ModelError: the file is broken.
    """
    return fit(*tensors_of(path), network)


def fit(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], network: Any) -> LoraFile:
    """The changes of a network by tensors of a LoRA and its metadata."""
    places = _Places(network)
    found = LoraFile()
    parts: dict[str, dict[str, torch.Tensor]] = {}
    keys: dict[str, str] = {}
    for key, tensor in tensors.items():
        raw, part = split_key(key)
        if places.needs_no_images(key):
            found.left_out.append(key)
            continue
        try:
            _check(tensor, part)
            name = places.named(raw)
            if part in WHOLE:
                found.differences[places.parameter(name, part, tensor)] = tensor
            else:
                parts.setdefault(name, {})[part] = tensor
                keys.setdefault(name, key)
        except MisfitError as misfit:
            found.rejected[key] = str(misfit)
    for name, held in parts.items():
        try:
            layer = places.linear(name)
            found.changes[name] = change_of(held, (layer.out_features, layer.in_features), metadata, name)
        except MisfitError as misfit:
            found.rejected[keys[name]] = str(misfit)
    return found


class _Places:
    """The layers and parameters of a network, by every name that a file may use."""

    def __init__(self, network: Any) -> None:
        self._layers = {
            name: layer
            for name, layer in network.named_modules()
            if getattr(layer, "weight", None) is not None
        }
        self._parameters = dict(network.named_parameters())
        tables = (name for name in self._parameters if name.rpartition(".")[0] not in self._layers)
        self._names = key_names(type(network).__name__)
        self._known = aliases([*self._layers, *tables], self._names.layer)
        self._has_image_layers = any(map(self._names.is_of_images, self._layers))

    def needs_no_images(self, key: str) -> bool:
        """Whether a key is of a layer for images, and the network has none."""
        return not self._has_image_layers and self._names.is_of_images(key)

    def named(self, raw: str) -> str:
        """The network's own name."""
        if raw in self._known:
            return self._known[raw]
        if raw.startswith(TEXT_ENCODERS):
            raise MisfitError("is of a text encoder, which takes no LoRA")
        block = re.match(r"(vace_)?(blocks)[._](\d+)", raw)
        if block and not any(name.startswith(f"{block[1] or ''}blocks.{block[3]}.") for name in self._layers):
            raise MisfitError(f"the network has no {block[1] or ''}block {block[3]}")
        raise MisfitError("the network has no such layer")

    def linear(self, name: str) -> torch.nn.Linear:
        """A layer that factors can change."""
        layer = self._layers.get(name)
        if not isinstance(layer, torch.nn.Linear):
            raise MisfitError("only linear layers take factors")
        return layer

    def parameter(self, name: str, part: str, tensor: torch.Tensor) -> str:
        """The parameter that a whole difference is of."""
        own = f"{name}.{part}" if name in self._layers else name
        if own not in self._parameters:
            raise MisfitError(f"the layer has no {part}")
        if self._parameters[own].shape != tensor.shape:
            raise MisfitError(f"is {sides_of(tensor)}, the network has {sides_of(self._parameters[own])}")
        return own


def _check(tensor: torch.Tensor, part: str) -> None:
    if not part:
        raise MisfitError("holds nothing that is known, such as the factors of LoRA or LoKr")
    if not torch.isfinite(tensor.float()).all():
        raise MisfitError("is not finite")


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


def tensors_of(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """A LoRA file's tensors, and its metadata of ranks and alphas.

    Raises:
        ModelError: it is missing, broken or of another kind.
    """
    with opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        inside = (file.metadata() or {}).get("lora_adapter_metadata")
    # peft keeps these numbers in a file of this name, next to its own `adapter_model.safetensors`.
    beside = path.with_name("adapter_config.json")
    try:
        if inside:
            said = json.loads(inside)
        elif path.name == "adapter_model.safetensors" and beside.is_file():
            said = json.loads(beside.read_text(encoding="utf-8"))
        else:
            said = {}
        return tensors, {bare_name(key): value for key, value in said.items()}
    except (ValueError, AttributeError) as error:
        raise ModelError(f"LoRA {path.name} has metadata that cannot be read: {error}") from None
