"""Parse the keys of LoRA files: the transformer, the layer, and the part of its change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wangp_cli.pipelines.checkpoints.key_names import QUANTIZATION_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
    "magnitude": "magnitude",
    "diff": "weight",
    "w_norm": "weight",
    "diff_b": "bias",
    "b_norm": "bias",
    "diff_m": "weight",
    "set_weight": "set_weight",
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
"""The part of a change by the end of a key; `weight` and `bias` are full differences of a parameter."""
MODULATION_KEY = "diff_m"
"""The end of a key that names a block; it is the difference of the block's modulation table."""
_PART = re.compile(
    rf"(?:\.|_(?=lora))({'|'.join(sorted(map(re.escape, PARTS), key=len, reverse=True))})"
    rf"(?:\.(?!(?:weight|bias|{'|'.join(QUANTIZATION_KEYS)})$)([\w-]+))?(?:\.(weight|bias))?"
)
_KEY = re.compile(rf"(.+?){_PART.pattern}")
_EXPERT = re.compile(rf"(?:{'|'.join(map(re.escape, PREFIXES))})*transformer_([12])[._]")


def aliases(names: Iterable[str], original: Callable[[str], str]) -> dict[str, str]:
    """The layer by every name that a file may use for it, written by `flat`.

    Tools that rename only a part of a name leave names such as `self_attn.to_out.0`. A mixed name that two
    layers could have is left out.

    Args:
        names: names of the layers.
        original: maps the name of a layer to its name in the original code.
    """
    own_names = list(names)
    exact = {flat(name): own for own in own_names for name in (own, original(own))}
    mixed: dict[str, set[str]] = {}
    for own in own_names:
        for name in _mixed_names(own, original(own)):
            mixed.setdefault(flat(name), set()).add(own)
    return {name: next(iter(owners)) for name, owners in mixed.items() if len(owners) == 1} | exact


def _mixed_names(own: str, original: str) -> Iterator[str]:
    """Names with the module of one of two names and the layer of the other."""
    first, second = own.split("."), original.split(".")
    common = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first))
    for module, layer in ((first, second), (second, first)):
        if len(module) > common and len(layer) > common + 1:
            yield ".".join([*module[: common + 1], *layer[common + 1 :]])


def flat(name: str) -> str:
    """A name with underscores for dots; tools write either, or both in one name."""
    return name.replace(".", "_")


def bare_name(name: str) -> str:
    """A layer's name without the prefixes of training tools and without the number of its transformer."""
    if match := _EXPERT.match(name):
        return name[match.end() :]
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return bare_name(name.removeprefix(prefix))
    return name


def split_key(key: str) -> tuple[str, str]:
    """The layer of a key, without prefixes, and its part: a value of `PARTS`, `up_bias`, or "" if unknown."""
    match = _KEY.fullmatch(key)
    if not match:
        return bare_name(key), ""
    layer, part = bare_name(match[1]), PARTS[match[2]]
    if match[2] == MODULATION_KEY and not layer.endswith("modulation"):
        layer = f"{layer}.modulation"
    if match[4] == "bias":
        return layer, "up_bias" if part == "up" else ""
    return layer, part


def adapter_of(key: str) -> tuple[str, str | None]:
    """What the keys of all factors of a layer have in common: all before the part, and the adapter's name."""
    match = _KEY.fullmatch(key)
    return (match[1], match[3]) if match else (key, None)


def by_transformer(keys: Iterable[str]) -> dict[str, int | None]:
    """The number of the transformer, 1 or 2, that each key of a file is of; None is every transformer.

    A file for both experts of a model names them `transformer_1` and `transformer_2`, or `transformer` and
    `transformer_2`.
    """
    numbers = {key: int(match[1]) if (match := _EXPERT.match(key)) else None for key in keys}
    if 2 in numbers.values():
        return {key: number or (1 if "transformer." in key else None) for key, number in numbers.items()}
    return numbers
