"""Facts of a LoRA file read from its safetensors header, without its weights."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wangp_cli.errors import ModelError
from wangp_cli.files import safetensors_header, strict_json
from wangp_cli.models import Network
from wangp_cli.pipelines.lora.keys import bare_name, split_key

ENDINGS = (".safetensors", ".sft")
KINDS = {
    "down": "LoRA",
    "w1": "LoKr",
    "w1_a": "LoKr",
    "h1_a": "LoHa",
    "magnitude": "DoRA",
    "weight": "differences",
}
SHOWN_WORDS = 8


@dataclass(frozen=True, kw_only=True)
class Header:
    """Names and shapes of the tensors of a LoRA file, and its metadata."""

    shapes: dict[str, tuple[int, ...]]
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
        """Hidden width of the network it was trained for; None where no attention layer has an adapter."""
        for layer, part, shape in self._parts:
            if part == "down" and re.search(r"(attn1|self_attn)[._](to_)?[qkv]$", layer) and len(shape) == 2:
                return shape[1]
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

    def may_fit(self, network: Network) -> bool:
        """Whether a network has the same width and enough blocks; a full check compares all layers."""
        config = network.config
        vace = any(layer.startswith("vace_") for layer, _, _ in self._parts)
        return (
            self.width == network.width
            and self.blocks <= config.get("num_layers", 0)
            and (not vace or "vace_layers" in config)
        )

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
    def _parts(self) -> list[tuple[str, str, tuple[int, ...]]]:
        return [(*split_key(key), shape) for key, shape in self.shapes.items()]


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
        metadata = data.pop("__metadata__", {})
        shapes = {key: tuple(map(int, tensor["shape"])) for key, tensor in data.items()}
        end = max((tensor["data_offsets"][1] for tensor in data.values()), default=0)
    except FileNotFoundError:
        raise ModelError(f"LoRA {path} is missing") from None
    except OSError as error:
        raise ModelError(f"LoRA {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        with path.open("rb") as file:
            content = "a web page" if file.read(1) == b"<" else "no safetensors header"
        raise ModelError(f"LoRA {path} is broken: it begins with {content}", hint="fetch it again") from None
    if (size := path.stat().st_size) != header_bytes + end:
        raise ModelError(
            f"LoRA {path} is broken: it has {size} bytes, its header wants {header_bytes + end}",
            hint="fetch it again",
        )
    return Header(shapes=shapes, metadata={str(key): str(value) for key, value in metadata.items()})


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
