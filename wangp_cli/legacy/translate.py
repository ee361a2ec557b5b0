"""From a dictionary that may use the older tools' words to values under our names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy import sampling_keys
from wangp_cli.legacy.letter_codes import AUDIO, IMAGE, VIDEO, apply_letters
from wangp_cli.legacy.old_keys import (
    ACCELERATORS,
    IGNORED,
    NEUTRAL,
    NEUTRAL_HINTS,
    ONLY_OLD_KEYS,
    READ_ELSEWHERE,
    RENAMED,
    RENAMED_VALUES,
)
from wangp_cli.legacy.payload import UnpackedPayload
from wangp_cli.legacy.task_types import is_old_type, task_type_of, to_generate_task, unpack
from wangp_cli.legacy.text_syntax import (
    PROMPT_MODES,
    WINDOW_MODES,
    file_name_of,
    prompts,
    strengths,
    without_strength,
)
from wangp_cli.legacy.value_parsers import quote_value
from wangp_cli.tasks import TASKS

BACKGROUND = "remove_background_images_ref"
AUDIO_SCALE_KEYS = {"audio_guidance_scale", "audio_scale"}
"""What the older tools write into every file, though few models hear anything."""
OLD_LORA_KEYS = {"activated_loras", "lora_names", "loras_multipliers", "loras_mult", "additional_loras"}
"""Keys by which the older tools name LoRAs and their strengths."""


@dataclass(frozen=True, kw_only=True)
class Translation:
    """What a dictionary says, in our words.

    Args:
        values: under our names; `prompt` as it was written.
        prompts: the prompts it holds, one task each.
        notices: what was left out, for people.
        given_as: the key by which a field was said, where it has another name here.
    """

    values: dict[str, Any]
    prompts: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    given_as: Mapping[str, str] = field(default_factory=dict)


def translate_values(settings: Mapping[str, Any], *, addresses: bool = False) -> dict[str, Any]:
    """Values under our names, from a dictionary that may use the older tools' words.

    Args:
        settings: as in `read`.
        addresses: as in `read`.

    Raises:
        RequestError: a known old key asks for something that we do not serve.
    """
    return translate(settings, addresses=addresses).values


def translate(
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
    payload = unpack(settings)
    found, foreign, given_as = _renamed(payload.values)
    given_as = payload.given_as | given_as
    try:
        made = _translated(found, payload, given_as, foreign=foreign or payload.is_old, given=given)
        loras = made.values.get("loras")
        if isinstance(loras, list) and "settings_version" in payload.values and not addresses:
            made.values["loras"] = [_file_name(lora) for lora in loras]
        return made
    except RequestError as error:
        raise error.named(given_as.get(error.field, error.field)) from None


def _translated(
    found: dict[str, Any],
    payload: UnpackedPayload,
    given_as: dict[str, str],
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
        found = {name: value for name, value in found.items() if name not in AUDIO_SCALE_KEYS}
    _accelerate(found, settings)
    if found.get("cache") == "fbcache" and "skip_steps_multiplier" in settings:
        # Of this cache the multiplier is the threshold.
        found["cache"] = f"fbcache={settings['skip_steps_multiplier']}"
    elif found.get("cache") == "magcache":
        notices.append("skip_steps_multiplier: not read, magcache keeps its usual threshold")
    if foreign or settings.keys() & OLD_LORA_KEYS:
        _loras(found, settings)
    _one_of(found)
    if foreign:
        found = sampling_keys.phases(_values(sampling_keys.start(found, settings), settings))
    before = found
    found = sampling_keys.phase_config(found, settings, notices)
    given_as |= {name: sampling_keys.CONFIG for name, value in found.items() if value != before.get(name)}
    found |= sampling_keys.guidance(settings) | sampling_keys.mode(str(found.get("model")), settings)
    return Translation(
        values=found, prompts=_prompts(found, settings), notices=tuple(notices), given_as=given_as
    )


def _renamed(settings: Mapping[str, Any]) -> tuple[dict[str, Any], bool, dict[str, str]]:
    """Values by our names, whether one of the older tools wrote them, and by which key each was said."""
    kind = task_type_of(settings)
    foreign = is_old_type(kind) or any(key in settings for key in ONLY_OLD_KEYS)
    ours = TASKS[kind].model_fields if kind in TASKS else {}
    found: dict[str, Any] = {}
    given_as: dict[str, str] = {}
    for key, said in settings.items():
        value = _in_our_words(key, said)
        if value is None or key in READ_ELSEWHERE or key in ACCELERATORS:
            continue
        if key in ours:
            _say(key, key, value, found, given_as)
        elif key in IGNORED:
            continue
        elif key in NEUTRAL:
            if value not in NEUTRAL[key]:
                raise RequestError(
                    key,
                    f"{quote_value(value)} is not served",
                    hint=NEUTRAL_HINTS.get(key, f"leave {key} out"),
                )
        elif key == "type" and _is_wangp(value):
            foreign = True
        elif key == "base_model_type":
            found.setdefault("model", value)
            given_as.setdefault("model", key)
        else:
            _say(RENAMED.get(key, key), key, value, found, given_as)
    if is_old_type(kind):
        found = to_generate_task(kind, found)
    return found, foreign, {name: key for name, key in given_as.items() if name != key}


def _accelerate(found: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Take switches of the older worker for the accelerators they are."""
    for key, accelerator in ACCELERATORS.items():
        if (value := settings.get(key) or False) not in (True, False):
            raise RequestError(key, f"{quote_value(value)} is neither true nor false")
        if value and found.setdefault("accelerator", accelerator) != accelerator:
            raise RequestError(
                key, f"true, but the accelerator is {quote_value(found['accelerator'])} already"
            )


def _is_wangp(kind: Any) -> bool:
    """Whether a `type` is the sentence by which WanGP knows its files."""
    return isinstance(kind, str) and bool(re.search(r"wan2?gp", kind, re.IGNORECASE))


def _say(name: str, key: str, value: Any, found: dict[str, Any], given_as: dict[str, str]) -> None:
    other = given_as.get(name)
    if other and other != "base_model_type" and found[name] != value:
        raise RequestError(key, f"{quote_value(value)}, but {other} says {quote_value(found[name])}")
    found[name], given_as[name] = value, key


def _in_our_words(key: str, value: Any) -> Any:
    known = key in RENAMED_VALUES and isinstance(value, str | int | float) and value in RENAMED_VALUES[key]
    return RENAMED_VALUES[key][value] if known else value


def _values(found: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the older tools in our form: floored lengths, rates and names that mean the model's own."""
    mode = found.pop("image_mode", 0)
    if mode == 1:
        found["frames"] = 1
    elif mode != 0:
        raise RequestError("image_mode", f"{quote_value(mode)} is not served", hint="leave it out")
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
        raise RequestError("loras", f"{quote_value(found['loras'])} is no list of LoRA files")
    if not isinstance(additional, dict):
        raise RequestError(
            "additional_loras", f"{quote_value(additional)} is no table of LoRA files and strengths"
        )
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
        twin = next((i for i, lora in enumerate(found) if file_name_of(lora) == file_name_of(name)), None)
        if twin is None:
            found.append(f"{name}@{strength}")
        elif ";" in strength:
            found[twin] = f"{without_strength(found[twin])}@{strength}"
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
