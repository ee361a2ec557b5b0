"""Checks of input files before weights are loaded: they exist, decode, have the right kind and checksum."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.files.checksum import sha256_of
from wangp_cli.notices import Notice
from wangp_cli.plan.timeline import SAME_RATE, ClipLength, Timing
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.fields import FileKind, frame_count
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.inpaint import Inpaint
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.shot import Length
from wangp_cli.tasks.task import Task

if TYPE_CHECKING:
    from wangp_cli.media.facts import MediaFacts
    from wangp_cli.models import ModelSpec
    from wangp_cli.plan.model import Plan

AS_LONG_AS_GUIDE = ("video_mask", "video_face", "video_background")
"""Videos that must have as many frames as the control video."""


def check_inputs(
    task: Task,
    loras: Sequence[Path],
    checksums: Mapping[str, str],
    check: Callable[[], None] | None = None,
) -> InputFacts:
    """Probe and check every input file.

    Args:
        task: names the files.
        loras: its LoRA files on this machine.
        checksums: sha256 that a file must have, by path.
        check: called again and again while files are read; what it raises ends that.

    Raises:
        RequestError: a file is missing, unreadable, of the wrong kind or length, or has changed.
    """
    probed: dict[str, tuple[tuple[Path, MediaFacts], ...]] = {}
    for field, paths in task.media().items():
        for path in paths:
            if "poses" not in task.inputs()[field].kinds:
                probed[field] = (*probed.get(field, ()), (path, _check_media(task, field, path)))
            _check_unchanged(field, path, checksums, check)
    facts = InputFacts(probed)
    for path in loras:
        _check_unchanged("loras", path, checksums, check)
    for field in AS_LONG_AS_GUIDE:
        for guide, video in zip(facts.lengths_of("video_guide"), facts.lengths_of(field), strict=False):
            if guide.fps and video.beside(guide).at(guide.fps) != guide.frames:
                raise RequestError(
                    field,
                    f"{video.frames} frames, but the control video has {guide.frames}",
                    hint="cut or loop it to that length",
                )
    return facts


def check_mask_length(task: Render, facts: InputFacts, plan: Plan) -> None:
    """Refuse a mask video that is neither as long as the video to inpaint nor as its portion.

    Raises:
        RequestError: naming the field.
    """
    if not isinstance(task, Inpaint) or not task.video_mask:
        return
    portion = len(task.range_of(plan.total, plan.fps))
    mask = facts.length_of(task.video_mask)
    frames = mask.beside(facts.length_of(task.video), ClipLength(portion, plan.fps)).at(plan.fps)
    if frames not in (plan.total, portion):
        wanted = " or ".join(str(count) for count in dict.fromkeys((plan.total, portion)))
        raise RequestError("video_mask", f"{frames} frames, wanted {wanted}, as the video or the portion")


def speech_notices(facts: InputFacts, plan: Plan | None, frames: int, rate: Fraction) -> list[Notice]:
    """A notice if the recording of speech is shorter than the generated frames.

    Args:
        facts: of the input files.
        plan: of a task with several runs of the model; its first new frame starts the speech.
        frames: of the result.
        rate: frames per second of the result.
    """
    if not (recordings := facts.of("audio_guide")):
        return []
    generated = frames - (plan.segments[0].generate_start if plan else 0)
    available = recordings[0].audio_seconds or 0.0
    if available * rate >= generated - 1:
        return []
    seconds = float(generated / rate)
    text = f"{available:.2f} s, but {seconds:.2f} s are made, silence follows it"
    return [Notice(field="audio_guide", text=text)]


def rate_notices(task: Render, facts: InputFacts, plan: Plan | None, rate: Fraction) -> list[Notice]:
    """Notices of control videos whose rate is not that of the result.

    Args:
        task: the task.
        facts: of its input files.
        plan: of a task with several runs of the model.
        rate: frames per second of the result.
    """
    fields = ("video_guide", "video_initial") if isinstance(task, Generate) else ("video_guide",)
    timings = {guide.video: guide.timing for guide in plan.guides} if plan else {}
    return [
        Notice(field=field, text=f"{video.fps} fps, {_use_at(rate, video.fps, timings.get(number))}")
        for field in fields
        for number, video in enumerate(facts.of(field))
        if video.fps and abs(video.fps / rate - 1) > SAME_RATE
    ]


def _use_at(rate: Fraction, own: Fraction, timing: Timing | None) -> str:
    """How a video at its own rate is used for a result at another; frame by frame without a timing."""
    if timing is None:
        return f"is used frame by frame at {rate} fps, {float(rate / own):.2f} times as fast"
    return "is stretched over its range" if timing == "fit" else f"keeps its speed at {rate} fps"


def check_animation(task: Render, spec: ModelSpec, facts: InputFacts, rate: Fraction) -> None:
    """Refuse inputs that a character animation model cannot use: it needs poses and a face in every frame.

    Args:
        task: the task.
        spec: its model.
        facts: of its input files.
        rate: frames per second of the result.

    Raises:
        RequestError: naming the field.
    """
    if not spec.is_character_animation or not isinstance(task, Length):
        return
    frames = frame_count(task.frames, rate)
    masks = [field for field in ("video_mask", "image_mask") if field in facts]
    if masks and "video_background" not in facts:
        raise RequestError(
            masks[0], f"model {spec.name!r} needs the video it lies over", hint="give --video-background"
        )
    for field in ("video_guide",) if "video_guide" in facts else AS_LONG_AS_GUIDE:
        if field in facts and (available := facts.of(field)[0].frames) < frames:
            raise RequestError(
                field, f"{available} frames, but {frames} are asked for", hint=f"--frames {available}"
            )


def _check_unchanged(
    field: str, path: Path, checksums: Mapping[str, str], check: Callable[[], None] | None
) -> None:
    wanted = checksums.get(os.path.normpath(path.absolute()))
    if wanted and sha256_of(path, check) != wanted:
        raise RequestError(field, f"{path} is not the file this request was made with", hint="restore it")


def _check_media(task: Task, field: str, path: Path) -> MediaFacts:
    from wangp_cli.media.facts import checked_facts

    kinds, until_damage = task.inputs()[field].kinds, task.inputs()[field].until_damage
    try:
        facts = checked_facts(path, until_damage=until_damage)
    except MediaError as error:
        raise RequestError(field, error.message, hint=error.hint) from None
    if facts.kind not in kinds and not ("audio" in kinds and facts.audio_codec):
        other = next((name for name in task.inputs() if name == field.replace(kinds[0], facts.kind)), None)
        hint = f"{other} takes it" if other else None
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        silent = " without audio" if facts.kind == "video" and "audio" in kinds else ""
        raise RequestError(field, f"{path} is {_KINDS[facts.kind]}{silent}, {wanted} is wanted", hint=hint)
    return facts


_KINDS: dict[FileKind, str] = {
    "image": "an image",
    "video": "a video",
    "audio": "audio",
    "poses": "poses",
}
