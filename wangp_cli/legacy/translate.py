"""Translate settings of WanGP and of the older worker into the fields of tasks here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wangp_cli.errors import RequestError, nearest
from wangp_cli.legacy import sampling_keys
from wangp_cli.legacy.conditional_keys import drop_unused_keys
from wangp_cli.legacy.documents import DocumentKind, kind_of
from wangp_cli.legacy.letter_codes import AUDIO, IMAGE, VIDEO, apply_letters, guide_kind
from wangp_cli.legacy.lightx2v import unpack_config
from wangp_cli.legacy.lora_keys import OLD_LORA_KEYS, combine_loras, recorded_file_names
from wangp_cli.legacy.old_keys import ACCELERATORS, RENAMED
from wangp_cli.legacy.payload import UnpackedPayload
from wangp_cli.legacy.postprocessing import GIVEN_AS, is_postprocessing, to_upscale_task
from wangp_cli.legacy.renamed_keys import is_foreign, rename_keys
from wangp_cli.legacy.task_types import PAYLOADS, task_type_of, unpack
from wangp_cli.legacy.text_syntax import PROMPT_MODES, WINDOW_MODES, prompts
from wangp_cli.legacy.unknown_keys import is_misspelt, unknown_keys_notice
from wangp_cli.legacy.value_parsers import quote_value
from wangp_cli.legacy.wangp_models import has_windows
from wangp_cli.tasks import TASKS, TaskTypes

BACKGROUND = "remove_background_images_ref"
AUDIO_SCALE_KEYS = {"audio_guidance_scale", "audio_scale"}
"""Keys that the older tools write into every file, though few models take audio."""
ANY_LENGTH = ("rife",)
"""Tasks whose `frames` no model makes, so that every number is served."""
UNSERVED_OF_WINDOWS = (
    "sliding_window_overlap_noise",
    "sliding_window_color_correction_strength",
    "sliding_window_trim_first_frames",
)
"""Keys that change how the windows of a long video are joined in WanGP, and have no counterpart here."""


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
    task: str = "generate",
) -> Translation:
    """Translate settings that may use keys and values of the older tools.

    Documents of other tools may have keys that are unknown here; one notice names them. A value that asks for
    what is not supported is an error in all documents.

    Args:
        settings: of a task here, of WanGP (any version of its settings), of LightX2V or of the older worker.
        given: input fields that have a value from elsewhere, so that a letter code may use one that
            `settings` lacks; None if that is not known yet.
        addresses: keep the URLs that WanGP downloaded LoRAs from, instead of their file names.
        tasks: the task types, whose own fields are never keys of older tools.
        task: type of the task that takes the values of a document without a type.

    Raises:
        RequestError: names the key that is wrong or unsupported.
    """
    kind = kind_of(settings, tasks)
    if kind == "definition":
        raise RequestError(
            "model",
            "the document defines a model of WanGP and is no task",
            hint="`wangp models add NAME FILE` adds the model, --settings-file FILE takes its settings",
        )
    if kind == "wangp" and is_postprocessing(settings):
        values, notices = to_upscale_task(settings)
        return Translation(values=values, notices=tuple(notices), given_as=GIVEN_AS)
    payload = unpack_config(settings, given or ()) if kind == "lightx2v" else unpack(settings)
    if kind in ("wangp", "worker") and task_type_of(settings) not in PAYLOADS:
        payload.values, unused_files = drop_unused_keys(payload.values, given)
        payload.notices += unused_files
    given_as = payload.given_as
    try:
        fields, renamed_from = rename_keys(payload.values, kind, tasks, task)
        given_as = payload.given_as | renamed_from
        made = _translated(fields, payload, given_as, kind=kind, given=given)
    except RequestError as error:
        raise error.named(given_as.get(error.field, error.field)) from None
    loras = made.values.get("loras")
    if isinstance(loras, list) and "settings_version" in payload.values and not addresses:
        made.values["loras"] = recorded_file_names(loras)
    task_type = tasks.get(str(made.values.get("type", task)))
    if kind == "own" or task_type is None:
        return made
    return _without_unknown_keys(made, kind, set(task_type.model_fields))


def _without_unknown_keys(made: Translation, kind: DocumentKind, known: Collection[str]) -> Translation:
    """Drop the keys of another tool or version that have no counterpart, and name them in one notice.

    Raises:
        RequestError: a key of the older worker is misspelt; people write its documents.
    """
    unknown = [made.given_as.get(name, name) for name in made.values if name not in known]
    if not unknown:
        return made
    names = [*known, *RENAMED]
    if kind == "worker" and (misspelt := next((key for key in unknown if is_misspelt(key, names)), None)):
        raise RequestError(misspelt, "there is no such key", hint=nearest(misspelt, names) or None)
    return replace(
        made,
        values={name: value for name, value in made.values.items() if name in known},
        prompts=made.prompts if "prompt" in known else (),
        notices=(*made.notices, unknown_keys_notice(unknown, names)),
    )


def _translated(
    fields: dict[str, Any],
    payload: UnpackedPayload,
    given_as: dict[str, str],
    *,
    kind: DocumentKind,
    given: Collection[str] | None,
) -> Translation:
    """Convert values of renamed keys, and the keys that are read on their own."""
    settings, notices = payload.values, payload.notices
    foreign = is_foreign(settings, kind)
    if payload.model and "model" not in (given or ()):
        fields.setdefault("model", payload.model)
    for key in (IMAGE, VIDEO, AUDIO):
        if settings.get(key) is not None:
            ignored, told = apply_letters(key, settings[key], fields, given)
            fields = {name: value for name, value in fields.items() if name not in ignored}
            notices += told
    if kind_of_guide := guide_kind(settings.get(VIDEO) or ""):
        fields = {"guide_kind": kind_of_guide, **fields}
    if foreign and fields.get("image_refs") and settings.get(BACKGROUND, 1):
        notices.append("image_refs: their background is kept, taking it out is not served")
    if foreign and not fields.get("audio_guide"):
        fields = {name: value for name, value in fields.items() if name not in AUDIO_SCALE_KEYS}
    if foreign:
        notices += [*_window_notices(fields, settings), *_approximations(fields, settings)]
    _accelerate(fields, settings)
    notices += _set_step_cache(fields, settings)
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
    guided = sampling_keys.guidance(settings) | sampling_keys.model_mode(str(fields.get("model")), settings)
    fields |= guided
    given_as |= sampling_keys.keys_given(guided, settings)
    texts = _prompts(fields, settings, kind, notices)
    return Translation(values=fields, prompts=texts, notices=tuple(notices), given_as=given_as)


def _set_step_cache(fields: dict[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Set the threshold of the step cache; notices of what it does not take."""
    notices = []
    if fields.get("cache") == "fbcache" and "skip_steps_multiplier" in settings:
        # For this cache the multiplier is the threshold.
        fields["cache"] = f"fbcache={settings['skip_steps_multiplier']}"
    elif fields.get("cache") == "magcache":
        notices.append("skip_steps_multiplier: not read, magcache keeps its usual threshold")
    if fields.get("cache") and settings.get("skip_steps_start_step_perc"):
        notices.append("skip_steps_start_step_perc: not used, steps are skipped from the first one on")
    return notices


