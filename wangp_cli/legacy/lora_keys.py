"""Translate the older tools' keys for LoRAs and their strengths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from wangp_cli.errors import RequestError
from wangp_cli.legacy.text_syntax import split_strengths, strengths, without_strength
from wangp_cli.legacy.value_parsers import quote_value

OLD_LORA_KEYS = {"activated_loras", "lora_names", "loras_multipliers", "loras_mult", "additional_loras"}
"""Keys of the older tools for LoRAs and their strengths."""
_GENERIC = re.compile(r"(high|low)_noise_model\.\w+")
"""File names that many LoRAs share; the older worker put the name of their folder before them."""
_NAMES_OF_PATH, _NAMES_OF_STRENGTH = ("path", "url", "name"), ("scale", "strength", "multiplier")


def combine_loras(fields: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Combine LoRA files and strengths from all keys that hold them, into `loras` and `lora_multipliers`.

    Args:
        fields: the translated values; changed in place.
        settings: with the old keys.

    Raises:
        RequestError: names the key that is wrong.
    """
    multipliers = fields.pop("lora_multipliers", None)
    additional = settings.get("additional_loras") or {}
    if fields.get("accelerator") and isinstance(multipliers, str) and "|" in multipliers:
        # The strengths before `|` are for the LoRAs of the accelerator.
        accelerated, _, multipliers = multipliers.partition("|")
        fields["lora_multipliers"] = f"{accelerated}|"
    loras = _names(fields.get("loras"))
    if not isinstance(additional, dict):
        raise RequestError(
            "additional_loras", f"{quote_value(additional)} is no table of LoRA files and strengths"
        )
    stated = len(loras)
    if loras and (multipliers or "activated_loras" in settings or "lora_names" in settings):
        commas = _commas_separate_loras(settings, len(loras))
        numbers = strengths(multipliers or "", len(loras), commas=commas)
        stated = len(split_strengths(multipliers or "", commas=commas))
        loras = [f"{lora}@{number}" for lora, number in zip(loras, numbers, strict=True)]
    more = {name: None if value is None else strengths(value, 1)[0] for name, value in additional.items()}
    if merged := _merged_loras(loras, stated, more):
        fields["loras"] = merged


def _names(value: Any) -> list[str]:
    """LoRAs of a list of texts or objects, or of a text between commas."""
    if value is None:
        return []
    if isinstance(value, str):
        return [item for item in re.split(r"\s*,\s*", value.strip()) if item]
    items = [_name_of_object(item) if isinstance(item, dict) else item for item in _list(value)]
    if not all(isinstance(item, str) for item in items):
        raise RequestError("loras", f"{quote_value(value)} is no list of LoRA files")
    return items


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise RequestError("loras", f"{quote_value(value)} is no list of LoRA files")
    return value


def _name_of_object(item: Mapping[str, Any]) -> str:
    """A LoRA given as an object of its path and its strength."""
    paths = [item[key] for key in _NAMES_OF_PATH if isinstance(item.get(key), str) and item[key]]
    scales = [item[key] for key in _NAMES_OF_STRENGTH if item.get(key) is not None]
    if not paths or item.keys() - {*_NAMES_OF_PATH, *_NAMES_OF_STRENGTH}:
        raise RequestError("loras", f"{quote_value(dict(item))} is no LoRA with a path and a scale")
    return f"{paths[0]}@{strengths(scales[0], 1)[0]}" if scales else paths[0]


def _merged_loras(loras: Sequence[str], stated: int, more: Mapping[str, str | None]) -> list[str]:
    """Merge LoRAs so that each source appears once, under its address if one is given.

    Args:
        loras: with their strengths.
        stated: how many of them have a strength that was given; of the others it is the default.
        more: strengths by further source; None for the default. One by phase wins, and one that is given
            wins over a default.
    """
    merged = list(loras)
    for name, strength in more.items():
        same = next((index for index, lora in enumerate(merged) if is_same_lora(lora, name)), None)
        if same is None:
            merged.append(f"{name}@{strength or 1}")
            continue
        source = without_strength(merged[same])
        kept = merged[same].removeprefix(source)
        if strength and (";" in strength or not kept or same >= stated):
            kept = f"@{strength}"
        merged[same] = (name if _is_address(name) else source) + kept
    return merged


def with_address(lora: str, others: Iterable[str]) -> str:
    """A LoRA under the address of the same one among others, if only that has one."""
    source = without_strength(lora)
    if _is_address(source):
        return lora
    address = next(
        (
            name
            for other in others
            if _is_address(name := without_strength(other)) and is_same_lora(name, source)
        ),
        source,
    )
    return address + lora.removeprefix(source)


def is_same_lora(one: str, other: str) -> bool:
    """Whether two LoRAs, with or without strengths, are of one source.

    A file name without a folder is the file that the older worker saved for an address or a path.
    """
    first, second = _source(one), _source(other)
    if first == second:
        return True
    bare = [name for name in (first, second) if "/" not in name]
    return len(bare) == 1 and bare[0] == _saved_name(second if bare[0] == first else first)


def _source(lora: str) -> str:
    """The source of a LoRA: an address without its query, or the name as it is."""
    name = without_strength(lora)
    if not _is_address(name):
        return name
    parts = urlsplit(name.split("|")[0])
    return f"{parts.netloc.lower()}{unquote(parts.path).replace('/blob/', '/resolve/')}"


def _saved_name(source: str) -> str:
    folder, _, name = source.rpartition("/")
    return f"{folder.rpartition('/')[2]}_{name}".replace(" ", "_") if _GENERIC.fullmatch(name) else name


def _is_address(name: str) -> bool:
    return bool(re.match(r"https?://", name, re.IGNORECASE))


def _commas_separate_loras(settings: Mapping[str, Any], loras: int) -> bool:
    """Whether commas separate LoRAs, as in the older worker, rather than the steps of one."""
    text = settings.get("lora_multipliers")
    alone = isinstance(text, str) and ";" not in text and not re.search(r"[^,\s]\s+[^,\s]", text)
    return alone and loras > 1


def recorded_file_names(loras: Sequence[str]) -> list[str]:
    """LoRAs that WanGP recorded by URL under their file names, as it saved them; strengths are kept.

    An address stays where its file name does not tell which LoRA it is.
    """
    names = [_recorded_file_name(lora) for lora in loras]
    counts = Counter(map(without_strength, names))
    return [
        lora if counts[without_strength(name)] > 1 or _GENERIC.fullmatch(without_strength(name)) else name
        for lora, name in zip(loras, names, strict=True)
    ]


def _recorded_file_name(lora: str) -> str:
    address = without_strength(lora)
    if not _is_address(address):
        return lora
    return address.split("|")[0].split("?")[0].rpartition("/")[2] + lora.removeprefix(address)
