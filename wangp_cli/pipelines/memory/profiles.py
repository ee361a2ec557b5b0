"""Memory profiles: where the weights of a model are offloaded to."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from wangp_cli.errors import OutOfMemoryError, ResourceError
from wangp_cli.files.folders import free_bytes, nearest_existing
from wangp_cli.files.units import format_bytes
from wangp_cli.pipelines.memory import meter

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Placement
    from wangp_cli.tasks.runtime import Profile

log = logging.getLogger(__name__)

SHARE = 0.8
"""Share of free memory that weights may take; the rest is for activations."""
STAYING = ("vae", "control")
"""Parts that never leave the device."""


@dataclass(frozen=True, kw_only=True)
class Offload:
    """Where weights are offloaded to, and in which units.

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
"""Without a GPU weights can only be offloaded to the disk."""
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
    """The offloading of a profile on a device."""
    return (ON_CPU if device == "cpu" else ON_GPU)[profile]


def settled(
    placement: Placement, sizes: Mapping[str, int], held: int = 0, *, mapped: bool = False
) -> tuple[Placement, str]:
    """A placement with its profile chosen, and the reason; options without effect are logged.

    Args:
        placement: perhaps with the profile `auto`.
        sizes: bytes of each part's weights.
        held: bytes of these that are on the device already.
        mapped: the system can take their memory back, as their files are mapped.

    Raises:
        OutOfMemoryError: memory has no room for them in this profile.
        ResourceError: the disk has none, or memory in any profile.
    """
    device, why = placement.device, "as asked"
    free = meter.free(device) + held
    if placement.profile == "auto":
        profile, why = automatic(sizes, device, free, meter.free("cpu"))
        placement = replace(placement, profile=profile)
    if offload(placement.profile, device).disk:
        _check_disk(placement, sum(sizes.values()))
    if not (mapped and device == "cpu"):
        _check_memory(placement, sizes, free)
    log.info("profile %s, %s: %s", placement.profile, MEANINGS[placement.profile], why)
    _tell_what_does_nothing(placement)
    return placement, why


def resident(sizes: Mapping[str, int], profile: Profile, device: str) -> int:
    """Bytes of weights that are on the device at once, at most."""
    how = offload(profile, device)
    largest, total = max(sizes.values(), default=0), sum(sizes.values())
    staying = sum(sizes.get(name, 0) for name in STAYING)
    if how.groups != "none":
        # A block is about a fortieth; what is small stays.
        return largest // 40 * how.blocks + staying
    return largest + staying if how.turns else total


def _check_memory(placement: Placement, sizes: Mapping[str, int], free: int) -> None:
    """Refuse weights that the device, or the main memory they are offloaded to, cannot hold."""
    profile, device = placement.profile, placement.device
    how, total = offload(profile, device), sum(sizes.values())
    rooms = [(resident(sizes, profile, device), device, free)]
    if device != "cpu" and not how.disk and how != Offload():
        rooms.append((total, "cpu", meter.free("cpu")))
    for needed, where, room in rooms:
        if needed > room:
            # After the last profile there is nothing left to try.
            kind = ResourceError if profile == "5" else OutOfMemoryError
            raise kind(
                f"profile: {profile} holds {format_bytes(needed)} of {format_bytes(total)} of weights "
                f"on {where}, which has {format_bytes(room)} free",
                hint="a smaller model, --transformer-quantization int8, or see --estimate",
            )


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
    facts = f"weights take {format_bytes(total)}, {format_bytes(free)} are free on {device}"
    on_gpu = device != "cpu"
    if total <= room:
        return "1", facts
    if largest <= room and (not on_gpu or total <= waiting):
        return "3", f"{facts}, the largest part takes {format_bytes(largest)}"
    if on_gpu and total * 1.2 <= waiting and resident(sizes, "2", device) <= free:
        # Pinned memory is a copy that cannot be swapped out.
        return "2", f"{facts}, {format_bytes(free_memory)} of memory"
    if on_gpu and total <= waiting and resident(sizes, "4", device) <= free:
        return "4", f"{facts}, {format_bytes(free_memory)} of memory"
    if not on_gpu and largest / 4 <= room:
        return "4", f"{facts}, the largest part takes {format_bytes(largest)}"
    return "5", f"{facts}, {format_bytes(free_memory)} of memory"


def _check_disk(placement: Placement, total: int) -> None:
    folder = placement.work_dir or Path(tempfile.gettempdir())
    if total > (free := free_bytes(folder)):
        raise ResourceError(
            f"profile: {placement.profile} keeps {format_bytes(total)} of weights "
            f"in {nearest_existing(folder)}, which has {format_bytes(free)} free; "
            f"{format_bytes(meter.free('cpu'))} of memory are",
            hint="set work_dir to a larger disk (wangp settings path), or --transformer-quantization fp8",
        )