def _window_notices(fields: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """A notice for each value about the windows of a long video that has no counterpart."""
    length, window = fields.get("frames"), fields.get("sliding_window_size")
    if not (isinstance(length, int) and isinstance(window, int) and 0 < window < length):
        return []
    if str(fields.get("model")).startswith(sampling_keys.DIFFUSION_FORCING):
        return []
    return [
        f"{key}: {quote_value(settings[key])} is not served, windows are joined without it"
        for key in UNSERVED_OF_WINDOWS
        if settings.get(key)
    ]


def _approximations(fields: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """A notice for each value of which only a part is done."""
    notices = []
    if fields.get("fps") in ("auto", "control") and fields.get("video_guide"):
        notices.append("force_fps: the rate of the control video is not taken over, give fps")
    if (frames := settings.get("min_frames_if_references", 1)) not in (0, 1, 1001) and "image_mode" in fields:
        notices.append(f"min_frames_if_references: {quote_value(frames)} is not served, one frame is made")
    return notices


def _accelerate(fields: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Translate switches of the older worker into the accelerator they turn on."""
    for key, accelerator in ACCELERATORS.items():
        if (value := settings.get(key) or False) not in (True, False):
            raise RequestError(key, f"{quote_value(value)} is neither true nor false")
        if value and fields.setdefault("accelerator", accelerator) != accelerator:
            raise RequestError(
                key, f"true, but the accelerator is {quote_value(fields['accelerator'])} already"
            )


def _values(fields: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values of the older tools: lengths are floored to the grid, neutral values dropped."""
    mode = fields.pop("image_mode", 0)
    if mode == 1:
        fields["frames"] = 1
    elif mode != 0:
        raise RequestError("image_mode", f"{quote_value(mode)} is not served", hint="leave it out")
    frames = fields.get("frames")
    on_grid = fields.get("type") not in ANY_LENGTH
    if on_grid and isinstance(frames, int) and not isinstance(frames, bool) and frames > 1:
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


def _prompts(
    fields: dict[str, Any], settings: Mapping[str, Any], kind: DocumentKind, notices: list[str]
) -> tuple[str, ...]:
    """The prompts of a document whose prompt is a text by WanGP's rules; also sets those of windows."""
    enhanced = settings.get("enhanced_prompt")
    if kind != "own" and isinstance(enhanced, str) and enhanced.strip():
        notices.append("prompt: the text that the prompt enhancer made of it is used")
        fields["prompt"] = enhanced
    text, mode = fields.get("prompt"), settings.get("multi_prompts_gen_type")
    if not isinstance(text, str) or (mode is None and kind != "wangp" and "settings_version" not in settings):
        return ()
    mode = PROMPT_MODES.get(str(mode), str(mode)) if mode is not None else "PG"
    if not has_windows(str(fields.get("model"))):
        mode = mode.replace("W", "G")
    several = prompts(text, mode)
    if len(several) > 1 and mode in WINDOW_MODES:
        fields["window_prompts"] = several
        return tuple(several[:1])
    return tuple(several)
