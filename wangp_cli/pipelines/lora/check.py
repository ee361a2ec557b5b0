"""Whether a LoRA file fits networks, with a reason for every key that does not."""

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
        network: its name.
        layers: how many it changes.
        left_out: keys of layers for pictures, which this network has no place for.
        rejected: keys that fit nothing, and why.
    """

    network: str
    layers: int
    left_out: list[str]
    rejected: dict[str, str]

    @property
    def fits(self) -> bool:
        """Whether a task with it would run."""
        return self.layers > 0 and not self.rejected


def fits(path: Path, networks: Sequence[Network]) -> list[Fit]:
    """How a LoRA file fits each of some networks, none of which is given memory for weights.

    Raises:
        ModelError: the file is broken.
    """
    tensors, metadata = read_file.tensors_of(path)
    found = []
    for network in networks:
        with torch.device("meta"):
            model = network_class(network.kind).from_config(network.config)
        fit = read_file.fit(tensors, metadata, model)
        found.append(
            Fit(network=network.name, layers=fit.layers, left_out=fit.left_out, rejected=fit.rejected)
        )
    return found
