"""Names of a network's parameters in files."""

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
"""Prefixes that tools put before every key."""
SHOWN_KEYS = 3
"""Keys that an error names; of more it tells the number."""


def _unchanged(name: str) -> str:
    return name


@dataclass(frozen=True, kw_only=True)
class KeyNames:
    """The names that files use for the parameters of a family's transformers.

    Args:
        family: its name, for messages.
        parameter: gives the name of a parameter in the original code.
        layer: likewise of a layer, which LoRA files use.
        image_layers: finds keys of layers that only networks conditioned on images have.
        fused: parts of keys that hold two parameters in one, the rows of the first before those of the
            second, and what the keys of the two have instead.
        constants: finds keys of tensors that the network computes itself.
        input_layer: the parameter `[width, channels, ...]` that each of its transformers has.
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
        """The parameters that a key holds, and which half of the tensor each is; None is the whole."""
        for part, names in self.fused.items():
            if part in key:
                return [(key.replace(part, name), half) for half, name in enumerate(names)]
        return [(key, None)]

    def known(self, parameters: Iterable[str]) -> dict[str, str]:
        """Every name that a file may use for a parameter, and the parameter's own."""
        return {name: own for own in parameters for name in (own, self.parameter(own))}


def without_prefix(key: str) -> str:
    """A key without the prefix of the tool that wrote it."""
    return next((key.removeprefix(prefix) for prefix in PREFIXES if key.startswith(prefix)), key)


def some_of(keys: Iterable[str]) -> str:
    """The first keys for an error, and how many more there are."""
    every = list(keys)
    more = f" and {len(every) - SHOWN_KEYS} more" if len(every) > SHOWN_KEYS else ""
    return ", ".join(every[:SHOWN_KEYS]) + more
