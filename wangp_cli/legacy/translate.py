"""Translate settings of WanGP and of the older worker into the fields of tasks here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy import sampling_keys
from wangp_cli.legacy.letter_codes import AUDIO, IMAGE, VIDEO, apply_letters
from wangp_cli.legacy.lora_keys import OLD_LORA_KEYS, combine_loras, recorded_file_name
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
    prompts,
)
from wangp_cli.legacy.value_parsers import quote_value
from wangp_cli.tasks import TASKS, TaskTypes

BACKGROUND = "remove_background_images_ref"
AUDIO_SCALE_KEYS = {"audio_guidance_scale", "audio_scale"}
"""Keys that the older tools write into every file, though few models take audio."""


@dataclass(frozen=True, kw_only=True)
class Translation:
    """Translated settings.

    Args:
        values: by field; `prompt` is not split.
        prompts: the prompts that the text holds, one task each.
        notices: what was ignored, for people.
        given_as: the key by which a field was given, where the key has another name.
    """

    values: dict[str, Any]
    prompts: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    given_as: Mapping[str, str] = field(default_factory=dict)


def translate_values(
    settings: Mapping[str, Any], *, addresses: bool = False, tasks: TaskTypes = TASKS
) -> dict[str, Any]:
    """The values of `translate`, with the same arguments and errors."""
    return translate(settings, addresses=addresses, tasks=tasks).values


def translate(
    settings: Mapping[str, Any],
    *,
    given: Collection[str] | None = None,
    addresses: bool = False,
    tasks: TaskTypes = TASKS,
) -> Translation:
    """Translate settings that may use keys and values of the older tools.

    Args:
        settings: of a task here, of WanGP (any version of its settings) or of the older worker.
        given: input fields that have a value from elsewhere, so that a letter code may use one that
            `settings` lacks; None if that is not known yet.
        addresses: keep the URLs that WanGP downloaded LoRAs from, instead of their file names.
        tasks: the task types, whose own fields are never keys of older tools.

    Raises:
        RequestError: names the key that is wrong or unsupported.
    """
    payload = unpack(settings)
    fields, foreign, given_as = _renamed(payload.values, tasks)
    given_as = payload.given_as | given_as
    try:
        made = _translated(fields, payload, given_as, foreign=foreign or payload.is_old, given=given)
        loras = made.values.get("loras")
        if isinstance(loras, list) and "settings_version" in payload.values and not addresses:
            made.values["loras"] = [recorded_file_name(lora) for lora in loras]
        return made
    except RequestError as error:
        raise error.named(given_as.get(error.field, error.field)) from None


def _translated(
    fields: dict[str, Any],
    payload: UnpackedPayload,
    given_as: dict[str, str],
    *,
    foreign: bool,
    given: Collection[str] | None,
) -> Translation:
    """Convert values of renamed keys, and the keys that are read on their own."""
    settings, notices = payload.values, payload.notices
    if payload.model and "model" not in (given or ()):
        fields.setdefault("model", payload.model)
    for key in (IMAGE, VIDEO, AUDIO):
        if settings.get(key) is not None:
            ignored, told = apply_letters(key, settings[key], fields, given)
            fields = {name: value for name, value in fields.items() if name not in ignored}
            notices += told
    if foreign and fields.get("image_refs") and settings.get(BACKGROUND, 1):
        notices.append("image_refs: their background is kept, taking it out is not served")
    if foreign and not fields.get("audio_guide"):
        fields = {name: value for name, value in fields.items() if name not in AUDIO_SCALE_KEYS}
    _accelerate(fields, settings)
    if fields.get("cache") == "fbcache" and "skip_steps_multiplier" in settings:
        # For this cache the multiplier is the threshold.
        fields["cache"] = f"fbcache={settings['skip_steps_multiplier']}"
    elif fields.get("cache") == "magcache":
        notices.append("skip_steps_multiplier: not read, magcache keeps its usual threshold")
    if foreign or settings.keys() & OLD_LORA_KEYS:
        combine_loras(fields, settings)
    _one_of(fields)
    if foreign:
        fields = sampling_keys.existing_phases(
            _values(sampling_keys.initial_video(fields, settings), settings)
        )
    before = fields
    fields = sampling_keys.phase_config(fields, settings, notices)
    given_as |= {name: sampling_keys.CONFIG for name, value in fields.items() if value != before.get(name)}
    fields |= sampling_keys.guidance(settings) | sampling_keys.model_mode(str(fields.get("model")), settings)
    return Translation(
        values=fields, prompts=_prompts(fields, settings), notices=tuple(notices), given_as=given_as
    )


def _renamed(settings: Mapping[str, Any], tasks: TaskTypes) -> tuple[dict[str, Any], bool, dict[str, str]]:
    """Rename keys.

    Returns:
        values by field, whether an older tool wrote them, and the key by which each renamed field was given.
    """
    kind = task_type_of(settings)
    foreign = is_old_type(kind) or any(key in settings for key in ONLY_OLD_KEYS)
    known_fields = tasks[kind].model_fields if kind in tasks else {}
    fields: dict[str, Any] = {}
    given_as: dict[str, str] = {}
    for key, old_value in settings.items():
        value = _renamed_value(key, old_value)
        if value is None or key in READ_ELSEWHERE or key in ACCELERATORS:
            continue
        if key in known_fields:
            _set(key, key, value, fields, given_as)
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
            fields.setdefault("model", value)
            given_as.setdefault("model", key)
        else:
            _set(RENAMED.get(key, key), key, value, fields, given_as)
    if is_old_type(kind):
        fields = to_generate_task(kind, fields)
    return fields, foreign, {name: key for name, key in given_as.items() if name != key}


def _accelerate(fields: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Translate switches of the older worker into the accelerator they turn on."""
    for key, accelerator in ACCELERATORS.items():
        if (value := settings.get(key) or False) not in (True, False):
            raise RequestError(key, f"{quote_value(value)} is neither true nor false")
        if value and fields.setdefault("accelerator", accelerator) != accelerator:
            raise RequestError(
                key, f"true, but the accelerator is {quote_value(fields['accelerator'])} already"
            )


