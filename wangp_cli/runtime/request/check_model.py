"""Checks of a task against its model: inputs, phases, guidance and options that the model supports."""

from __future__ import annotations

from dataclasses import replace
from itertools import starmap
from typing import TYPE_CHECKING

from wangp_cli.accelerators import NO_ACCELERATOR
from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice
from wangp_cli.runtime.request.camera_poses import frame_poses
from wangp_cli.tasks.camera import CameraOptions
from wangp_cli.tasks.flags import flag_of
from wangp_cli.tasks.runtime import MASKLESS

if TYPE_CHECKING:
    from wangp_cli.catalogue import Catalogue
    from wangp_cli.models import Accepts, ModelSpec
    from wangp_cli.runtime.request.input_facts import InputFacts
    from wangp_cli.tasks.render import Render
    from wangp_cli.tasks.shot import Sampling

INPUT_NAMES: dict[Accepts, str] = {
    "start": "start image",
    "end": "end image",
    "anchor": "anchor image",
    "references": "reference image",
    "source": "video to continue",
    "initial": "video to start from",
    "control": "control video",
    "camera": "camera path",
    "mask": "mask",
    "speech": "recording of speech",
    "face": "face video",
    "background": "background video",
    "audio": "audio",
    "lora": "LoRA",
}


def check_model(task: Render, spec: ModelSpec, catalogue: Catalogue) -> list[Notice]:
    """Refuse a task that the model cannot render: an input or option it lacks, or a missing input it needs.

    Returns:
        notices of the steps of each phase.

    Raises:
        RequestError: naming the field.
    """
    if not spec.is_diffusion:
        raise RequestError(
            "model",
            f"{spec.name!r} is of kind {spec.kind}, which generates nothing",
            hint="`wangp models` lists them",
        )
    _check_accepted(task, spec, catalogue)
    _check_references(task, spec)
    _check_control(task, spec)
    _check_forcing(task, spec, catalogue)
    return _check_sampling(task, spec)


def _check_accepted(task: Render, spec: ModelSpec, catalogue: Catalogue) -> None:
    needed: dict[Accepts, str] = dict.fromkeys(sorted(task.abilities(spec)), "model")
    given: dict[Accepts, str] = {
        mark.ability: field for field, mark in task.inputs().items() if mark.ability and getattr(task, field)
    }
    if task.loras:
        given["lora"] = "loras"
    elif task.accelerator not in (None, NO_ACCELERATOR):
        given["lora"] = "accelerator"
    if isinstance(task, CameraOptions) and task.camera:
        given.setdefault("camera", "camera")
    for feature, field in (needed | given).items():
        if feature not in spec.accepts:
            able = catalogue.accepting(feature)
            hint = f"models that do: {', '.join(able)}" if able else None
            raise RequestError(field, f"model {spec.name!r} takes no {INPUT_NAMES[feature]}", hint=hint)
    present = set(given) | set(needed) | ({"start"} if "source" in given else set())
    for feature in sorted(spec.requires - present):
        fields = (name for name, mark in task.inputs().items() if mark.ability == feature)
        field = feature if feature in type(task).model_fields else next(fields, "model")
        command = "wangp travel --mode svi" if feature == "anchor" else "wangp generate"
        hint = f"give {_option_or_field(field, type(task))}" if field != "model" else f"`{command}` takes it"
        name = spec.means.get(feature, INPUT_NAMES[feature])
        article = "an" if name[0] in "aeiou" else "a"
        raise RequestError(field, f"model {spec.name!r} needs {article} {name}", hint=hint)
    if "mask" in given and "control" not in given and "control" not in needed:
        raise RequestError(
            given["mask"], "there is no control video to mask", hint="give --video-guide or --image-guide"
        )


def _check_references(task: Render, spec: ModelSpec) -> None:
    for field, files in task.media().items():
        most = spec.most_references
        if most and task.inputs()[field].ability == "references" and len(files) > most:
            raise RequestError(field, f"{len(files)} images, but model {spec.name!r} takes at most {most}")


