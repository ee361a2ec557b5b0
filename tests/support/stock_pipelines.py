"""Run a shot by the adapter and by the stock pipeline of diffusers, and compare."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler
from PIL import Image

from tests.support import tiny
from wangp_cli.media.clip import Clip
from wangp_cli.pipelines.base import Inputs
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot


def ours(pipeline: Any, shot: Shot, inputs: Inputs) -> tuple[Any, Any]:
    latents = pipeline.denoise(shot, pipeline.encode(shot, inputs, tiny.quiet), tiny.quiet)
    return latents.numpy(), np.concatenate(list(pipeline.decode(latents, tiny.quiet).frames))


def theirs(name: str, pipeline: Any, shot: Shot, **pictures: Any) -> tuple[Any, Any]:
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=shot.flow_shift
    )
    width, height = size_of(shot.size)
    given = {
        "prompt": shot.prompt,
        "negative_prompt": shot.negative_prompt,
        "height": height,
        "width": width,
        "num_frames": shot.frames,
        "num_inference_steps": shot.steps,
        "guidance_scale": shot.guidance_scale,
        "max_sequence_length": tiny.text_length(name),
    }
    if name in tiny.BOUNDARY:
        given["guidance_scale_2"] = shot.guidance_of(1)
    if tiny.architecture(name) == "vace":
        given["conditioning_scale"] = shot.control_strength
    if "strength" in pictures:
        del given["num_frames"]
    latents, frames = (
        pipeline(
            **given, **pictures, output_type=kind, generator=torch.Generator().manual_seed(shot.seed)
        ).frames
        for kind in ("latent", "np")
    )
    return latents.numpy(), frames[0]


def images(clip: Clip) -> list[Image.Image]:
    return [Image.fromarray(frame.squeeze()) for frame in clip.frames]


def check_same(mine: tuple[Any, Any], stock: tuple[Any, Any], references: int = 0) -> None:
    assert np.array_equal(mine[0], stock[0][:, :, references:])
    assert np.array_equal(mine[1], stock[1])
