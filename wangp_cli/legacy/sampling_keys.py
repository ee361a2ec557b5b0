"""How the older tools say what a run does with its noise: guidance, phases, a video to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.letter_codes import VIDEO
from wangp_cli.legacy.text_syntax import file_name_of
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
from wangp_cli.plan.phases import thresholds_between, timesteps_of
from wangp_cli.tasks.loras import Strength

KEYS_OF_PHASE = {
    2: {"guidance2_scale", "switch_threshold"},
    3: {"guidance3_scale", "switch_threshold2", "model_switch_phase"},
}
"""What only runs of so many phases read."""
SCALES = ("guidance_scale", "guidance2_scale", "guidance3_scale")
DEFAULT_SCALES = (3.0, 1.0, 1.0)
"""Of the older worker, for phases that say none."""
DEFAULT_STEPS = [2, 2, 2]
DEFAULT_SAMPLER = "euler"
DEFAULT_LAYERS = [9]
DIFFUSION_FORCING = "sky_df"
"""How the names of models of diffusion forcing begin."""
RECAMMASTER = "recam_1.3B"
SKYREELS_BLOCK = 5
CONFIG = "phase_config"
MAX_STEPS = 500

_LORA: ValueParser[Any] = object_of(url=text, path=text, multiplier=any_value)
_PHASE: ValueParser[Any] = object_of(
    frozenset({"phase", "name", "id"}), guidance_scale=number, loras=list_of(_LORA)
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


def start(found: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a run starts from: with the letter G the control video, else the strength says nothing."""
    found = dict(found)
    if found.get("type", "generate") != "generate":
        # It starts from the frames that it replaces.
        return found
    letters = settings.get(VIDEO)
    if isinstance(letters, str) and "G" in letters and found.get("video_guide"):
        found["video_initial"] = found.pop("video_guide")
    if not found.get("video_initial") or found.get("denoising_strength") == 1:
        unused = ("video_initial", "denoising_strength")
        found = {key: value for key, value in found.items() if key not in unused}
    return found


