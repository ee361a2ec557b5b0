"""Recognise the network that weight files belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.checkpoints.files import open_network
from wangp_cli.pipelines.checkpoints.network_classes import key_names
from wangp_cli.pipelines.checkpoints.quantization_formats import parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wangp_cli.models import Network
    from wangp_cli.pipelines.checkpoints.files import WeightFile


def recognise(
    files: Sequence[Path], networks: Iterable[Network], *, allow_pickle: bool = False
) -> list[Network]:
    """The networks whose state dict has exactly the parameters of these files.

    Args:
        files: weight files that together hold one network.
        networks: the candidates.
        allow_pickle: also read pickles, with `weights_only`.

    Raises:
        ModelError: none matches; the message says how the first candidate of the same size differs.
    """
    opened = open_network(files, allow_pickle=allow_pickle)
    file_names = ", ".join(file.name for file in files)
    facts, candidates = _of_same_size(opened, list(networks), file_names)
    matching, reasons = [], []
    for network in candidates:
        try:
            TransformerFiles(network, files, allow_pickle=allow_pickle)
        except ModelError as error:
            reasons.append(error.message)
        else:
            matching.append(network)
    if not matching:
        reason = reasons[0] if reasons else "no network of the catalogue has that size"
        raise ModelError(f"{file_names} matches no known network: {facts}; {reason}")
    return matching


def _of_same_size(
    opened: Sequence[WeightFile], networks: Sequence[Network], file_names: str
) -> tuple[str, list[Network]]:
    """A description of the size of the network in files, and the networks of that size.

    Raises:
        ModelError: the files lack the input layer of every family.
    """
    families = {names.family: names for names in map(key_names, {network.kind for network in networks})}
    for names in families.values():
        stored = parameters(opened, names)
        if names.input_layer in stored:
            width, channels = stored[names.input_layer].shape[:2]
            layers = len({name.split(".")[1] for name in stored if name.startswith("blocks.")})
            same = [network for network in networks if _has_size(network, width, channels, layers)]
            return f"{layers} blocks, {width} wide, {channels} channels", same
    layer = " or ".join(names.input_layer for names in families.values())
    title = " or ".join(families)
    raise ModelError(f"{file_names} has no {layer}, so it is no {title} transformer, or only a module of one")


def _has_size(network: Network, width: int, channels: int, layers: int) -> bool:
    config = network.config
    return (network.width, config.get("in_channels"), config.get("num_layers")) == (width, channels, layers)
