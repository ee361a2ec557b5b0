"""From a dictionary that may use the older tools' words to values under our names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy import sampling
from wangp_cli.legacy.forms import short
from wangp_cli.legacy.grammars import PROMPT_MODES, WINDOW_MODES, bare, file_of, prompts, strengths
from wangp_cli.legacy.letters import AUDIO, IMAGE, VIDEO, apply_letters
from wangp_cli.legacy.names import (
    ACCELERATORS,
    DROPPED,
    HANDLED,
    HINTS,
    MARKS,
    NEUTRAL,
    RENAMED,
    VALUES,
)
from wangp_cli.legacy.payload import Opened
from wangp_cli.legacy.types import as_generate, is_old, kind_of, opened
from wangp_cli.tasks import TASKS

BACKGROUND = "remove_background_images_ref"
OF_SPEECH = {"audio_guidance_scale", "audio_scale"}
"""What the older tools write into every file, though few models hear anything."""
FOREIGN_LORAS = {"activated_loras", "lora_names", "loras_multipliers", "loras_mult", "additional_loras"}
"""Keys by which the older tools name LoRAs and their strengths."""


@dataclass(frozen=True, kw_only=True)
class Translation:
    """What a dictionary says, in our words.

    Args:
        values: under our names; `prompt` as it was written.
        prompts: the prompts it holds, one task each.
        notices: what was left out, for people.
        said_as: the key by which a field was said, where it has another name here.
    """

    values: dict[str, Any]
    prompts: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    said_as: Mapping[str, str] = field(default_factory=dict)


def translate(settings: Mapping[str, Any], *, addresses: bool = False) -> dict[str, Any]:
    """Values under our names, from a dictionary that may use the older tools' words.

    Args:
        settings: as in `read`.
        addresses: as in `read`.

    Raises:
        RequestError: a known old key asks for something that we do not serve.
    """
    return read(settings, addresses=addresses).values


def read(
    settings: Mapping[str, Any], *, given: Collection[str] | None = None, addresses: bool = False
) -> Translation:
    """What a dictionary says, in our words.

    Args:
        settings: of ours, of WanGP (any version of its settings) or of the older worker.
        given: input fields that get a value from elsewhere, so that a letter code may ask for one that
            `settings` lacks; None where that is not known yet.
        addresses: keep the addresses that WanGP got LoRAs from, rather than the names of their files.

    Raises:
        RequestError: a known old key asks for something that we do not serve.
    """
    payload = opened(settings)
    found, foreign, said_as = _renamed(payload.values)
    said_as = payload.said_as | said_as
    try:
        made = _translated(found, payload, said_as, foreign=foreign or payload.is_old, given=given)
        loras = made.values.get("loras")
        if isinstance(loras, list) and "settings_version" in payload.values and not addresses:
            made.values["loras"] = [_file_name(lora) for lora in loras]
        return made
    except RequestError as error:
        raise error.named(said_as.get(error.field, error.field)) from None


def _translated(
    found: dict[str, Any],
    payload: Opened,
    said_as: dict[str, str],
    *,
    foreign: bool,
    given: Collection[str] | None,
) -> Translation:
    """Values under our names, in our form as well."""
    settings, notices = payload.values, payload.notices
    if payload.model and "model" not in (given or ()):
        found.setdefault("model", payload.model)
    for key in (IMAGE, VIDEO, AUDIO):
        if settings.get(key) is not None:
            ignored, told = apply_letters(key, settings[key], found, given)
            found = {name: value for name, value in found.items() if name not in ignored}
            notices += told
    if foreign and found.get("image_refs") and settings.get(BACKGROUND, 1):
        notices.append("image_refs: their background is kept, taking it out is not served")
    if foreign and not found.get("audio_guide"):
        found = {name: value for name, value in found.items() if name not in OF_SPEECH}
    _accelerate(found, settings)
    if found.get("cache") == "fbcache" and "skip_steps_multiplier" in settings:
        # Of this cache the multiplier is the threshold.
        found["cache"] = f"fbcache={settings['skip_steps_multiplier']}"
    elif found.get("cache") == "magcache":
        notices.append("skip_steps_multiplier: not read, magcache keeps its usual threshold")
    if foreign or settings.keys() & FOREIGN_LORAS:
        _loras(found, settings)
    _one_of(found)
    if foreign:
        found = sampling.phases(_values(sampling.start(found, settings), settings))
    before = found
    found = sampling.phase_config(found, settings, notices)
    said_as |= {name: sampling.CONFIG for name, value in found.items() if value != before.get(name)}
    found |= sampling.guidance(settings) | sampling.mode(str(found.get("model")), settings)
    return Translation(
        values=found, prompts=_prompts(found, settings), notices=tuple(notices), said_as=said_as
    )


def _renamed(settings: Mapping[str, Any]) -> tuple[dict[str, Any], bool, dict[str, str]]:
    """Values by our names, whether one of the older tools wrote them, and by which key each was said."""
    kind = kind_of(settings)
    foreign = is_old(kind) or any(key in settings for key in MARKS)
    ours = TASKS[kind].model_fields if kind in TASKS else {}
    found: dict[str, Any] = {}
    said_as: dict[str, str] = {}
    for key, said in settings.items():
        value = _in_our_words(key, said)
        if value is None or key in HANDLED or key in ACCELERATORS:
            continue
        if key in ours:
            _say(key, key, value, found, said_as)
        elif key in DROPPED:
            continue
        elif key in NEUTRAL:
            if value not in NEUTRAL[key]:
                raise RequestError(
                    key, f"{short(value)} is not served", hint=HINTS.get(key, f"leave {key} out")
                )
        elif key == "type" and _is_wangp(value):
            foreign = True
        elif key == "base_model_type":
            found.setdefault("model", value)
            said_as.setdefault("model", key)
        else:
            _say(RENAMED.get(key, key), key, value, found, said_as)
    if is_old(kind):
        found = as_generate(kind, found)
    return found, foreign, {name: key for name, key in said_as.items() if name != key}


def _accelerate(found: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Take switches of the older worker for the accelerators they are."""
    for key, accelerator in ACCELERATORS.items():
        if (value := settings.get(key) or False) not in (True, False):
            raise RequestError(key, f"{short(value)} is neither true nor false")
        if value and found.setdefault("accelerator", accelerator) != accelerator:
            raise RequestError(key, f"true, but the accelerator is {short(found['accelerator'])} already")


