"""Parameter names in weight files, and the prefixes that tools add to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

PREFIXES = (
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
    "proj_model.",
    "audio_processor.",
)
"""Prefixes that training and inference tools add to every key."""
SHOWN_KEYS = 3
"""Number of keys that an error message lists."""


def _unchanged(name: str) -> str:
    return name


@dataclass(frozen=True, kw_only=True)
class KeyNames:
    """The names that files use for the parameters of a family's transformers.

    Args:
        family: name of the family for error messages.
        parameter: maps a parameter name to its name in the original code.
        layer: maps a layer name to its name in the original code, which LoRA files use.
        image_layers: matches keys of layers that only networks conditioned on images have.
        fused: substrings of keys of fused tensors, each with the substrings that replace it in the keys of
            the two parameters; the first parameter has the first half of the rows.
        constants: matches keys of tensors that the network computes itself.
        input_layer: name of the parameter `[width, channels, ...]` that embeds the input; every transformer
            of the family has it.
    """

    family: str = ""
    parameter: Callable[[str], str] = _unchanged
    layer: Callable[[str], str] = _unchanged
    image_layers: re.Pattern[str] | None = None
    fused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    constants: re.Pattern[str] | None = None
    input_layer: str = ""

    def is_of_images(self, key: str) -> bool:
        """Whether a key is of a layer that only networks conditioned on images have."""
        return bool(self.image_layers and self.image_layers.search(key))

    def is_constant(self, key: str) -> bool:
        """Whether a key is of a tensor that the network computes itself."""
        return bool(self.constants and self.constants.fullmatch(key))

    def split(self, key: str) -> list[tuple[str, int | None]]:
        """The parameters under a key, each with its half of the tensor: 0, 1, or None for all of it."""
        for part, names in self.fused.items():
            if part in key:
                return [(key.replace(part, name), half) for half, name in enumerate(names)]
        return [(key, None)]

    def own_names(self, parameters: Iterable[str]) -> dict[str, str]:
        """The parameter by every name that a file may use for it: its own and that of the original code."""
        return {name: own for own in parameters for name in (own, self.parameter(own))}


def without_prefix(key: str) -> str:
    """A key without the prefix of the tool that wrote it."""
    return next((key.removeprefix(prefix) for prefix in PREFIXES if key.startswith(prefix)), key)


def first_keys(keys: Iterable[str]) -> str:
    """A list of the first `SHOWN_KEYS` keys for an error message, and the number of the others."""
    listed = list(keys)
    more = f" and {len(listed) - SHOWN_KEYS} more" if len(listed) > SHOWN_KEYS else ""
    return ", ".join(listed[:SHOWN_KEYS]) + more