def phases(found: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the phases there are; the older tools write all three, and 0 for what is not said.

    One phase says nothing: of a model with two networks it meant two, and others have one anyway.
    """
    said = found.get("guidance_phases")
    unused = {key for key in ("switch_threshold", "switch_threshold2") if found.get(key) == 0}
    if said in (0, 1):
        unused.add("guidance_phases")
    for phase, keys in KEYS_OF_PHASE.items():
        if isinstance(said, int) and said < phase:
            unused |= keys
    return {key: value for key, value in found.items() if key not in unused}


def guidance(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The ways of guiding that are switched on, with their numbers.

    Raises:
        RequestError: naming the key.
    """

    def said(key: str, parse: ValueParser[Any], usual: Any) -> Any:
        return parse_value(key, parse, settings[key]) if settings.get(key) is not None else usual

    found: dict[str, Any] = {}
    if _switched("cfg_star_switch", settings):
        found |= {"cfg_zero": True, "zero_init_steps": int(said("cfg_zero_step", number, -1)) + 1}
    if _switched("apg_switch", settings):
        found["apg"] = True
    for new, old in (("perturbation", "slg"), ("slg", "perturbation")):
        if _switched(f"{new}_switch", settings):
            layers = said(
                f"{new}_layers",
                list_of(whole_number),
                said(f"{old}_layers", list_of(whole_number), DEFAULT_LAYERS),
            )
            found["skip_layers"] = layers
            for ours, key in (("skip_layer_start", "start_perc"), ("skip_layer_stop", "end_perc")):
                share = said(f"{new}_{key}", number, said(f"{old}_{key}", number, None))
                found |= {} if share is None else {ours: share / 100}
            break
    if (scale := said("NAG_scale", number, 1)) > 1:
        found |= {
            "nag_scale": scale,
            "nag_tau": said("NAG_tau", number, 3.5),
            "nag_alpha": said("NAG_alpha", number, 0.5),
        }
    return found


def mode(model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's mode in WanGP says, and what noise: each model means something else by them.

    Of SkyReels it is the lag of a block of five, of ReCamMaster the path of the camera.

    Raises:
        RequestError: naming the key; of other models a mode means something that is not served.
    """
    said, noise = (settings.get(key) or 0 for key in ("model_mode", "sliding_window_overlap_noise"))
    if model == RECAMMASTER:
        return {"camera": said} if said else {}
    if not model.startswith(DIFFUSION_FORCING):
        if said:
            raise RequestError(
                "model_mode", f"{quote_value(said)} is not served", hint="leave model_mode out"
            )
        return {}
    waves = (
        {"ar_step": parse_value("model_mode", whole_number, said), "causal_block_size": SKYREELS_BLOCK}
        if said
        else {}
    )
    return waves | (
        {"addnoise_condition": parse_value("sliding_window_overlap_noise", whole_number, noise)}
        if noise
        else {}
    )


def _switched(key: str, settings: Mapping[str, Any]) -> bool:
    value = settings.get(key)
    if value not in (None, 0, 1, ""):
        raise RequestError(key, f"{quote_value(value)} is not served", hint="0 is off, 1 is on")
    return bool(value)


def phase_config(found: Mapping[str, Any], settings: Mapping[str, Any], notices: list[str]) -> dict[str, Any]:
    """Values of a run from its `phase_config`, which wins over what is said beside it.

    Args:
        found: what is said beside it, in our words.
        settings: with the configuration under its key, or without.
        notices: told where it contradicts itself.

    Raises:
        RequestError: naming the part that is wrong.
    """
    if not settings.get(CONFIG):
        return dict(found)
    config: dict[str, Any] = parse_value(CONFIG, _PHASE_CONFIG, settings[CONFIG])
    if config.get("svi2pro"):
        if found.get("type") != "travel":
            raise RequestError(CONFIG, "svi2pro: SVI is a way to travel, and served there alone")
        found = {**found, "mode": "svi"}
    parts: list[dict[str, Any]] = config.get("phases", [])
    lengths = _lengths(config, len(parts), notices)
    steps = sum(lengths)
    if found.get("steps") not in (None, steps):
        raise RequestError(CONFIG, f"{lengths} are {steps} steps, but steps says {found['steps']}")
    said = config.get("sample_solver", parse_value("sampler", text, found.get("sampler", DEFAULT_SAMPLER)))
    sampler = said or "unipc"
    shift = parse_value("flow_shift", number, config.get("flow_shift", found.get("flow_shift", 5.0)))
    if shift <= 0:
        raise RequestError("flow_shift", f"{shift} is too small, must be more than 0")
    thresholds = thresholds_between(timesteps_of(sampler, steps, shift), lengths)
    kept = {
        key: value for key, value in found.items() if not any(key in keys for keys in KEYS_OF_PHASE.values())
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
    if switch := config.get("model_switch_phase", found.get("model_switch_phase")):
        made["model_switch_phase"] = switch
    if loras := _loras(parts, lengths):
        # Files that are also said beside it have their strengths from here.
        files = set(map(file_name_of, loras))
        made["loras"] = [
            *(lora for lora in found.get("loras", ()) if file_name_of(lora) not in files),
            *loras,
        ]
    return made


def _lengths(config: Mapping[str, Any], parts: int, notices: list[str]) -> list[int]:
    """Steps of each phase; where the numbers of phases differ, that of the phases described counts."""
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
    return [*lengths, *[0] * (count - len(lengths))]


def _loras(parts: Sequence[Mapping[str, Any]], lengths: Sequence[int]) -> list[str]:
    """Every LoRA with its strengths in all phases, 0 in those that do not name it."""
    strengths: dict[str, list[str]] = {}
    for phase, part in enumerate(parts):
        for lora in part.get("loras", ()):
            if not (name := lora.get("url") or lora.get("path")):
                continue
            said = str(lora.get("multiplier", 1)).strip()
            _check_strength(said, lengths[phase], phase)
            strengths.setdefault(name, ["0"] * len(parts))[phase] = said
    return [f"{name}@{';'.join(said)}" for name, said in strengths.items()]


def _check_strength(said: str, steps: int, phase: int) -> None:
    try:
        (values,) = Strength.parse(said).phases
    except ValueError:
        raise RequestError(
            CONFIG, f"multiplier {quote_value(said)} of phase {phase + 1} is no number"
        ) from None
    if len(values) not in (1, steps):
        raise RequestError(
            CONFIG,
            f"multiplier {quote_value(said)} has {len(values)} values, "
            f"but phase {phase + 1} has {steps} steps",
        )
