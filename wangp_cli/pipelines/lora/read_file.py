"""Read LoRA files of all common layouts and match every key to a network."""

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
from wangp_cli.pipelines.lora.parse import LoraMismatchError, change_of, shape_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wangp_cli.pipelines.lora.delta import Change

PARAMETER_PARTS = ("weight", "bias")
"""Parts with the full difference of a parameter."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LoraFile:
    """The changes of a network by a LoRA file, by names of the network.

    Args:
        changes: changes by linear layer.
        differences: tensors to add, by parameter; files of some distilled models have them for norms,
            biases and modulation tables.
        left_out: keys of layers for image conditioning, which this network does not have.
        rejected: reasons by key, for keys that match no layer or shape.
    """

    changes: dict[str, Change] = field(default_factory=dict)
    differences: dict[str, torch.Tensor] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> int:
        """Number of layers and parameters that it changes."""
        return len(self.changes) + len(self.differences)

    @property
    def reads_weights(self) -> bool:
        """Whether its changes depend on the network's own weights."""
        return bool(self.differences) or any(change.magnitude is not None for change in self.changes.values())

    def to(self, device: str, dtype: torch.dtype) -> LoraFile:
        """A copy on a device, with factors in a dtype; full differences stay float32."""
        return LoraFile(
            changes={layer: change.to(device, dtype) for layer, change in self.changes.items()},
            differences={name: delta.to(device, torch.float32) for name, delta in self.differences.items()},
            left_out=self.left_out,
        )


def read(path: Path, network: Any) -> LoraFile:
    """The changes of a network by a LoRA file, whose keys must all match.

    Args:
        path: a safetensors file in any common layout.
        network: the diffusers model, possibly on the meta device.

    Raises:
        ModelError: the file is broken, has no weights, or has keys that do not match; names the first ones.
    """
    content = match(path, network)
    if content.rejected:
        shown = ", ".join(f"{key} ({why})" for key, why in list(content.rejected.items())[:SHOWN_KEYS])
        fits = (
            f"fits {content.layers} layers of this model, but not" if content.layers else "fits no layer of"
        )
        count = len(content.rejected)
        raise ModelError(
            f"LoRA {path.name} {fits} {'with ' if content.layers else 'this model: '}{count} keys: {shown}",
            hint=f"`wangp loras check {path}` explains every key",
        )
    if not content.layers:
        raise ModelError(f"LoRA {path.name} holds no weights for this model")
    return content


def match(path: Path, network: Any) -> LoraFile:
    """The changes of a network by a LoRA file; keys that do not match are in `rejected`.

    Raises:
        ModelError: the file is broken.
    """
    return match_tensors(*read_tensors(path), network)


def match_tensors(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], network: Any) -> LoraFile:
    """The changes of a network by the tensors of a LoRA file and peft's configuration."""
    layers = _NetworkLayers(network)
    content = LoraFile()
    parts: dict[str, dict[str, torch.Tensor]] = {}
    keys: dict[str, str] = {}
    for key, tensor in tensors.items():
        raw, part = split_key(key)
        if layers.lacks_image_layer(key):
            content.left_out.append(key)
            continue
        try:
            _check(tensor, part)
            name = layers.own_name(raw)
            if part in PARAMETER_PARTS:
                content.differences[layers.parameter(name, part, tensor)] = tensor
            else:
                parts.setdefault(name, {})[part] = tensor
                keys.setdefault(name, key)
        except LoraMismatchError as mismatch:
            content.rejected[key] = str(mismatch)
    for name, of_layer in parts.items():
        try:
            layer = layers.linear(name)
            content.changes[name] = change_of(
                of_layer, (layer.out_features, layer.in_features), metadata, name
            )
        except LoraMismatchError as mismatch:
            content.rejected[keys[name]] = str(mismatch)
    return content


class _NetworkLayers:
    """The layers and parameters of a network by every name that a file may use."""

    def __init__(self, network: Any) -> None:
        self._layers = {
            name: layer
            for name, layer in network.named_modules()
            if getattr(layer, "weight", None) is not None
        }
        self._parameters = dict(network.named_parameters())
        tables = (name for name in self._parameters if name.rpartition(".")[0] not in self._layers)
        self._names = key_names(type(network).__name__)
        self._own_names = aliases([*self._layers, *tables], self._names.layer)
        self._has_image_layers = any(map(self._names.is_of_images, self._layers))

    def lacks_image_layer(self, key: str) -> bool:
        """Whether a key is of a layer for image conditioning, and the network has no such layers."""
        return not self._has_image_layers and self._names.is_of_images(key)

    def own_name(self, raw: str) -> str:
        """The network's name of a layer.

        Raises:
            LoraMismatchError: it has no such layer.
        """
        if raw in self._own_names:
            return self._own_names[raw]
        if raw.startswith(TEXT_ENCODERS):
            raise LoraMismatchError("is of a text encoder, which takes no LoRA")
        block = re.match(r"(vace_)?(blocks)[._](\d+)", raw)
        if block and not any(name.startswith(f"{block[1] or ''}blocks.{block[3]}.") for name in self._layers):
            raise LoraMismatchError(f"the network has no {block[1] or ''}block {block[3]}")
        raise LoraMismatchError("the network has no such layer")

    def linear(self, name: str) -> torch.nn.Linear:
        """A linear layer by name.

        Raises:
            LoraMismatchError: the layer is of another type, which factors cannot change.
        """
        layer = self._layers.get(name)
        if not isinstance(layer, torch.nn.Linear):
            raise LoraMismatchError("only linear layers take factors")
        return layer

    def parameter(self, name: str, part: str, tensor: torch.Tensor) -> str:
        """The parameter that a full difference changes.

        Raises:
            LoraMismatchError: there is none, or it has another shape.
        """
        own = f"{name}.{part}" if name in self._layers else name
        if own not in self._parameters:
            raise LoraMismatchError(f"the layer has no {part}")
        if self._parameters[own].shape != tensor.shape:
            raise LoraMismatchError(
                f"is {shape_text(tensor)}, the network has {shape_text(self._parameters[own])}"
            )
        return own


def _check(tensor: torch.Tensor, part: str) -> None:
    if not part:
        raise LoraMismatchError("is of no known part, such as the factors of LoRA or LoKr")
    if not torch.isfinite(tensor.float()).all():
        raise LoraMismatchError("is not finite")


def open_lora(path: Path) -> Any:
    """Open a LoRA file.

    Raises:
        ModelError: it is missing, broken or not a safetensors file.
    """
    if path.suffix not in (".safetensors", ".sft"):
        raise ModelError(f"LoRA {path} is not a safetensors file")
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise ModelError(f"LoRA {path} is missing") from None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"LoRA {path} is broken: {error}") from error


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors of a LoRA file, and peft's configuration with ranks and alphas; {} without one.

    Raises:
        ModelError: it is missing, broken or not a safetensors file.
    """
    with open_lora(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        embedded = (file.metadata() or {}).get("lora_adapter_metadata")
    # peft saves its configuration in this file, in the folder of `adapter_model.safetensors`.
    config = path.with_name("adapter_config.json")
    try:
        if embedded:
            metadata = json.loads(embedded)
        elif path.name == "adapter_model.safetensors" and config.is_file():
            metadata = json.loads(config.read_text(encoding="utf-8"))
        else:
            metadata = {}
        return tensors, {bare_name(key): value for key, value in metadata.items()}
    except (ValueError, AttributeError) as error:
        raise ModelError(f"LoRA {path.name} has metadata that cannot be read: {error}") from None
