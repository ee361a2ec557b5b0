"""Payload of a job: the layers of its request as JSON, so that it runs without the file it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wangp_cli.errors import ConflictError
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
    """The layers of a job.

    Raises:
        ConflictError: the payload is none that `pack` made.
    """
    try:
        layers = map(_with_kind, payload["layers"])
        found = [Layer(**{**layer, "notices": tuple(layer.get("notices", ()))}) for layer in layers]
    except (AttributeError, KeyError, TypeError) as error:
        raise _damaged(repr(error)) from None
    if not all(isinstance(layer.values, dict) for layer in found):
        raise _damaged("values are no object")
    return found


def _damaged(why: str) -> ConflictError:
    message = f"the job store is damaged, a request cannot be read: {why}"
    return ConflictError(message, hint="move it away; with --skip-existing, tasks whose files exist stay")


def _with_kind(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored layer; those of older stores have the text of their origin as the name, and no kind."""
    if "kind" in layer:
        return layer
    kind, _, name = layer["name"].partition(" ")
    return {**layer, "kind": kind, "name": name}
