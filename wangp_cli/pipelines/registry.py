"""Which adapter serves which family; a catalogue file chooses a family, it never names code."""

from __future__ import annotations

from types import MappingProxyType

ADAPTERS = MappingProxyType({"wan": "wangp_cli.pipelines.wan.load:load"})
"""`module:function` of each family's `load(spec, weights, placement, loras, components, progress)`."""
