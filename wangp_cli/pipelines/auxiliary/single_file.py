"""Fill networks of tools from checkpoints of one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.auxiliary.known_networks import PREFIX, name_of_network
from wangp_cli.pipelines.checkpoints.files import PICKLES, SAFETENSORS, WeightFile, open_weights

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Weights


def open_single(weights: Weights) -> WeightFile:
    """Open the only weight file of a network.

    Raises:
        ModelError: there is none or several, it is broken, or it is a pickle and those are not allowed.
    """
    files = [file for _, several in weights.files for file in several]
    if not files:
        suffixes = (*SAFETENSORS, *PICKLES)
        files = [file for file in sorted(weights.folder.iterdir()) if file.suffix.lower() in suffixes]
    if len(files) != 1:
        listed = ", ".join(file.name for file in files) or "none"
        raise ModelError(
            f"{weights.folder} has not one weight file but {listed}",
            hint="wangp models add NAME FILE adds a model of one file",
        )
    return open_weights(files[0], allow_pickle=weights.allow_pickle)


def plain_keys(file: WeightFile) -> dict[str, str]:
    """The keys of a file by the names of parameters: those without the prefix of training on several GPUs."""
    return {key.removeprefix(PREFIX): key for key in file.tensor_info}


def other_network(
    file: WeightFile, keys: Iterable[str], wanted: str, *, hint: str | None = None
) -> ModelError:
    """The error for a file of another network than the one that is wanted; names it, if it is known."""
    name = name_of_network(keys) or "another network"
    return ModelError(f"{file.path} is {name}, not {wanted}", hint=hint)


def fill(
    network: nn.Module, file: WeightFile, keys: Mapping[str, str], title: str, device: str, dtype: torch.dtype
) -> None:
    """Give a network on the meta device exactly the tensors of a file.

    Args:
        network: on the meta device; its floating-point tensors get the dtype.
        file: the checkpoint.
        keys: keys of the file by names of the network's state dict.
        title: of the network, for messages.
        device: of the network.
        dtype: of the network.

    Raises:
        ModelError: names or shapes differ; the message has the first of them.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    stored = {name: file.tensor_info[key].shape for name, key in keys.items()}
    for name in sorted(wanted.keys() | stored.keys()):
        if wanted.get(name) != stored.get(name):
            found, expected = stored.get(name, "absent"), wanted.get(name, "no such tensor")
            raise ModelError(f"{file.path} is no complete {title}: {name} is {found}, expected {expected}")
    state = {}
    for name, key in keys.items():
        value = file.tensor(key)
        state[name] = value.to(device, dtype if value.is_floating_point() else value.dtype)
    network.load_state_dict(state, strict=True, assign=True)
