"""Which adapter runs which model family; a catalogue file chooses a family, it never names code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError, nearest
from wangp_cli.imports import import_object

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Pipeline, Weights
    from wangp_cli.tasks.runtime import Dtype

Load = Callable[..., "Pipeline"]
"""`load(spec, weights, placement, loras, components, progress)`, as `pipelines/wan/load.py` has it."""
Adapters = Mapping[str, str | Load]
"""The `load` of each family, or its place as `module:function`, which is imported when it is needed."""
Check = Callable[["ModelSpec", "Weights"], None]
"""`check(spec, weights)`, beside each `load`."""
ADAPTERS: Mapping[str, str] = MappingProxyType({"wan": "wangp_cli.pipelines.wan.load:load"})
"""The families that wangp ships with."""
LoadNetwork = Callable[["ModelSpec", "Weights", str, "Dtype"], Any]
"""`load(spec, weights, device, dtype)` of an auxiliary network, such as an interpolator."""
Networks = Mapping[str, str | LoadNetwork]
"""The `load` of each architecture of auxiliary networks, or its place as `module:function`."""
NETWORKS: Mapping[str, str] = MappingProxyType(
    {
        "depth_anything": "wangp_cli.pipelines.auxiliary.depth_anything:load",
        "dwpose": "wangp_cli.pipelines.auxiliary.dwpose:load",
        "esrgan": "wangp_cli.pipelines.auxiliary.esrgan:load",
        "line_art": "wangp_cli.pipelines.auxiliary.line_art:load",
        "matanyone": "wangp_cli.pipelines.auxiliary.matanyone:load",
        "raft": "wangp_cli.pipelines.auxiliary.raft:load",
        "rife": "wangp_cli.pipelines.auxiliary.rife:load",
        "rife3": "wangp_cli.pipelines.auxiliary.rife:load",
        "sam2": "wangp_cli.pipelines.auxiliary.sam.segmenter:load",
        "sam3": "wangp_cli.pipelines.auxiliary.sam.segmenter:load",
        "vitmatte": "wangp_cli.pipelines.auxiliary.vitmatte:load",
        "vitpose": "wangp_cli.pipelines.auxiliary.vitpose:load",
    }
)
"""The architectures of auxiliary networks that wangp ships with."""


def adapter(family: str, adapters: Adapters) -> Load:
    """The `load` of a model family.

    Raises:
        ModelError: the family has no adapter.
    """
    if family not in adapters:
        hint = nearest(family, list(adapters)) or None
        raise ModelError(f"there is no adapter for the family {family!r}", hint=hint)
    found = adapters[family]
    if not isinstance(found, str):
        return found
    load: Load = import_object(found)
    return load


def network_loader(architecture: str, networks: Networks) -> LoadNetwork:
    """The `load` of an architecture of auxiliary networks.

    Raises:
        ModelError: nothing loads it.
    """
    if architecture not in networks:
        hint = nearest(architecture, list(networks)) or None
        raise ModelError(f"there is no loader for the architecture {architecture!r}", hint=hint)
    found = networks[architecture]
    if not isinstance(found, str):
        return found
    load: LoadNetwork = import_object(found)
    return load


def check(family: str) -> Check:
    """The function that checks whether the `load` of a family can load a model.

    Raises:
        ModelError: the family has no adapter.
    """
    adapter(family, ADAPTERS)
    function: Check = import_object(f"{ADAPTERS[family].partition(':')[0]}:check")
    return function
