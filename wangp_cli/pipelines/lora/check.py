"""Check whether a LoRA file fits networks, with a reason for every key that does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from wangp_cli.pipelines.checkpoints.network_classes import network_class
from wangp_cli.pipelines.lora import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wangp_cli.models import Network


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a LoRA fits a network.

    Args:
        network: name of the network.
        layers: number of layers and parameters that it changes.
        left_out: keys of layers for image conditioning, which this network does not have.
        rejected: reasons by key, for keys that match no layer or shape.
    """

    network: str
    layers: int
    left_out: list[str]
    rejected: dict[str, str]

    @property
    def fits(self) -> bool:
        """Whether the network can use the LoRA: it changes a layer, and no key is rejected."""
        return self.layers > 0 and not self.rejected


def check_fit(path: Path, networks: Sequence[Network], experts: int = 1) -> list[Fit]:
    """How a LoRA file fits each of these networks, which are built on the meta device.

    Args:
        path: the file.
        networks: the networks.
        experts: number of transformers that a model of them has; 2 allows a file for two.

    Raises:
        ModelError: the file is broken.
    """
    tensors, metadata = read_file.read_tensors(path)
    results = []
    for network in networks:
        with torch.device("meta"):
            model = network_class(network.kind).from_config(network.config)
        halves = read_file.match(tensors, metadata, model, experts)
        results.append(
            Fit(
                network=network.name,
                layers=read_file.layers_of(halves),
                left_out=sorted({key for half in halves for key in half.left_out}),
                rejected={key: why for half in halves for key, why in half.rejected.items()},
            )
        )
    return results
