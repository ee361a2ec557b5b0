"""Facts of a LoRA file read from its safetensors header, without its weights."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wangp_cli.errors import ModelError
from wangp_cli.files import safetensors_header, strict_json
from wangp_cli.models import Network
from wangp_cli.pipelines.lora.keys import bare_name, by_transformer, flat, split_key

ENDINGS = (".safetensors", ".sft")
KINDS = {
    "down": "LoRA",
    "w1": "LoKr",
    "w1_a": "LoKr",
    "h1_a": "LoHa",
    "magnitude": "DoRA",
    "weight": "differences",
    "bias": "differences",
    "set_weight": "differences",
}
SHOWN_WORDS = 8
Shape = tuple[int, ...]
HIDDEN_AXES = (
    (r"(attn1|self_attn)_(to_)?[qkv]", 1),
    (r"(attn2|cross_attn)_(to_)?q", 1),
    (r"(attn[12]|self_attn|cross_attn)_(to_out_0|[okv]|to_[kv]|[kv]_img|add_[kv]_proj)", 0),
    (r"ffn_(net_0_proj|0)", 1),
    (r"ffn_(net_2|2)", 0),
    (r"(head_head|proj_out|condition_embedder_time_proj|time_projection_1)", 1),
    (r"patch_embedding|(text|time)_embedding_[02]|condition_embedder_(text|time)_embedder_linear_[12]", 0),
    (r"((attn[12]|self_attn|cross_attn)_)?norm\w*|(head_)?(modulation|scale_shift_table)", -1),
)
"""Patterns of Wan's layers, and the axis of their weights or tables that is as wide as the hidden states."""
FEED_FORWARD_AXES = ((r"ffn_(net_0_proj|0)", 0), (r"ffn_(net_2|2)", 1))


