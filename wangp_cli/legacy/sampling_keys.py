"""Translate the older tools' keys for guidance, phases, the model mode and the initial video."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.letter_codes import VIDEO
from wangp_cli.legacy.lora_keys import is_same_lora, with_address
from wangp_cli.legacy.value_parsers import (
    ValueParser,
    any_value,
    boolean,
    list_of,
    number,
    object_of,
    parse_value,
    quote_value,
    text,
    whole_number,
)
from wangp_cli.legacy.wangp_models import RECAMMASTER
from wangp_cli.plan.phases import thresholds_between, timesteps_of
from wangp_cli.tasks.lora_strength import Strength, with_points
from wangp_cli.tasks.shot import LEAST_FLOW_SHIFT

KEYS_OF_PHASE = {
    2: {"guidance2_scale", "switch_threshold"},
    3: {"guidance3_scale", "switch_threshold2", "model_switch_phase"},
}
"""Keys that need at least so many phases."""
SCALES = ("guidance_scale", "guidance2_scale", "guidance3_scale")
DEFAULT_SCALES = (3.0, 1.0, 1.0)
"""Defaults of the older worker for phases without a scale."""
DEFAULT_STEPS = [2, 2, 2]
DEFAULT_SAMPLER = "euler"
DEFAULT_LAYERS = [9]
DIFFUSION_FORCING = "sky_df"
"""Prefix of the names of diffusion forcing models."""
SKYREELS_BLOCK = 5
CONFIG = "phase_config"
KEYS_OF_FIELD = {
    "cfg_zero": ("cfg_star_switch",),
    "zero_init_steps": ("cfg_zero_step",),
    "apg": ("apg_switch",),
    "skip_layers": ("perturbation_layers", "slg_layers", "perturbation_switch", "slg_switch"),
    "skip_layer_start": ("perturbation_start_perc", "slg_start_perc"),
    "skip_layer_stop": ("perturbation_end_perc", "slg_end_perc"),
    "nag_scale": ("NAG_scale",),
    "nag_tau": ("NAG_tau",),
    "nag_alpha": ("NAG_alpha",),
    "camera": ("model_mode",),
    "ar_step": ("model_mode",),
    "addnoise_condition": ("sliding_window_overlap_noise",),
}
"""Keys that give a field of `guidance` and `model_mode`."""
MAX_STEPS = 500

_LORA: ValueParser[Any] = object_of(url=text, path=text, multiplier=any_value)
_PHASE: ValueParser[Any] = object_of(
    frozenset({"name", "id"}), phase=any_value, guidance_scale=number, loras=list_of(_LORA)
)
_PHASE_CONFIG: ValueParser[Any] = object_of(
    frozenset({"mode", "name"}),
    num_phases=whole_number,
    steps_per_phase=list_of(whole_number),
    flow_shift=number,
    sample_solver=text,
    model_switch_phase=whole_number,
    phases=list_of(_PHASE),
    svi2pro=boolean,
)


def initial_video(fields: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Set the initial video: with the letter G the control video; drop the strength if it has no effect."""
    fields = dict(fields)
    if fields.get("type", "generate") != "generate":
        # Other tasks start from the frames that they replace.
        return fields
    letters = settings.get(VIDEO)
    if isinstance(letters, str) and "G" in letters and fields.get("video_guide"):
        fields["video_initial"] = fields.pop("video_guide")
    if not fields.get("video_initial") or fields.get("denoising_strength") == 1:
        unused = ("video_initial", "denoising_strength")
        fields = {key: value for key, value in fields.items() if key not in unused}
    return fields