def _is_wangp(kind: Any) -> bool:
    """Whether a `type` is the text that WanGP writes into its settings files."""
    return isinstance(kind, str) and bool(re.search(r"wan2?gp", kind, re.IGNORECASE))


def _set(name: str, key: str, value: Any, fields: dict[str, Any], given_as: dict[str, str]) -> None:
    other = given_as.get(name)
    if other and other != "base_model_type" and fields[name] != value:
        raise RequestError(key, f"{quote_value(value)}, but {other} says {quote_value(fields[name])}")
    fields[name], given_as[name] = value, key


def _renamed_value(key: str, value: Any) -> Any:
    known = key in RENAMED_VALUES and isinstance(value, str | int | float) and value in RENAMED_VALUES[key]
    return RENAMED_VALUES[key][value] if known else value


def _values(fields: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values of the older tools: lengths are floored to the grid, neutral values dropped."""
    mode = fields.pop("image_mode", 0)
    if mode == 1:
        fields["frames"] = 1
    elif mode != 0:
        raise RequestError("image_mode", f"{quote_value(mode)} is not served", hint="leave it out")
    frames = fields.get("frames")
    if isinstance(frames, int) and not isinstance(frames, bool) and frames > 1:
        fields["frames"] = (frames - 1) // 4 * 4 + 1
    if str(fields.get("fps", "1")) in ("", "auto", "source", "control"):
        fields.pop("fps")
    if settings.get("full_prompt") is False:
        # A LoRA preset: its prompt is only an example.
        fields.pop("prompt", None)
    return {key: value for key, value in fields.items() if value not in ("", [], ())}


def _one_of(fields: dict[str, Any]) -> None:
    """Unwrap lists of one image; a list of several would be several tasks."""
    for name in ("image_start", "image_end"):
        value = fields.get(name)
        if isinstance(value, list):
            if len(value) > 1:
                raise RequestError(
                    name, f"{len(value)} pictures, a task takes one", hint="write a task for each"
                )
            fields[name] = value[0] if value else None


def _prompts(fields: dict[str, Any], settings: Mapping[str, Any]) -> tuple[str, ...]:
    text, mode = fields.get("prompt"), settings.get("multi_prompts_gen_type")
    if not isinstance(text, str) or (mode is None and "settings_version" not in settings):
        return ()
    several = prompts(text, "PG" if mode is None else mode)
    if len(several) > 1 and PROMPT_MODES.get(str(mode), str(mode)) in WINDOW_MODES:
        fields["window_prompts"] = several
        return tuple(several[:1])
    return tuple(several)
