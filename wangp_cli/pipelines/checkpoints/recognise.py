"""Telling which network a file of weights is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.checkpoints.files import open_weights
from wangp_cli.pipelines.checkpoints.network_classes import key_names
from wangp_cli.pipelines.checkpoints.number_formats import parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wangp_cli.models import Network
    from wangp_cli.pipelines.checkpoints.files import WeightFile


def recognise(
    files: Sequence[Path], networks: Iterable[Network], *, allow_pickle: bool = False
) -> list[Network]:
    """The networks whose parameters these files hold, all of them and nothing else.

    Raises:
        ModelError: they are of none; the message tells what the nearest lacks.
    """
    opened = [open_weights(file, allow_pickle=allow_pickle) for file in files]
    file_names = ", ".join(file.name for file in files)
    facts, near = _of_like_size(opened, list(networks), file_names)
    fitting, reasons = [], []
    for network in near:
        try:
            TransformerFiles(network, files, allow_pickle=allow_pickle)
        except ModelError as error:
            reasons.append(error.message)
        else:
            fitting.append(network)
    if not fitting:
        reason = reasons[0] if reasons else "no network of the catalogue is like it"
        raise ModelError(f"{file_names} is of no network that is known: {facts}; {reason}")
    return fitting


def _of_like_size(
    opened: Sequence[WeightFile], networks: Sequence[Network], file_names: str
) -> tuple[str, list[Network]]:
    """The size of the network in files, for people, and the networks of that size."""
    families = {names.family: names for names in map(key_names, {network.kind for network in networks})}
    for names in families.values():
        found = parameters(opened, names)
        if names.input_layer in found:
            width, channels = found[names.input_layer].shape[:2]
            layers = len({name.split(".")[1] for name in found if name.startswith("blocks.")})
            near = [network for network in networks if _is_of_size(network, width, channels, layers)]
            return f"{layers} blocks, {width} wide, {channels} channels", near
    layer = " or ".join(names.input_layer for names in families.values())
    title = " or ".join(families)
    raise ModelError(f"{file_names} has no {layer}, so it is no {title} transformer, or only a module of one")


def _is_of_size(network: Network, width: int, channels: int, layers: int) -> bool:
    config = network.config
    return (network.width, config.get("in_channels"), config.get("num_layers")) == (width, channels, layers)
