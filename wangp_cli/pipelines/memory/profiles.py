"""Memory profiles: how the weights of a model are offloaded, and which profile fits."""

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

WEIGHTS_SHARE = 0.8
"""Share of free memory for weights; the rest is for activations."""
RESIDENT_PARTS = ("vae", "control")
"""Parts that are never offloaded."""


@dataclass(frozen=True, kw_only=True)
class Offload:
    """How weights are offloaded.

    Args:
        turns: one large network at a time is on the device, as a whole.
        groups: blocks or single layers of a network are loaded for their own call only.
        pinned: offload to pinned memory, and load the next group while one computes.
        disk: offload to disk instead of main memory.
        blocks: blocks per group, unless `preload` sets the megabytes of a group.
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
"""On a CPU, weights can only be offloaded to disk."""
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
    """How a profile offloads weights on a device."""
    return (ON_CPU if device == "cpu" else ON_GPU)[profile]


def choose_profile(
    placement: Placement, sizes: Mapping[str, int], held: int = 0, *, mapped: bool = False
) -> tuple[Placement, str]:
    """Choose the profile if it is `auto`, and check that the weights fit.

    Options without effect are logged as warnings.

    Args:
        placement: device, profile and other options.
        sizes: bytes of weights by part.
        held: bytes of these that are on the device already.
        mapped: the weights are memory-mapped files, whose memory the system can reclaim.

    Returns:
        the placement with its profile, and the reason for it.

    Raises:
        OutOfMemoryError: the weights do not fit into memory with this profile.
        ResourceError: they do not fit on disk, or not even with the last profile.
    """
    device, why = placement.device, "as asked"
    free = meter.free(device) + held
    if placement.profile == "auto":
        profile, why = fastest_fitting(sizes, device, free, meter.free("cpu"))
        placement = replace(placement, profile=profile)
    if offload(placement.profile, device).disk:
        _check_disk(placement, sum(sizes.values()))
    if not (mapped and device == "cpu"):
        _check_memory(placement, sizes, free)
    log.info("profile %s, %s: %s", placement.profile, MEANINGS[placement.profile], why)
    _warn_about_unused_options(placement)
    return placement, why


def resident_bytes(sizes: Mapping[str, int], profile: Profile, device: str) -> int:
    """Peak bytes of weights on the device."""
    how = offload(profile, device)
    largest, total = max(sizes.values(), default=0), sum(sizes.values())
    never_offloaded = sum(sizes.get(name, 0) for name in RESIDENT_PARTS)
    if how.groups != "none":
        # The transformers have about 40 blocks; other parts are small.
        return largest // 40 * how.blocks + never_offloaded
    return largest + never_offloaded if how.turns else total


def _check_memory(placement: Placement, sizes: Mapping[str, int], free: int) -> None:
    """Raise if the weights do not fit on the device or into the main memory they are offloaded to."""
    profile, device = placement.profile, placement.device
    how, total = offload(profile, device), sum(sizes.values())
    needs = [(resident_bytes(sizes, profile, device), device, free)]
    if device != "cpu" and not how.disk and how != Offload():
        needs.append((total, "cpu", meter.free("cpu")))
    for needed, where, available in needs:
        if needed > available:
            # OutOfMemoryError makes the caller retry with the next profile; 5 is the last.
            error = ResourceError if profile == "5" else OutOfMemoryError
            raise error(
                f"profile: {profile} holds {format_bytes(needed)} of {format_bytes(total)} of weights "
                f"on {where}, which has {format_bytes(available)} free",
                hint="a smaller model, --transformer-quantization int8, or see --estimate",
            )


def _warn_about_unused_options(placement: Placement) -> None:
    how = offload(placement.profile, placement.device)
    if placement.profile == "2" and placement.device == "cpu":
        log.warning("profile: 2 streams from memory to a GPU; on a CPU it equals profile 1")
    if placement.preload and how.groups == "none":
        log.warning("preload: profile %s streams no weights, so it has no effect", placement.profile)
    if not placement.mixed_precision and placement.dtype == "float32":
        log.warning("mixed_precision: everything is float32 already, so turning it off has no effect")


def fastest_fitting(
    sizes: Mapping[str, int], device: str, free: int, free_memory: int
) -> tuple[Profile, str]:
    """The fastest profile that fits, and the reason for it.

    Args:
        sizes: bytes of weights by part.
        device: where it computes.
        free: free bytes of the device.
        free_memory: free bytes of main memory.
    """
    total, largest = sum(sizes.values()), max(sizes.values(), default=0)
    room, memory_room = WEIGHTS_SHARE * free, WEIGHTS_SHARE * free_memory
    facts = f"weights take {format_bytes(total)}, {format_bytes(free)} are free on {device}"
    on_gpu = device != "cpu"
    if total <= room:
        return "1", facts
    if largest <= room and (not on_gpu or total <= memory_room):
        return "3", f"{facts}, the largest part takes {format_bytes(largest)}"
    if on_gpu and total * 1.2 <= memory_room and resident_bytes(sizes, "2", device) <= free:
        # 1.2: pinned memory is a second copy that cannot be swapped out.
        return "2", f"{facts}, {format_bytes(free_memory)} of memory"
    if on_gpu and total <= memory_room and resident_bytes(sizes, "4", device) <= free:
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
