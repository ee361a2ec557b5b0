"""Read LoRA files of all common layouts and match every key to a network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError
from wangp_cli.files.safetensors_header import read_header
from wangp_cli.pipelines.checkpoints.files import SAFETENSORS, open_weights
from wangp_cli.pipelines.checkpoints.key_names import SHOWN_KEYS, KeyNames
from wangp_cli.pipelines.checkpoints.quantization_formats import parameters
from wangp_cli.pipelines.lora.keys import bare_name, by_transformer
from wangp_cli.pipelines.lora.match import LoraChanges, match_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

ALL_KEYS_AS_THEY_ARE = KeyNames(prefixes=())


def read(path: Path, network: Any, experts: int = 1) -> tuple[LoraChanges, ...]:
    """The changes of each transformer of a model by a LoRA file, whose keys must all match.

    Args:
        path: a safetensors file in any common layout.
        network: a diffusers model with the layers of every transformer, possibly on the meta device.
        experts: number of transformers.

    Raises:
        ModelError: the file is broken, has no weights, or has keys that do not match; names the first ones.
    """
    halves = match(*read_tensors(path), network, experts)
    rejected = {key: why for half in halves for key, why in half.rejected.items()}
    layers = layers_of(halves)
    if rejected:
        shown = ", ".join(f"{key} ({why})" for key, why in list(rejected.items())[:SHOWN_KEYS])
        fits = f"fits {layers} layers of this model, but not" if layers else "fits no layer of"
        raise ModelError(
            f"LoRA {path.name} {fits} {'with ' if layers else 'this model: '}{len(rejected)} keys: {shown}",
            hint=f"`wangp loras check {path}` explains every key",
        )
    if not layers:
        raise ModelError(f"LoRA {path.name} holds no weights for this model")
    return halves


def match(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], network: Any, experts: int
) -> tuple[LoraChanges, ...]:
    """The changes of each transformer by the tensors of a file; keys that do not match are in `rejected`.

    The transformers share one object if the file does not tell them apart.
    """
    numbers = by_transformer(tensors)
    if not any(numbers.values()):
        return (match_tensors(tensors, metadata, network),) * experts
    if experts == 1:
        reason = "is of one of two transformers, this model has one"
        return (LoraChanges(rejected=dict.fromkeys(tensors, reason)),)
    halves = [
        match_tensors({key: tensors[key] for key in tensors if numbers[key] == number}, metadata, network)
        for number in (1, 2)
    ]
    unnumbered = [key for key, number in numbers.items() if number is None]
    halves[0].rejected.update(dict.fromkeys(unnumbered, "does not say of which transformer it is, others do"))
    return tuple(halves)


def layers_of(halves: tuple[LoraChanges, ...]) -> int:
    """Number of layers and parameters that a file changes; those of a shared object count once."""
    return sum(half.layers for half in {id(half): half for half in halves}.values())


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The dequantised tensors of a LoRA file, and peft's configuration with ranks and alphas; {} without one.

    Raises:
        ModelError: it is missing, broken, not a safetensors file, or quantised in an unsupported format.
    """
    if path.suffix.lower() not in SAFETENSORS:
        raise ModelError(f"LoRA {path} is not a safetensors file")
    try:
        stored = parameters([open_weights(path)], ALL_KEYS_AS_THEY_ARE)
        tensors = {key: parameter.tensor() for key, parameter in stored.items()}
        header, _ = read_header(path)
    except ModelError as error:
        raise ModelError(f"LoRA {error.message}", hint=error.hint) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"LoRA {path} is broken: {error}") from error
    # peft saves its configuration in this file, in the folder of `adapter_model.safetensors`.
    config = path.with_name("adapter_config.json")
    try:
        if embedded := header.get("__metadata__", {}).get("lora_adapter_metadata"):
            metadata = json.loads(embedded)
        elif path.name == "adapter_model.safetensors" and config.is_file():
            metadata = json.loads(config.read_text(encoding="utf-8"))
        else:
            metadata = {}
        return tensors, {bare_name(key): value for key, value in metadata.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ModelError(f"LoRA {path.name} has metadata that cannot be read: {error}") from None