def _check_control(task: Render, spec: ModelSpec) -> None:
    if not spec.requires_full_control_video:
        return
    for field in ("control_strength", "control_start", "control_end"):
        if (value := getattr(task, field)) != type(task).model_fields[field].default:
            raise RequestError(
                field,
                f"{value}, but model {spec.name!r} applies its control video in full",
                hint="leave it out",
            )


def check_recamera(task: Render, spec: ModelSpec, facts: InputFacts, frames: int) -> None:
    """Refuse a video or a camera file with fewer frames than the result, for a model that re-renders a video.

    Raises:
        RequestError: naming the field.
    """
    if not spec.is_recamera:
        return
    if "video_guide" in facts and (available := facts.of("video_guide")[0].frames) < frames:
        raise RequestError("video_guide", f"{available} frames, but model {spec.name!r} re-renders {frames}")
    if isinstance(task, CameraOptions):
        frame_poses(task, frames)


def _check_sampling(task: Render, spec: ModelSpec) -> list[Notice]:
    """Refuse phases and guidance that the model does not support, in the task or in a part of it."""
    notices = []
    for number, run in enumerate(task.samplings):
        try:
            of_run = _check_run(run, spec)
        except RequestError as error:
            if run is task:
                raise
            message = f"number {number}: {error.message}"
            raise RequestError("part_phases", message, hint=error.hint) from None
        part = number if len(task.samplings) > 1 else None
        notices += [replace(notice, part=part) for notice in of_run]
    return notices


def _check_run(task: Sampling, spec: ModelSpec) -> list[Notice]:
    phases = task.guidance_phases
    if phases > spec.phases:
        most = f"{spec.phases} phases" if spec.phases > 1 else "one phase"
        raise RequestError("guidance_phases", f"{phases}, but model {spec.name!r} has at most {most}")
    if phases < spec.experts:
        raise RequestError(
            "guidance_phases",
            f"{phases}, but model {spec.name!r} needs {spec.experts}: "
            "one network each for high and low noise",
        )
    task.check_guidance(spec)
    if phases == 1:
        return []
    spans = task.phase_spans
    idle = [number for number, (_, steps) in enumerate(spans, 1) if not steps]
    return [
        Notice(field="phases", text=", ".join(starmap(_step_range, spans))),
        *(
            Notice(field="guidance_phases", text=f"phase {number} never runs, its values are not used")
            for number in idle
        ),
    ]


def _check_forcing(task: Render, spec: ModelSpec, catalogue: Catalogue) -> None:
    """Refuse diffusion forcing that the model, the step cache or the attention backend does not support."""
    if not task.forcing_fields:
        return
    field = task.forcing_fields[0]
    if not spec.traits.diffusion_forcing:
        able = [other.name for other in catalogue.models.values() if other.traits.diffusion_forcing]
        raise RequestError(
            field,
            f"model {spec.name!r} does no diffusion forcing",
            hint=f"models that do: {', '.join(able)}",
        )
    if task.ar_step and str(task.cache).startswith("magcache"):
        raise RequestError(
            "cache",
            "magcache knows the steps of frames denoised together",
            hint="--cache fbcache, or --ar-step 0",
        )
    if task.exact and task.causal_block_size > 1 and task.attention.startswith(MASKLESS):
        raise RequestError(
            "attention",
            f"{task.attention!r} takes no mask, which causal_block_size needs with exact",
            hint="--attention native, or without --exact",
        )


def _step_range(first: int, count: int) -> str:
    """A range of steps for people; `first` is counted from 0."""
    if count > 1:
        return f"steps {first + 1} to {first + count}"
    return f"step {first + 1}" if count else "no step"


def _option_or_field(field: str, task: type[Render]) -> str:
    """The command line option of a field; the field's name if it has none."""
    flag = flag_of(task, field)
    return flag.option(field) if flag else field