def _is_wangp(kind: Any) -> bool:
    """Whether a `type` is the sentence by which WanGP knows its files."""
    return isinstance(kind, str) and bool(re.search(r"wan2?gp", kind, re.IGNORECASE))


def _say(name: str, key: str, value: Any, found: dict[str, Any], said_as: dict[str, str]) -> None:
    other = said_as.get(name)
    if other and other != "base_model_type" and found[name] != value:
        raise RequestError(key, f"{short(value)}, but {other} says {short(found[name])}")
    found[name], said_as[name] = value, key


def _in_our_words(key: str, value: Any) -> Any:
    known = key in VALUES and isinstance(value, str | int | float) and value in VALUES[key]
    return VALUES[key][value] if known else value


def _values(found: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the older tools in our form: floored lengths, rates and names that mean the model's own."""
    mode = found.pop("image_mode", 0)
    if mode == 1:
        found["frames"] = 1
    elif mode != 0:
        raise RequestError("image_mode", f"{short(mode)} is not served", hint="leave it out")
    frames = found.get("frames")
    if isinstance(frames, int) and not isinstance(frames, bool) and frames > 1:
        found["frames"] = (frames - 1) // 4 * 4 + 1
    if str(found.get("fps", "1")) in ("", "auto", "source", "control"):
        found.pop("fps")
    if settings.get("full_prompt") is False:
        # A LoRA preset whose prompt is only an example.
        found.pop("prompt", None)
    return {key: value for key, value in found.items() if value not in ("", [], ())}


def _one_of(found: dict[str, Any]) -> None:
    """Unwrap lists of one picture; several are several tasks, which only their author can write."""
    for name in ("image_start", "image_end"):
        value = found.get(name)
        if isinstance(value, list):
            if len(value) > 1:
                raise RequestError(
                    name, f"{len(value)} pictures, a task takes one", hint="write a task for each"
                )
            found[name] = value[0] if value else None


def _loras(found: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Join LoRA files and their strengths, from wherever they are."""
    loras, multipliers = found.get("loras"), found.pop("lora_multipliers", None)
    additional = settings.get("additional_loras") or {}
    if found.get("accelerator") and isinstance(multipliers, str) and "|" in multipliers:
        # Those of the accelerator come first; it has its LoRAs itself.
        accelerated, _, multipliers = multipliers.partition("|")
        found["lora_multipliers"] = f"{accelerated}|"
    if isinstance(loras, str):
        loras = [item for item in re.split(r"\s*,\s*", loras.strip()) if item]
    if loras is not None and not (isinstance(loras, list) and all(isinstance(item, str) for item in loras)):
        raise RequestError("loras", f"{short(found['loras'])} is no list of LoRA files")
    if not isinstance(additional, dict):
        raise RequestError("additional_loras", f"{short(additional)} is no table of LoRA files and strengths")
    if loras and (multipliers or "activated_loras" in settings or "lora_names" in settings):
        numbers = strengths(multipliers or "", len(loras), commas=_part_loras(settings, len(loras)))
        loras = [f"{lora}@{number}" for lora, number in zip(loras, numbers, strict=True)]
    more = {name: strengths("" if value is None else value, 1)[0] for name, value in additional.items()}
    loras = _without_twins(loras or [], more)
    if loras:
        found["loras"] = loras


def _without_twins(loras: list[str], more: Mapping[str, str]) -> list[str]:
    """All LoRAs, each file once; a second strength of one counts if it is said by phase."""
    found = list(loras)
    for name, strength in more.items():
        twin = next((i for i, lora in enumerate(found) if file_of(lora) == file_of(name)), None)
        if twin is None:
            found.append(f"{name}@{strength}")
        elif ";" in strength:
            found[twin] = f"{bare(found[twin])}@{strength}"
    return found


def _part_loras(settings: Mapping[str, Any], loras: int) -> bool:
    """Whether commas are between LoRAs, as in the older worker, rather than between the steps of one."""
    text = settings.get("lora_multipliers")
    alone = isinstance(text, str) and ";" not in text and not re.search(r"[^,\s]\s+[^,\s]", text)
    return alone and loras > 1


def _file_name(lora: str) -> str:
    """WanGP writes where it got a LoRA; the file in the LoRA folder has the last part as its name."""
    if not re.match(r"https?://", lora, re.IGNORECASE):
        return lora
    address, at, number = lora.rpartition("@")
    return (
        (address or number).split("|")[0].split("?")[0].rsplit("/", 1)[-1] + at + (number if address else "")
    )


def _prompts(found: dict[str, Any], settings: Mapping[str, Any]) -> tuple[str, ...]:
    text, mode = found.get("prompt"), settings.get("multi_prompts_gen_type")
    if not isinstance(text, str) or (mode is None and "settings_version" not in settings):
        return ()
    several = prompts(text, "PG" if mode is None else mode)
    if len(several) > 1 and PROMPT_MODES.get(str(mode), str(mode)) in WINDOW_MODES:
        found["window_prompts"] = several
        return tuple(several[:1])
    return tuple(several)
