"""Parse the keys of LoRA files: the layer and the part of its change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PREFIXES = (
    "base_model.model.",
    "model.diffusion_model.",
    "diffusion_model.",
    "pipe.dit.",
    "transformer.",
    "lora_transformer_",
    "lora_unet__",
    "lora_unet_",
    "lycoris_",
)
TEXT_ENCODERS = ("text_encoder", "lora_te", "text_model")
PARTS = {
    "lora_A": "down",
    "lora_down": "down",
    "lora.A": "down",
    "lora.down": "down",
    "lora_B": "up",
    "lora_up": "up",
    "lora.B": "up",
    "lora.up": "up",
    "alpha": "alpha",
    "dora_scale": "magnitude",
    "lora_magnitude_vector": "magnitude",
    "diff": "weight",
    "diff_b": "bias",
    "lokr_w1": "w1",
    "lokr_w1_a": "w1_a",
    "lokr_w1_b": "w1_b",
    "lokr_w2": "w2",
    "lokr_w2_a": "w2_a",
    "lokr_w2_b": "w2_b",
    "hada_w1_a": "h1_a",
    "hada_w1_b": "h1_b",
    "hada_w2_a": "h2_a",
    "hada_w2_b": "h2_b",
}
"""The part of a change by the end of a key."""
_PART = re.compile(
    rf"(?:\.|_(?=lora))({'|'.join(sorted(map(re.escape, PARTS), key=len, reverse=True))})"
    r"(?:\.(?!weight$|bias$)\w+)?(?:\.weight)?"
)


def aliases(names: Iterable[str], original: Callable[[str], str]) -> dict[str, str]:
    """The layer by every name that a file may use for it, with dots or underscores.

    Args:
        names: names of the layers.
        original: maps the name of a layer to its name in the original code.
    """
    by_alias: dict[str, str] = {}
    for own in names:
        for name in (own, original(own)):
            by_alias[name] = own
            by_alias[name.replace(".", "_")] = own
    return by_alias


def bare_name(name: str) -> str:
    """A layer's name without the prefixes of training tools."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return bare_name(name.removeprefix(prefix))
    return name


def split_key(key: str) -> tuple[str, str]:
    """The layer of a key, without prefixes, and its part: a value of `PARTS`, or "" if it is unknown."""
    if match := re.fullmatch(rf"(.+?){_PART.pattern}", key):
        return bare_name(match[1]), PARTS[match[2]]
    return bare_name(key), ""
