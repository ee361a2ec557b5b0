"""Translate the older tools' keys for LoRAs and their strengths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.text_syntax import file_name_of, strengths, without_strength
from wangp_cli.legacy.value_parsers import quote_value

OLD_LORA_KEYS = {"activated_loras", "lora_names", "loras_multipliers", "loras_mult", "additional_loras"}
"""Keys of the older tools for LoRAs and their strengths."""


def combine_loras(fields: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Combine LoRA files and strengths from all keys that hold them, into `loras` and `lora_multipliers`.

    Args:
        fields: the translated values; changed in place.
        settings: with the old keys.

    Raises:
        RequestError: names the key that is wrong.
    """
    loras, multipliers = fields.get("loras"), fields.pop("lora_multipliers", None)
    additional = settings.get("additional_loras") or {}
    if fields.get("accelerator") and isinstance(multipliers, str) and "|" in multipliers:
        # The strengths before `|` are for the LoRAs of the accelerator.
        accelerated, _, multipliers = multipliers.partition("|")
        fields["lora_multipliers"] = f"{accelerated}|"
    if isinstance(loras, str):
        loras = [item for item in re.split(r"\s*,\s*", loras.strip()) if item]
    if loras is not None and not (isinstance(loras, list) and all(isinstance(item, str) for item in loras)):
        raise RequestError("loras", f"{quote_value(fields['loras'])} is no list of LoRA files")
    if not isinstance(additional, dict):
        raise RequestError(
            "additional_loras", f"{quote_value(additional)} is no table of LoRA files and strengths"
        )
    if loras and (multipliers or "activated_loras" in settings or "lora_names" in settings):
        numbers = strengths(
            multipliers or "", len(loras), commas=_commas_separate_loras(settings, len(loras))
        )
        loras = [f"{lora}@{number}" for lora, number in zip(loras, numbers, strict=True)]
    more = {name: strengths("" if value is None else value, 1)[0] for name, value in additional.items()}
    loras = _merged_loras(loras or [], more)
    if loras:
        fields["loras"] = loras


def _merged_loras(loras: list[str], more: Mapping[str, str]) -> list[str]:
    """Merge LoRAs so that each file appears once; a second strength wins if it is one by phase."""
    merged = list(loras)
    for name, strength in more.items():
        duplicate = next(
            (i for i, lora in enumerate(merged) if file_name_of(lora) == file_name_of(name)), None
        )
        if duplicate is None:
            merged.append(f"{name}@{strength}")
        elif ";" in strength:
            merged[duplicate] = f"{without_strength(merged[duplicate])}@{strength}"
    return merged


def _commas_separate_loras(settings: Mapping[str, Any], loras: int) -> bool:
    """Whether commas separate LoRAs, as in the older worker, rather than the steps of one."""
    text = settings.get("lora_multipliers")
    alone = isinstance(text, str) and ";" not in text and not re.search(r"[^,\s]\s+[^,\s]", text)
    return alone and loras > 1


def recorded_file_name(lora: str) -> str:
    """The file name of a LoRA that WanGP recorded by its URL; the strength is kept."""
    if not re.match(r"https?://", lora, re.IGNORECASE):
        return lora
    address, at, number = lora.rpartition("@")
    return (
        (address or number).split("|")[0].split("?")[0].rsplit("/", 1)[-1] + at + (number if address else "")
    )