@dataclass(frozen=True, kw_only=True)
class Header:
    """Names and shapes of the tensors of a LoRA file, and its metadata."""

    shapes: dict[str, Shape]
    metadata: dict[str, str]

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of adapters in the file: LoRA, LoKr, LoHa, DoRA, differences."""
        return tuple(dict.fromkeys(KINDS[part] for _, part, _ in self._parts if part in KINDS))

    @cached_property
    def layers(self) -> int:
        """Number of layers with an adapter."""
        return len({layer for layer, part, _ in self._parts if part and part != "alpha"})

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        """Ranks of the LoRA factors, sorted, each once."""
        return tuple(sorted({shape[0] for _, part, shape in self._parts if part == "down" and shape}))

    @cached_property
    def blocks(self) -> int:
        """Number of transformer blocks: the highest index in a key, plus one."""
        matches = (re.match(r"blocks[._](\d+)", layer) for layer, _, _ in self._parts)
        return max((int(match[1]) + 1 for match in matches if match), default=0)

    @cached_property
    def width(self) -> int | None:
        """Hidden width of the network it was trained for; None where no layer tells it."""
        return self._side(HIDDEN_AXES)

    @cached_property
    def transformers(self) -> int:
        """Number of transformers that the file tells apart; 1 if it is for every transformer alike."""
        return 2 if any(by_transformer(self.shapes).values()) else 1

    @cached_property
    def twice(self) -> tuple[str, str] | None:
        """Two keys for the same part of a layer, which do not say how to combine them; None without any.

        Names that are equal only in a certain network are compared with that network.
        """
        numbers, places = by_transformer(self.shapes), dict[tuple[int | None, str, str], str]()
        for key in self.shapes:
            layer, part = split_key(key)
            first = places.setdefault((numbers[key], flat(layer), part), key)
            if part and first != key:
                return first, key
        return None

    @cached_property
    def title(self) -> str:
        """Title in the metadata."""
        return self.metadata.get("modelspec.title") or self.metadata.get("ss_output_name") or ""

    @cached_property
    def trigger_words(self) -> tuple[str, ...]:
        """Trigger words in the metadata, or the most frequent tags of its training data."""
        for key in ("modelspec.trigger_phrase", "trigger_phrase", "trigger_words", "trigger_word"):
            if words := self.metadata.get(key):
                return tuple(word.strip() for word in words.strip('[]"').split(",") if word.strip())
        tags: Counter[str] = Counter()
        frequencies = self.metadata.get("ss_tag_frequency", "{}")
        try:
            for counts in strict_json.loads(frequencies).values():
                tags.update({str(tag).strip(): int(count) for tag, count in counts.items()})
        except (ValueError, AttributeError, TypeError):
            return ()
        return tuple(tag for tag, _ in tags.most_common(SHOWN_WORDS))

    def may_fit(self, network: Network, experts: int = 1) -> bool:
        """Whether a network has the same widths and enough blocks; a full check compares all layers.

        Args:
            network: of the catalogue.
            experts: most transformers of a model with this network.
        """
        config = network.config
        vace = any(layer.startswith("vace_") for layer, _, _ in self._parts)
        feed_forward = self._side(FEED_FORWARD_AXES)
        return (
            self.width == network.width
            and feed_forward in (None, config.get("ffn_dim", feed_forward))
            and self.blocks <= config.get("num_layers", 0)
            and self.transformers <= experts
            and (not vace or "vace_layers" in config)
        )

    def _side(self, axes: tuple[tuple[str, int], ...]) -> int | None:
        """The length of the first of these axes that the file has."""
        for pattern, axis in axes:
            for layer, shape in self._weights.items():
                if len(shape) > max(axis, 0) and re.fullmatch(rf"((vace_)?blocks_\d+_)?({pattern})", layer):
                    return shape[axis]
        return None

    @cached_property
    def _weights(self) -> dict[str, Shape]:
        """The shape of what is added to each layer's weight or table, by the layer's name in `flat` form."""
        layers: dict[str, dict[str, Shape]] = {}
        for layer, part, shape in self._parts:
            layers.setdefault(flat(layer), {})[part] = shape
        shapes = {layer: _added_shape(parts) for layer, parts in layers.items()}
        return {layer: shape for layer, shape in shapes.items() if shape}

    def facts(self) -> dict[str, Any]:
        """The facts as a JSON object."""
        return {
            "kinds": list(self.kinds),
            "layers": self.layers,
            "ranks": list(self.ranks),
            "width": self.width,
            "blocks": self.blocks,
            "title": self.title,
            "trigger_words": list(self.trigger_words),
        }

    @cached_property
    def _parts(self) -> list[tuple[str, str, Shape]]:
        return [(*split_key(key), shape) for key, shape in self.shapes.items()]


def _added_shape(parts: Mapping[str, Shape]) -> Shape | None:
    """The shape that the tensors of a layer make together; None if some are missing."""
    if "w1" in parts or "w1_a" in parts:
        left, right = (_product(parts, *names) for names in (("w1", "w1_a", "w1_b"), ("w2", "w2_a", "w2_b")))
        return (left[0] * right[0], left[1] * right[1]) if left and right else None
    factors = _product(parts, "", "up", "down") or _product(parts, "", "h1_a", "h1_b")
    return factors or next((parts[part] for part in ("weight", "set_weight", "bias") if part in parts), None)


def _product(parts: Mapping[str, Shape], whole: str, first: str, second: str) -> Shape | None:
    """The shape of a matrix that is stored whole or as two factors; None if it is not there."""
    if whole in parts:
        return _matrix(parts[whole])
    outputs, inputs = (_matrix(parts.get(name, ())) for name in (first, second))
    return (outputs[0], inputs[1]) if outputs and inputs else None


def _matrix(shape: Shape) -> Shape | None:
    return (shape[0], math.prod(shape[1:])) if len(shape) >= 2 else None


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file.

    Raises:
        ModelError: the file is missing, no safetensors file, truncated or broken.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ModelError(
            f"LoRA {path} is not a safetensors file", hint="pickles are not read; convert it to safetensors"
        )
    try:
        data, header_bytes = safetensors_header.read_header(path)
        metadata = data.pop(safetensors_header.METADATA, {})
        shapes = {key: tuple(tensor["shape"]) for key, tensor in data.items()}
        end = max((tensor["data_offsets"][1] for tensor in data.values()), default=0)
    except FileNotFoundError:
        raise ModelError(f"LoRA {path} is missing") from None
    except OSError as error:
        raise ModelError(f"LoRA {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        with path.open("rb") as file:
            content = "a web page" if file.read(1) == b"<" else "no safetensors header"
        raise ModelError(f"LoRA {path} is broken: it begins with {content}", hint="fetch it again") from None
    if (size := path.stat().st_size) != header_bytes + end:
        raise ModelError(
            f"LoRA {path} is broken: it has {size} bytes, its header wants {header_bytes + end}",
            hint="fetch it again",
        )
    return Header(shapes=shapes, metadata=metadata)


def check_usable(path: Path) -> Header:
    """Read the header of a LoRA file that a run is to use.

    Raises:
        ModelError: the file is broken, holds no LoRA, or two tensors for the same part of a layer.
    """
    header = check_lora(path)
    if header.twice:
        raise ModelError(
            f"LoRA {path} holds two tensors for one place: {' and '.join(header.twice)}",
            hint="save one adapter in a file",
        )
    return header


def check_lora(path: Path) -> Header:
    """Read the header of a LoRA file.

    Raises:
        ModelError: the file is broken, or holds no LoRA.
    """
    header = read_header(path)
    if not header.kinds:
        first = next(iter(header.shapes), None)
        contents = f"its first key is {bare_name(first)!r}" if first else "it is empty"
        raise ModelError(f"LoRA {path} holds no weights of a LoRA: {contents}")
    return header
