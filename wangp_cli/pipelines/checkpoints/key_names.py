"""Parameter names in weight files, and the prefixes that tools add to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

PREFIXES = (
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
    "model.",
    "module.",
    "proj_model.",
    "audio_processor.",
)
"""Prefixes that training and inference tools add to every key."""
WRAPPERS = re.compile(r"\b(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""Names of wrappers of PyTorch, which compiled and distributed training leaves in keys."""
WEIGHT_SCALES = ("scale_weight", "weight_scale")
"""Ends of keys of the scales of quantised weights."""
ACTIVATION_SCALES = ("scale_input", "input_scale", "output_scale")
"""Ends of keys of activation scales, which only kernels for 8-bit activations need; they are ignored."""
QUANTIZATION_KEYS = (*WEIGHT_SCALES, *ACTIVATION_SCALES, "comfy_quant")
"""Ends of keys that describe how a tensor is quantised."""
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
        prefixes: those that keys may have in front of these names; several may follow each other.
    """

    family: str = ""
    parameter: Callable[[str], str] = _unchanged
    layer: Callable[[str], str] = _unchanged
    image_layers: re.Pattern[str] | None = None
    fused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    constants: re.Pattern[str] | None = None
    input_layer: str = ""
    prefixes: tuple[str, ...] = PREFIXES

    def bare(self, key: str) -> str:
        """A key without the prefixes and wrappers of the tools that wrote it."""
        if self.prefixes:
            key = WRAPPERS.sub("", key)
        while prefix := next((prefix for prefix in self.prefixes if key.startswith(prefix)), None):
            key = key.removeprefix(prefix)
        return key

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


def first_keys(keys: Iterable[str]) -> str:
    """A list of the first `SHOWN_KEYS` keys for an error message, and the number of the others."""
    listed = list(keys)
    more = f" and {len(listed) - SHOWN_KEYS} more" if len(listed) > SHOWN_KEYS else ""
    return ", ".join(listed[:SHOWN_KEYS]) + more
