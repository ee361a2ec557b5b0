"""Which of the given values a run does not read, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wangp_cli.notices import Notice
from wangp_cli.tasks.control_pictures import ENGINES, READ_BY, unread

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.plan.model import Plan
    from wangp_cli.tasks.render import Render
    from wangp_cli.tasks.shot import Sampling
    from wangp_cli.value_layers import Origins


@dataclass(frozen=True, kw_only=True)
class SettledRender:
    """A settled render, as far as it decides which fields are read.

    Args:
        task: settled.
        spec: its model.
        frames: of each result.
        plan: of several runs of the model.
    """

    task: Render
    spec: ModelSpec
    frames: int
    plan: Plan | None

    def value(self, field: str) -> Any:
        """The value of a field that not all tasks have; None without it."""
        return getattr(self.task, field, None)

    def every(self, holds: Callable[[Sampling], bool]) -> bool:
        """Whether something holds for the sampling of every part."""
        return all(map(holds, self.task.samplings))


Reason = Callable[[SettledRender], str | None]
"""Why a run does not read a field; None if it does."""


def unused_values(run: SettledRender, origin: Origins) -> list[Notice]:
    """A notice for each value that the user chose and the run does not read, in the order of the fields."""
    notices = []
    for field in type(run.task).model_fields:
        if field in REASONS and _is_chosen(run, field, origin) and (reason := REASONS[field](run)):
            notices.append(Notice.not_used(field, reason))
    return notices


def _is_chosen(run: SettledRender, field: str, origin: Origins) -> bool:
    """Whether the user chose the value; documents list all values, so only unusual ones of theirs count."""
    if field not in origin or not origin[field].is_explicit:
        return False
    value = getattr(run.task, field)
    default = type(run.task).model_fields[field].default
    usual = (default, run.spec.defaults.get(field, default), (run.spec.defaults.get(field),))
    empty = value in (None, "", (), ("",))
    return not empty and (origin[field].kind == "flag" or value not in usual)


def _without_guidance(run: SettledRender) -> str | None:
    return "the guidance scale is 1" if run.every(lambda part: not part.uses_guidance) else None


def _without_negative_prompt(run: SettledRender) -> str | None:
    return "the guidance scale is 1" if run.every(lambda part: not part.uses_negative_prompt) else None


def _without(field: str, reason: str) -> Reason:
    """The reason where a field of the sampling is at the value that turns it off."""

    def check(run: SettledRender) -> str | None:
        off = type(run.task).model_fields[field].default
        return reason if run.every(lambda part: getattr(part, field) == off) else None

    return check


def _first(*reasons: Reason) -> Reason:
    """The first reason of several."""
    return lambda run: next(filter(None, (reason(run) for reason in reasons)), None)


def _fewer_phases_than(wanted: int) -> Reason:
    def check(run: SettledRender) -> str | None:
        most = max(part.guidance_phases for part in run.task.samplings)
        if most >= wanted:
            return None
        return "there is one phase" if most == 1 else f"there are {('two', 'three')[most - 2]} phases"

    return check


def _one_transformer(run: SettledRender) -> str | None:
    return f"model {run.spec.name!r} has one transformer" if run.spec.experts == 1 else None


def _fixed_schedule(run: SettledRender) -> str | None:
    causvid = run.every(lambda part: part.sampler == "causvid")
    return "the sampler causvid has timesteps of its own" if causvid else None


def _guidance_pass(field: str) -> Reason:
    """A scale of an additional pass: other models refuse it."""

    def check(run: SettledRender) -> str | None:
        traits = run.spec.traits
        return _without_guidance(run) if traits.guidance_field == field and traits.fixed_guidance else None

    return check


def _model_takes_no(ability: str, text: str) -> Reason:
    return lambda run: None if ability in run.spec.accepts else f"model {run.spec.name!r} takes no {text}"


def _no_input(*fields: str) -> Reason:
    """The reason where none of the inputs is given."""

    def check(run: SettledRender) -> str | None:
        if any(run.value(field) for field in fields):
            return None
        return f"there is no {' or '.join(field for field in fields if field in type(run.task).model_fields)}"

    return check


def _unread_by_pictures(field: str) -> Reason:
    """The reason where the control pictures do not depend on a field, or where none are made."""

    def check(run: SettledRender) -> str | None:
        kind = run.value("guide_kind")
        if kind == "raw":
            return "the frames of the guide are used as they are"
        if field == "guide_engine":
            return None if kind in ENGINES else f"{kind} has one method"
        return unread(field, kind, run.value("guide_engine"))

    return _first(_no_input("video_guide", "image_guide"), check)


def _one_run(run: SettledRender) -> str | None:
    """Whether no gap is filled by more than one run of the model."""
    plan = run.plan
    if run.task.type == "generate":
        single = plan is None
    else:
        single = plan is not None and all(len(plan.gap_windows(segment)) == 1 for segment in plan.segments)
    return "the model makes all frames in one run" if single else None


def _no_seam(run: SettledRender) -> str | None:
    return "the video is made in one run" if run.plan is None else None


def _no_context(run: SettledRender) -> str | None:
    segments = run.plan.segments if run.plan else ()
    return None if any(segment.context for segment in segments) else "no part has frames of a previous one"


def _one_part(run: SettledRender) -> str | None:
    parts = len(run.plan.segments) if run.plan else 1
    return "there is one part" if parts == 1 else None


def _is_image(run: SettledRender) -> str | None:
    return "the result is an image" if run.frames == 1 else None


def _is_video(run: SettledRender) -> str | None:
    return "the result is a video" if run.frames > 1 else None


def _without_grain(run: SettledRender) -> str | None:
    return "there is no film grain" if run.task.film_grain_intensity == 0 else None


def _without_interpolation(run: SettledRender) -> str | None:
    return "no frames are made in between" if run.task.interpolation == 1 else None


def _without_upscaler(run: SettledRender) -> str | None:
    upsampling = run.task.upsampling
    if upsampling is None:
        return "frames are not made larger"
    return f"{run.task.spatial_upsampling} names the Lanczos filter" if upsampling.is_lanczos else None


def _has_output(run: SettledRender) -> str | None:
    return "the output is given" if run.task.output is not None else None


def _continues_nothing(run: SettledRender) -> str | None:
    return _no_input("video_source")(run) if run.task.type == "travel" else None


def _overlap_of_windows(run: SettledRender) -> str | None:
    return None if run.value("video_source") else _one_run(run)


REASONS: Mapping[str, Reason] = {
    "name": _has_output,
    "output_dir": _has_output,
    "codec": _is_image,
    "crf": _is_image,
    "image_format": _first(_is_video, _has_output),
    "fps": _is_image,
    "negative_prompt": _without_negative_prompt,
    "flow_shift": _fixed_schedule,
    "control_strength": _model_takes_no("control", "control video"),
    "control_start": _model_takes_no("control", "control video"),
    "control_end": _model_takes_no("control", "control video"),
    "audio_scale": _first(_model_takes_no("speech", "speech"), _no_input("audio_guide")),
    "guidance2_scale": _fewer_phases_than(2),
    "guidance3_scale": _fewer_phases_than(3),
    "switch_threshold": _fewer_phases_than(2),
    "switch_threshold2": _fewer_phases_than(3),
    "model_switch_phase": _first(_one_transformer, _fewer_phases_than(3)),
    "image_guidance_scale": _guidance_pass("image_guidance_scale"),
    "guide_given": _without_guidance,
    "cfg_zero": _without_guidance,
    "zero_init_steps": _without_guidance,
    "apg": _without_guidance,
    "apg_momentum": _first(_without_guidance, _without("apg", "APG is off")),
    "apg_norm_threshold": _first(_without_guidance, _without("apg", "APG is off")),
    "skip_layers": _without_guidance,
    "skip_layer_start": _first(_without_guidance, _without("skip_layers", "no layer is skipped")),
    "skip_layer_stop": _first(_without_guidance, _without("skip_layers", "no layer is skipped")),
    "nag_tau": _without("nag_scale", "NAG is off, its scale is 1"),
    "nag_alpha": _without("nag_scale", "NAG is off, its scale is 1"),
    "boost": _without_guidance,
    "sliding_window_overlap": _overlap_of_windows,
    "sliding_window_discard_last_frames": _one_run,
    "film_grain_saturation": _without_grain,
    "temporal_upsampling": _is_image,
    "interpolator": _first(_is_image, _without_interpolation),
    "upscaler": _without_upscaler,
    "colour_match": _no_seam,
    "sharpen": _no_seam,
    "sound": _continues_nothing,
    "overlap": lambda run: _one_run(run) if run.task.type == "inpaint" else None,
    "guide_timing": _no_input("video_guide"),
    "guide_kind": _no_input("video_guide", "image_guide"),
    **{field: _unread_by_pictures(field) for field in ("guide_engine", *READ_BY)},
    "guide_strength": _no_input("video_guide"),
    "context_strength": _no_context,
    "context_saturation": _no_context,
    "context_brightness": _no_context,
    "part_saturation": _one_part,
    "part_brightness": _one_part,
    "mask_expand": _no_input("image_mask", "video_mask"),
    "mask_feather": _no_input("image_mask", "video_mask"),
}
"""The fields that some runs do not read. A field that is neither here nor in `ALWAYS_READ` is a fault."""

ALWAYS_READ = frozenset(
    {
        # What the task is, and how it runs.
        "type", "task_id", "model", "output", "overwrite", "skip_existing", "metadata_mode", "count",
        "visualize", "keep_intermediates", "device", "dtype", "mixed_precision", "vae_dtype",
        "transformer_quantization", "text_encoder_quantization", "profile", "preload", "preload_policy",
        "vae_tiling", "attention", "compile", "cache", "exact", "offline",
        # Read by every run.
        "prompt", "text_before", "text_after", "size", "frames", "steps", "sampler", "seed",
        "denoising_strength", "guidance_scale", "nag_scale", "guidance_phases", "accelerator", "loras",
        "sliding_window_size", "loop", "longest", "fit", "mode", "gap", "context", "keep_ends", "portion",
        "portions", "images", "clips", "video", "fade_out", "fade_in", "part_seeds", "part_phases",
        "part_lora_factors", "bridging", "saturation", "brightness", "spatial_upsampling",
        "film_grain_intensity",
        # Refused where they would not be read.
        "audio_guidance_scale", "ar_step", "causal_block_size", "addnoise_condition", "lora_multipliers",
        "window_prompts", "camera", "camera_file", "image_start", "image_end", "image_refs", "video_source",
        "video_initial", "video_guide", "video_mask", "video_face", "video_background", "image_guide",
        "image_mask", "audio_guide", "audio_source", "guide_range", "guide_cut",
    }
)  # fmt: skip
"""The fields that every run reads, or refuses."""
