"""Payload of a job: the layers of its request as JSON, so that it runs without the file it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wangp_cli.value_layers import Layer


def pack(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Layers as JSON values."""
    return [
        {
            "kind": layer.kind,
            "name": layer.name,
            "values": dict(layer.values),
            "checksums": dict(layer.checksums),
            "addresses": dict(layer.addresses),
            "notices": list(layer.notices),
        }
        for layer in layers
    ]


def unpack(payload: Mapping[str, Any]) -> list[Layer]:
    """The layers of a job."""
    layers = map(_with_kind, payload["layers"])
    return [Layer(**{**layer, "notices": tuple(layer.get("notices", ()))}) for layer in layers]


def _with_kind(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored layer; those of older stores have the text of their origin as the name, and no kind."""
    if "kind" in layer:
        return layer
    kind, _, name = layer["name"].partition(" ")
    return {**layer, "kind": kind, "name": name}
