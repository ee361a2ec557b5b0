"""Match the tensors of a LoRA file to the layers of a network."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.pipelines.checkpoints.network_classes import key_names
from wangp_cli.pipelines.lora.keys import PARTS, TEXT_ENCODERS, adapter_of, aliases, flat, split_key
from wangp_cli.pipelines.lora.parse import LoraMismatchError, change_of, shape_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wangp_cli.pipelines.lora.delta import Change

CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
WEIGHT, BIAS, SET_WEIGHT = "weight", "bias", "set_weight"
"""Parts that change a whole parameter: they are added to it, or replace it."""
FACTORS = (
    "down",
    "up",
    "up_bias",
    *(part for part in PARTS.values() if part[0] in "wh" and part[1].isdigit()),
)
"""Parts that only make sense together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LoraChanges:
    """The changes of a network by a LoRA file, by names of the network.

    Args:
        changes: changes by linear layer.
        differences: tensors to add, by parameter; files of some distilled models have them for norms,
            biases and modulation tables.
        replacements: new values by parameter.
        left_out: keys of layers for image conditioning, which this network does not have.
        rejected: reasons by key, for keys that match no layer or shape.
    """

    changes: dict[str, Change] = field(default_factory=dict)
    differences: dict[str, torch.Tensor] = field(default_factory=dict)
    replacements: dict[str, torch.Tensor] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> int:
        """Number of layers and parameters that it changes."""
        return len(self.changes) + len(self.parameters)

    @property
    def parameters(self) -> list[str]:
        """The parameters that it changes as a whole."""
        return [*self.differences, *self.replacements]

    @property
    def reads_weights(self) -> bool:
        """Whether its changes depend on the network's own weights."""
        return bool(self.parameters) or any(change.magnitude is not None for change in self.changes.values())

    def to(self, device: str, dtype: torch.dtype) -> LoraChanges:
        """A copy on a device, with factors in a dtype; whole parameters are float32."""
        return LoraChanges(
            changes={layer: change.to(device, dtype) for layer, change in self.changes.items()},
            differences={name: value.to(device, torch.float32) for name, value in self.differences.items()},
            replacements={name: value.to(device, torch.float32) for name, value in self.replacements.items()},
            left_out=self.left_out,
        )

    def add_difference(self, parameter: str, difference: torch.Tensor) -> None:
        """Add to a parameter, in addition to what is added already."""
        before = self.differences.get(parameter)
        self.differences[parameter] = difference if before is None else before.float() + difference.float()


def match_tensors(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], network: Any
) -> LoraChanges:
    """The changes of a network by the tensors of a LoRA file and peft's configuration.

    A second tensor for the same part of a layer is rejected: a file with several adapters does not say how
    to combine them.
    """
    layers = _NetworkLayers(network)
    content = LoraChanges()
    parts: dict[str, dict[str, torch.Tensor]] = {}
    keys: dict[tuple[str, str], str] = {}
    for key, tensor in tensors.items():
        raw, part = split_key(key)
        if layers.lacks_image_layer(key):
            content.left_out.append(key)
            continue
        try:
            _check(tensor, part)
            name = layers.own_name(raw)
            if first := keys.get((name, part)):
                raise LoraMismatchError(f"is for the same part of {name} as {first}")
            _check_adapter(key, name, part, keys)
        except LoraMismatchError as mismatch:
            content.rejected[key] = str(mismatch)
        else:
            parts.setdefault(name, {})[part] = tensor
            keys[name, part] = key
    for name, of_layer in parts.items():
        for group in _groups(of_layer):
            try:
                layers.add_change(content, name, group, metadata)
            except LoraMismatchError as mismatch:
                content.rejected[keys[name, next(iter(group))]] = str(mismatch)
    return content


def _check_adapter(key: str, name: str, part: str, keys: Mapping[tuple[str, str], str]) -> None:
    """Check that a factor is of the same adapter as the other factors of its layer.

    Raises:
        LoraMismatchError: it is not.
    """
    if part not in FACTORS:
        return
    for other in FACTORS:
        first = keys.get((name, other))
        if first and adapter_of(first) != adapter_of(key):
            raise LoraMismatchError(f"is of another adapter than {first}")


def _groups(parts: Mapping[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """The parts of a layer that are used together: whole parameters each alone, all factors together."""
    whole = [{part: parts[part]} for part in (WEIGHT, BIAS, SET_WEIGHT) if part in parts]
    factors = {part: value for part, value in parts.items() if part not in (WEIGHT, BIAS, SET_WEIGHT)}
    return [*whole, factors] if factors else whole


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
        self._own_names = aliases([*self._layers, *tables], self._original_name)
        self._has_image_layers = any(map(self._names.is_of_images, self._layers))

    def _original_name(self, name: str) -> str:
        return self._names.layer(name) if name in self._layers else self._names.parameter(name)

    def lacks_image_layer(self, key: str) -> bool:
        """Whether a key is of a layer for image conditioning, and the network has no such layers."""
        return not self._has_image_layers and self._names.is_of_images(key)

    def own_name(self, raw: str) -> str:
        """The network's name of a layer.

        Raises:
            LoraMismatchError: it has no such layer.
        """
        if own := self._own_names.get(flat(raw)):
            return own
        if raw.startswith(TEXT_ENCODERS):
            raise LoraMismatchError("is of a text encoder, which takes no LoRA")
        block = re.match(r"(vace_)?(blocks)[._](\d+)", raw)
        if block and not any(name.startswith(f"{block[1] or ''}blocks.{block[3]}.") for name in self._layers):
            raise LoraMismatchError(f"the network has no {block[1] or ''}block {block[3]}")
        raise LoraMismatchError("the network has no such layer")

    def add_change(
        self,
        content: LoraChanges,
        name: str,
        parts: Mapping[str, torch.Tensor],
        metadata: Mapping[str, Any],
    ) -> None:
        """Add what some parts change in a layer.

        Raises:
            LoraMismatchError: the parts do not fit the layer.
        """
        for part, tensor in parts.items():
            if part == SET_WEIGHT:
                parameter = self._parameter(name, WEIGHT, tensor)
                if parameter in content.differences:
                    raise LoraMismatchError("replaces a weight that the file changes too")
                content.replacements[parameter] = tensor
                return
            if part in (WEIGHT, BIAS):
                content.add_difference(self._parameter(name, part, tensor), tensor)
                return
        layer = self._layers.get(name)
        if not isinstance(layer, (torch.nn.Linear, *CONVOLUTIONS)):
            raise LoraMismatchError("only linear layers and convolutions take factors")
        if f"{name}.weight" in content.replacements:
            raise LoraMismatchError("changes a weight that the file replaces")
        weight: torch.Tensor = layer.weight
        outputs, inputs = weight.flatten(1).shape
        change = change_of(parts, (outputs, inputs), metadata, (name, self._original_name(name)))
        if isinstance(layer, torch.nn.Linear):
            content.changes[name] = change
            return
        if change.magnitude is not None:
            raise LoraMismatchError("a magnitude is supported for linear layers only")
        content.add_difference(f"{name}.weight", change.delta.dense().reshape(weight.shape))
        if change.bias is not None:
            content.add_difference(self._parameter(name, BIAS, change.bias), change.bias)

    def _parameter(self, name: str, part: str, tensor: torch.Tensor) -> str:
        """The parameter that a tensor of its shape changes.

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