def existing_phases(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Drop values of phases that do not exist: the older tools write all three, with 0 for unset values.

    One phase is dropped as well: with a model of two networks it meant two, and other models have one anyway.
    """
    phases = fields.get("guidance_phases")
    unused = {key for key in ("switch_threshold", "switch_threshold2") if fields.get(key) == 0}
    if phases in (0, 1):
        unused.add("guidance_phases")
    for phase, keys in KEYS_OF_PHASE.items():
        if isinstance(phases, int) and phases < phase:
            unused |= keys
    return {key: value for key, value in fields.items() if key not in unused}


def guidance(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The guidance methods that are switched on, with their values.

    Raises:
        RequestError: naming the key.
    """

    def value_of(key: str, parse: ValueParser[Any], default: Any) -> Any:
        return parse_value(key, parse, settings[key]) if settings.get(key) is not None else default

    fields: dict[str, Any] = {}
    if _switched("cfg_star_switch", settings):
        fields |= {"cfg_zero": True, "zero_init_steps": int(value_of("cfg_zero_step", number, -1)) + 1}
    if _switched("apg_switch", settings):
        fields["apg"] = True
    for new, old in (("perturbation", "slg"), ("slg", "perturbation")):
        if _switched(f"{new}_switch", settings):
            layers = value_of(
                f"{new}_layers",
                list_of(whole_number),
                value_of(f"{old}_layers", list_of(whole_number), DEFAULT_LAYERS),
            )
            fields["skip_layers"] = layers
            for field, key in (("skip_layer_start", "start_perc"), ("skip_layer_stop", "end_perc")):
                share = value_of(f"{new}_{key}", number, value_of(f"{old}_{key}", number, None))
                fields |= {} if share is None else {field: share / 100}
            break
    if (scale := value_of("NAG_scale", number, 1)) > 1:
        fields |= {
            "nag_scale": scale,
            "nag_tau": value_of("NAG_tau", number, 3.5),
            "nag_alpha": value_of("NAG_alpha", number, 0.5),
        }
    return fields


def model_mode(model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate `model_mode` and the overlap noise, which each model reads in its own way.

    For SkyReels the mode is the lag between blocks of five, for ReCamMaster the path of the camera.

    Raises:
        RequestError: naming the key; for other models a mode is unsupported.
    """
    mode, noise = (settings.get(key) or 0 for key in ("model_mode", "sliding_window_overlap_noise"))
    if model == RECAMMASTER:
        return {"camera": mode} if mode else {}
    if not model.startswith(DIFFUSION_FORCING):
        if mode:
            raise RequestError(
                "model_mode", f"{quote_value(mode)} is not served", hint="leave model_mode out"
            )
        return {}
    forcing = (
        {"ar_step": parse_value("model_mode", whole_number, mode), "causal_block_size": SKYREELS_BLOCK}
        if mode
        else {}
    )
    return forcing | (
        {"addnoise_condition": parse_value("sliding_window_overlap_noise", whole_number, noise)}
        if noise
        else {}
    )


def keys_given(fields: Collection[str], settings: Mapping[str, Any]) -> dict[str, str]:
    """The key by which each field of `guidance` and `model_mode` was given."""
    return {
        field: key
        for field in fields
        for key in reversed(KEYS_OF_FIELD.get(field, ()))
        if settings.get(key) is not None
    }


def _switched(key: str, settings: Mapping[str, Any]) -> bool:
    value = settings.get(key)
    if value not in (None, 0, 1, ""):
        raise RequestError(key, f"{quote_value(value)} is not served", hint="0 is off, 1 is on")
    return bool(value)


def phase_config(
    fields: Mapping[str, Any], settings: Mapping[str, Any], notices: list[str]
) -> dict[str, Any]:
    """Values of a `phase_config`, which win over other keys.

    Args:
        fields: translated values of the other keys.
        settings: may hold the configuration.
        notices: gets a line where the configuration contradicts itself.

    Raises:
        RequestError: naming the part that is wrong.
    """
    if not settings.get(CONFIG):
        return dict(fields)
    config: dict[str, Any] = parse_value(CONFIG, _PHASE_CONFIG, settings[CONFIG])
    if config.get("svi2pro"):
        if fields.get("type") != "travel":
            raise RequestError(CONFIG, "svi2pro: SVI is a way to travel, and served there alone")
        fields = {**fields, "mode": "svi"}
    parts: list[dict[str, Any]] = config.get("phases", [])
    lengths = _lengths(config, len(parts), notices)
    if any(part.get("phase", number) != number for number, part in enumerate(parts, start=1)):
        notices.append(f"{CONFIG}: phases are read in the order of the list, whatever their numbers")
    steps = sum(lengths)
    if fields.get("steps") not in (None, steps):
        raise RequestError(CONFIG, f"{lengths} are {steps} steps, but steps says {fields['steps']}")
    given = config.get("sample_solver", parse_value("sampler", text, fields.get("sampler", DEFAULT_SAMPLER)))
    sampler = given or "unipc"
    shift = parse_value("flow_shift", number, config.get("flow_shift", fields.get("flow_shift", 5.0)))
    if shift < LEAST_FLOW_SHIFT:
        raise RequestError("flow_shift", f"{shift} is too small, must be at least {LEAST_FLOW_SHIFT}")
    thresholds = thresholds_between(timesteps_of(sampler, steps, shift), lengths)
    kept = {
        key: value for key, value in fields.items() if not any(key in keys for keys in KEYS_OF_PHASE.values())
    }
    made = {
        **kept,
        "steps": steps,
        "sampler": sampler,
        "flow_shift": shift,
        "guidance_phases": len(lengths),
        **dict(zip(("switch_threshold", "switch_threshold2"), thresholds, strict=False)),
        **{
            name: part.get("guidance_scale", usual)
            for name, part, usual in zip(SCALES, parts, DEFAULT_SCALES, strict=False)
        },
    }
    if switch := config.get("model_switch_phase", fields.get("model_switch_phase")):
        made["model_switch_phase"] = switch
    if loras := _loras(parts, lengths):
        # The strengths given here win over those of other keys.
        given_loras = fields.get("loras", ())
        others = [
            lora for lora in given_loras if not any(is_same_lora(lora, configured) for configured in loras)
        ]
        made["loras"] = [*others, *(with_address(lora, given_loras) for lora in loras)]
    return made


def _lengths(config: Mapping[str, Any], parts: int, notices: list[str]) -> list[int]:
    """Steps of each phase; where the numbers of phases contradict each other, `phases` decides."""
    lengths: list[int] = config.get("steps_per_phase", DEFAULT_STEPS)
    count = config.get("num_phases", len(lengths))
    if len(lengths) != count:
        notices.append(f"{CONFIG}: num_phases is {count}, steps_per_phase has {len(lengths)}, phases {parts}")
        count = parts if parts != len(lengths) else len(lengths)
    if count not in (2, 3):
        raise RequestError(CONFIG, f"{count} phases, but two or three are wanted")
    if parts != count:
        raise RequestError(CONFIG, f"phases describes {parts}, but there are {count} phases")
    if len(lengths) > count:
        raise RequestError(CONFIG, f"steps_per_phase has {len(lengths)} values for {count} phases")
    if not 1 <= sum(lengths) <= MAX_STEPS:
        raise RequestError(CONFIG, f"steps_per_phase has {sum(lengths)} steps, must be 1 to {MAX_STEPS}")
    if len(lengths) == count and 0 in lengths:
        phase = lengths.index(0) + 1
        notices.append(f"{CONFIG}: phase {phase} has no steps, its guidance scale and LoRAs are not used")
    return [*lengths, *[0] * (count - len(lengths))]


def _loras(parts: Sequence[Mapping[str, Any]], lengths: Sequence[int]) -> list[str]:
    """Every LoRA with its strengths by phase, 0 in phases that do not name it."""
    strengths: dict[str, list[str]] = {}
    for phase, part in enumerate(parts):
        for lora in part.get("loras", ()):
            if not (name := lora.get("url") or lora.get("path")):
                continue
            strength = str(lora.get("multiplier", 1)).strip()
            _check_strength(strength, lengths[phase], phase)
            name = next((known for known in strengths if is_same_lora(known, name)), name)
            strengths.setdefault(name, ["0"] * len(parts))[phase] = with_points(strength)
    return [f"{name}@{';'.join(by_phase)}" for name, by_phase in strengths.items()]


def _check_strength(strength: str, steps: int, phase: int) -> None:
    try:
        (values,) = Strength.parse(strength).phases
    except ValueError:
        raise RequestError(
            CONFIG, f"multiplier {quote_value(strength)} of phase {phase + 1} is no number"
        ) from None
    if len(values) not in (1, steps):
        raise RequestError(
            CONFIG,
            f"multiplier {quote_value(strength)} has {len(values)} values, "
            f"but phase {phase + 1} has {steps} steps",
        )
