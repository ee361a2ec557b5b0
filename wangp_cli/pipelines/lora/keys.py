"""Keys of LoRA files: the layer and the factor that a key holds."""

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
"""The factor that a key holds by its last part, and its name here."""
_PART = re.compile(
    rf"(?:\.|_(?=lora))({'|'.join(sorted(map(re.escape, PARTS), key=len, reverse=True))})"
    r"(?:\.(?!weight$|bias$)\w+)?(?:\.weight)?"
)


def aliases(names: Iterable[str], original: Callable[[str], str]) -> dict[str, str]:
    """Every name that a file may use for a layer, with dots or underscores, and the layer's own.

    Args:
        names: of the layers.
        original: gives the name of a layer in the original code.
    """
    known: dict[str, str] = {}
    for own in names:
        for name in (own, original(own)):
            known[name] = own
            known[name.replace(".", "_")] = own
    return known


def bare_name(name: str) -> str:
    """A layer's name without the prefixes that training tools put before it."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return bare_name(name.removeprefix(prefix))
    return name


def split_key(key: str) -> tuple[str, str]:
    """A key's layer, without prefixes, and what it holds: a value of `PARTS`, or an empty string."""
    if match := re.fullmatch(rf"(.+?){_PART.pattern}", key):
        return bare_name(match[1]), PARTS[match[2]]
    return bare_name(key), ""
