# mypy: allow-untyped-decorators
"""Measuring a starter checkpoint: `python -m training.starter.evaluate FOLDER`.

Prompts and clips are of combinations that were withheld from training; every generated clip counts.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers import WanVACEPipeline
from PIL import Image
from torch import Tensor

from training.starter.given import USES, given_pixels, unguided_where_given
from training.starter.metric import Clip, psnr, read, score
from training.starter.networks import make_sampler
from training.starter.world import COLOURS, FRAMES, MOTIONS, SHAPES, SIDE, Scene, caption, draw, sample_scene

log = logging.getLogger(__name__)

BARS = {"background": 95.0, "colour": 90.0, "motion": 90.0, "shape": 80.0}
CHANCE = {
    "background": 100 / len(COLOURS),
    "colour": 100 / len(COLOURS),
    "motion": 100 / len(MOTIONS),
    "shape": 100 / len(SHAPES),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sampling settings."""

    sampler: str = "euler_ancestral"
    steps: int = 16
    guidance_scale: float = 3.0
    flow_shift: float = 5.0
    max_sequence_length: int = 32
    guide_given: bool = False
    side: int = SIDE
    frames: int = FRAMES


def load(folder: Path, settings: Settings) -> WanVACEPipeline:
    """A pipeline in float32 with the sampler of the settings."""
    pipeline = WanVACEPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.scheduler = make_sampler(settings.flow_shift)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(
    pipeline: WanVACEPipeline,
    prompt: str,
    seed: int,
    settings: Settings,
    given: tuple[Tensor, Tensor] | None = None,
) -> Clip:
    """Generate a clip.

    Args:
        given: a clip, float32 [3, T, H, W] in [-1, 1], and its known pixels, float32 [T, H, W], 1 if known.

    Returns:
        float32 [T, H, W, 3] in [0, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    # The pipeline uses the generator for the first noise only, not for that of the steps.
    pipeline.scheduler.step = partial(type(pipeline.scheduler).step, pipeline.scheduler, generator=generator)
    video, mask = None, None
    sampling: AbstractContextManager[None] = nullcontext()
    if given is not None:
        clip, keep = given
        if not settings.guide_given:
            sampling = unguided_where_given(pipeline.transformer, keep)
        video = [_image(frame) for frame in (clip * keep).unbind(1)]
        mask = [_image((1 - frame).mul(2).sub(1).expand(3, -1, -1)) for frame in keep]
    with sampling:
        result = pipeline(
            prompt,
            video=video,
            mask=mask,
            height=settings.side,
            width=settings.side,
            num_frames=settings.frames,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            max_sequence_length=settings.max_sequence_length,
            generator=generator,
            output_type="np",
        )
    return cast("Clip", result.frames[0])


def evaluate_text(
    pipeline: WanVACEPipeline, settings: Settings, count: int, *, seed: int = 2024
) -> tuple[dict[str, Any], list[tuple[str, Clip]]]:
    """Percentages of withheld prompts whose clips show each property of the prompt, and the clips."""
    rng = random.Random(seed)
    scenes = [sample_scene(rng, withheld=True) for _ in range(count)]
    clips: list[tuple[str, Clip]] = []
    hits: Counter[str] = Counter()
    misses: list[str] = []
    start = time.monotonic()
    for number, scene in enumerate(scenes):
        prompt = _full_caption(scene, rng)
        clip = generate(pipeline, prompt, seed + number, settings)
        clips.append((prompt, clip))
        reading = read(clip)
        marks = score(scene, reading)
        hits.update(name for name, hit in marks.items() if hit)
        hits["all four"] += all(marks.values())
        if not all(marks.values()):
            misses.append(f"{prompt}: read as {reading}")
    seconds = (time.monotonic() - start) / count
    figures: dict[str, Any] = {name: 100 * hits[name] / count for name in (*BARS, "all four")}
    return {**figures, "prompts": count, "seconds": seconds, "misses": misses}, clips


def evaluate_given(
    pipeline: WanVACEPipeline, settings: Settings, use: str, count: int, *, seed: int = 77
) -> tuple[dict[str, Any], list[tuple[str, Clip]]]:
    """PSNR in dB of given pixels: in the result (`kept`), by the VAE alone (`vae`), and their difference.

    `own` is that of the generated clip with the given pixels pasted in, encoded and decoded: in a block that
    is given in part, the VAE's error at given pixels depends on the generated ones.
    """
    rng = random.Random(seed)
    scenes = [sample_scene(rng, withheld=True, spread=0.6) for _ in range(count)]
    truths = draw(scenes, settings.frames, settings.side)
    kept, alone, own, clips = [], [], [], []
    hits: Counter[str] = Counter()
    for number, (scene, truth) in enumerate(zip(scenes, truths, strict=True)):
        keep = given_pixels(use, settings.frames, settings.side, number)
        prompt = _full_caption(scene, rng)
        clip = generate(pipeline, prompt, seed + number, settings, (truth, keep))
        clips.append((f"{use}: {prompt}", clip))
        hits.update(name for name, hit in score(scene, read(clip)).items() if hit)
        known = keep.numpy() > 0
        wanted = _array(truth)
        kept.append(psnr(clip[known], wanted[known]))
        alone.append(psnr(round_trip(pipeline, truth)[known], wanted[known]))
        pasted = torch.from_numpy(np.where(known[..., None], wanted, clip)).permute(3, 0, 1, 2) * 2 - 1
        own.append(psnr(round_trip(pipeline, pasted)[known], wanted[known]))
    figures = {name: 100 * hits[name] / count for name in BARS}
    loss = float(np.mean(alone) - np.mean(kept))
    return {
        "kept": float(np.mean(kept)),
        "vae": float(np.mean(alone)),
        "own": float(np.mean(own)),
        "loss": loss,
        "clips": count,
        **figures,
    }, clips


def evaluate_vae(pipeline: WanVACEPipeline, settings: Settings, count: int, *, seed: int = 555) -> float:
    """Mean PSNR in dB of withheld clips, encoded and decoded."""
    rng = random.Random(seed)
    truths = draw(
        [sample_scene(rng, withheld=True, spread=0.6) for _ in range(count)], settings.frames, settings.side
    )
    return float(np.mean([psnr(round_trip(pipeline, truth), _array(truth)) for truth in truths]))


@torch.no_grad()
def round_trip(pipeline: WanVACEPipeline, clip: Tensor) -> Clip:
    """A clip [3, T, H, W] encoded and decoded: float32 [T, H, W, 3] in [0, 1]."""
    latents = pipeline.vae.encode(clip.unsqueeze(0)).latent_dist.mode()
    return _array(pipeline.vae.decode(latents).sample[0].clamp(-1, 1))


def contact_sheet(clips: list[tuple[str, Clip]], path: Path, columns: int = 2) -> None:
    """Write an image with five frames per clip, `columns` clips side by side."""
    rows = []
    for _, clip in clips:
        frames = [clip[index] for index in np.linspace(0, len(clip) - 1, 5).round().astype(int)]
        rows.append(
            np.concatenate(
                [np.pad(frame, ((1, 1), (1, 1), (0, 0)), constant_values=0.5) for frame in frames], 1
            )
        )
    rows += [np.ones_like(rows[0])] * (-len(rows) % columns)
    blocks = [
        np.concatenate(rows[begin : begin + len(rows) // columns])
        for begin in range(0, len(rows), len(rows) // columns)
    ]
    gap = np.ones((blocks[0].shape[0], 12, 3), dtype=np.float32)
    sheet = np.concatenate([part for block in blocks for part in (block, gap)][:-1], axis=1)
    Image.fromarray((sheet.clip(0, 1) * 255).round().astype(np.uint8)).save(path)


def evaluate(pipeline: WanVACEPipeline, settings: Settings, prompts: int, clips: int) -> dict[str, Any]:
    """All figures: of the VAE, of prompts, and of each task with given pixels."""
    result: dict[str, Any] = {"settings": vars(settings), "vae": evaluate_vae(pipeline, settings, clips)}
    result["text"], _ = evaluate_text(pipeline, settings, prompts)
    for use in USES:
        result[use], _ = evaluate_given(pipeline, settings, use, clips)
    return result


def main() -> None:
    """Evaluate a checkpoint and write its figures as JSON to stdout or a file."""
    parser = argparse.ArgumentParser(description="Measure a starter checkpoint.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--guidance-scale", type=float, default=Settings.guidance_scale)
    parser.add_argument("--flow-shift", type=float, default=Settings.flow_shift)
    parser.add_argument("--guide-given", action="store_true", default=Settings.guide_given)
    parser.add_argument("--max-sequence-length", type=int, default=Settings.max_sequence_length)
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--uses", default=",".join(("text", "vae", *USES)))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = Settings(
        steps=options.steps,
        guidance_scale=options.guidance_scale,
        flow_shift=options.flow_shift,
        guide_given=options.guide_given,
        max_sequence_length=options.max_sequence_length,
    )
    pipeline = load(options.folder, settings)
    uses = options.uses.split(",")
    result: dict[str, Any] = {"settings": vars(settings)}
    sheet_clips: list[tuple[str, Clip]] = []
    if "vae" in uses:
        result["vae"] = evaluate_vae(pipeline, settings, options.clips)
    if "text" in uses:
        result["text"], made = evaluate_text(pipeline, settings, options.prompts, seed=options.seed)
        sheet_clips += made[:16]
    for use in (use for use in USES if use in uses):
        result[use], made = evaluate_given(pipeline, settings, use, options.clips)
        sheet_clips += made[:4] if "text" not in uses else []
    text = json.dumps(result, indent=1)
    if options.sheet:
        contact_sheet(sheet_clips, options.sheet)
    if options.out:
        options.out.write_text(text + "\n")
    sys.stdout.write(text + "\n")


def _full_caption(scene: Scene, rng: random.Random) -> str:
    """A caption that names colour, shape, motion and background."""
    while True:
        text = caption(scene, rng)
        words = set(text.replace(",", " ").replace(".", " ").split())
        if scene.background in words and len(words) > 4 and not _lacks_motion(scene, words):
            return text


def _lacks_motion(scene: Scene, words: set[str]) -> bool:
    nothing = {"a", "an", "the", "on", "over", "against", "background", "small", "little", "big", "large"}
    return not words - nothing - {scene.shape, scene.colour, scene.background}


def _image(frame: Tensor) -> Image.Image:
    return Image.fromarray(((frame.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().byte().numpy())


def _array(clip: Tensor) -> Clip:
    return cast("Clip", ((clip.permute(1, 2, 3, 0) + 1) / 2).numpy())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main()
