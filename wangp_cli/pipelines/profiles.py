"""Memory profiles: where the weights of a model wait while they are not needed."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from wangp_cli.errors import ResourceError
from wangp_cli.pipelines import memory
from wangp_cli.pipelines.memory import shown

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Placement
    from wangp_cli.tasks.runtime import Profile

log = logging.getLogger(__name__)

SHARE = 0.8
"""Of free memory that weights may take; the rest is for what is computed."""


@dataclass(frozen=True, kw_only=True)
class Offload:
    """Where weights wait.

    Args:
        turns: large parts take turns on the device, each whole.
        groups: a network's blocks, or its single layers, come to the device as they are needed.
        pinned: they wait in pinned memory, and the next group comes while one computes.
        disk: they wait on the disk, not in memory.
        blocks: in a group, where megabytes do not say it.
    """

    turns: bool = False
    groups: Literal["none", "block", "leaf"] = "none"
    pinned: bool = False
    disk: bool = False
    blocks: int = 1


ON_GPU: MappingProxyType[str, Offload] = MappingProxyType(
    {
        "1": Offload(),
        "2": Offload(groups="block", pinned=True, blocks=4),
        "3": Offload(turns=True),
        "4": Offload(groups="block"),
        "5": Offload(groups="leaf", disk=True),
    }
)
ON_CPU: MappingProxyType[str, Offload] = MappingProxyType(
    {
        "1": Offload(),
        "2": Offload(),
        "3": Offload(turns=True, disk=True),
        "4": Offload(groups="block", disk=True),
        "5": Offload(groups="leaf", disk=True),
    }
)
"""Without a GPU weights can wait on the disk only."""
MEANINGS = MappingProxyType(
    {
        "1": "all weights on the device",
        "2": "blocks stream from pinned memory",
        "3": "large parts take turns on the device",
        "4": "blocks come to the device as they are needed",
        "5": "layers come from the disk as they are needed",
    }
)


def offload(profile: Profile, device: str) -> Offload:
    """What a profile means on a device."""
    return (ON_CPU if device == "cpu" else ON_GPU)[profile]


def settled(placement: Placement, sizes: Mapping[str, int], held: int = 0) -> tuple[Placement, str]:
    """A placement with its profile chosen, and why it was; options without effect are said in the log.

    Args:
        placement: perhaps with the profile `auto`.
        sizes: bytes of each part's weights.
        held: bytes of these that are on the device already.

    Raises:
        ResourceError: the machine has no room for them in any way.
    """
    device, why = placement.device, "as asked"
    if placement.profile == "auto":
        free, main = memory.free(device) + held, memory.free("cpu")
        profile, why = automatic(sizes, device, free, main)
        placement = replace(placement, profile=profile)
    if offload(placement.profile, device).disk:
        _check_disk(placement, sum(sizes.values()))
    log.info("profile %s, %s: %s", placement.profile, MEANINGS[placement.profile], why)
    _tell_what_does_nothing(placement)
    return placement, why


def _tell_what_does_nothing(placement: Placement) -> None:
    how = offload(placement.profile, placement.device)
    if placement.profile == "2" and placement.device == "cpu":
        log.warning("profile: 2 streams from memory to a GPU; on a CPU it is as 1")
    if placement.preload and how.groups == "none":
        log.warning("preload: profile %s streams no weights, so it has no effect", placement.profile)
    if not placement.mixed_precision and placement.dtype == "float32":
        log.warning("mixed_precision: everything is float32 already, so turning it off has no effect")


def automatic(sizes: Mapping[str, int], device: str, free: int, free_memory: int) -> tuple[Profile, str]:
    """The fastest profile that fits, and why.

    Args:
        sizes: bytes of each part's weights.
        device: where it computes.
        free: bytes on the device.
        free_memory: bytes of main memory.
    """
    total, largest = sum(sizes.values()), max(sizes.values(), default=0)
    room, waiting = SHARE * free, SHARE * free_memory
    facts = f"weights take {shown(total)}, {shown(free)} are free on {device}"
    on_gpu = device != "cpu"
    if total <= room:
        return "1", facts
    if largest <= room and (not on_gpu or total <= waiting):
        return "3", f"{facts}, the largest part takes {shown(largest)}"
    if on_gpu and total * 1.2 <= waiting:
        # Pinned memory is a copy that cannot be swapped out.
        return "2", f"{facts}, {shown(free_memory)} of memory"
    if on_gpu and total <= waiting:
        return "4", f"{facts}, {shown(free_memory)} of memory"
    if not on_gpu and largest / 4 <= room:
        return "4", f"{facts}, the largest part takes {shown(largest)}"
    return "5", f"{facts}, {shown(free_memory)} of memory"


def _check_disk(placement: Placement, total: int) -> None:
    folder = placement.work_dir or Path(tempfile.gettempdir())
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if total > (free := shutil.disk_usage(existing).free):
        raise ResourceError(
            f"profile: {placement.profile} keeps {shown(total)} of weights in {existing}, which has "
            f"{shown(free)} free; {shown(memory.free('cpu'))} of memory are",
            hint="set work_dir to a larger disk (wangp settings path), or --transformer-quantization fp8",
        )
