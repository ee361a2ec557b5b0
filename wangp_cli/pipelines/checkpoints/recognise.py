"""Telling which network a file of weights is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.checkpoints.files import open_weights
from wangp_cli.pipelines.checkpoints.number_formats import parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wangp_cli.models import Network

FIRST = "patch_embedding.weight"


def recognise(
    files: Sequence[Path], networks: Iterable[Network], *, allow_pickle: bool = False
) -> list[Network]:
    """The networks whose parameters these files hold, all of them and nothing else.

    Raises:
        ModelError: they are of none; the message tells what the nearest lacks.
    """
    found = parameters([open_weights(file, allow_pickle=allow_pickle) for file in files])
    names = ", ".join(file.name for file in files)
    if FIRST not in found:
        raise ModelError(f"{names} has no {FIRST}, so it is no Wan transformer, or only a module of one")
    width, channels = found[FIRST].shape[:2]
    layers = len({name.split(".")[1] for name in found if name.startswith("blocks.")})
    near = [network for network in networks if _near(network, width, channels, layers)]
    fitting, reasons = [], []
    for network in near:
        try:
            TransformerFiles(network, files, allow_pickle=allow_pickle)
        except ModelError as error:
            reasons.append(error.message)
        else:
            fitting.append(network)
    if not fitting:
        facts = f"{layers} blocks, {width} wide, {channels} channels"
        reason = reasons[0] if reasons else "no network of the catalogue is like it"
        raise ModelError(f"{names} is of no network that is known: {facts}; {reason}")
    return fitting


def _near(network: Network, width: int, channels: int, layers: int) -> bool:
    config = network.config
    heads, side = config.get("num_attention_heads", 0), config.get("attention_head_dim", 0)
    return (heads * side, config.get("in_channels"), config.get("num_layers")) == (width, channels, layers)
