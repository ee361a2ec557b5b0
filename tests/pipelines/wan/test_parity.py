"""Exact mode gives the stock pipelines' tensors bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

from tests.support import tiny
from tests.support.stock_pipelines import check_same, images, ours, theirs
from wangp_cli.pipelines.base import Inputs
from wangp_cli.tasks.shot import Shot


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"guidance_scale": 1.0},
        {"guidance_scale": 0.5},
        {"flow_shift": 7.5, "steps": 5},
        {"frames": 1},
        {"size": "48x32", "prompt": "a&amp;b  “caf\u00e9” " + "left " * 60, "negative_prompt": ""},
    ],
    ids=["guided", "one-pass", "below-one", "shift", "picture", "odd-prompt"],
)
def test_text_to_video_equals_stock(loaded: Any, stock: Any, changes: dict[str, Any]) -> None:
    shot = tiny.shot(**changes)
    check_same(ours(loaded("t2v"), shot, Inputs()), theirs("t2v", stock("t2v"), shot))


def test_video_to_video_equals_stock(stock: Any, loaded: Any) -> None:
    from diffusers import WanVideoToVideoPipeline

    clip, shot = tiny.clip(9, 3), tiny.shot(steps=4, denoising_strength=0.5)
    parts = stock("t2v").components
    names = ("tokenizer", "text_encoder", "transformer", "vae", "scheduler")
    pipeline = WanVideoToVideoPipeline(**{name: parts[name] for name in names})
    pipeline.set_progress_bar_config(disable=True)
    mine = ours(loaded("t2v"), shot, Inputs(initial=clip))
    check_same(mine, theirs("t2v", pipeline, shot, video=images(clip), strength=0.5))


@pytest.mark.parametrize("frames", [1, 9])
def test_image_to_video_equals_stock(loaded: Any, stock: Any, frames: int) -> None:
    start, shot = tiny.clip(1), tiny.shot(frames=frames)
    mine = ours(loaded("i2v"), shot, Inputs(start=start))
    check_same(mine, theirs("i2v", stock("i2v"), shot, image=images(start)[0]))


def test_first_and_last_frame_equals_stock(loaded: Any, stock: Any) -> None:
    start, end, shot = tiny.clip(1), tiny.clip(1, 1), tiny.shot()
    mine = ours(loaded("flf2v"), shot, Inputs(start=start, end=end))
    check_same(mine, theirs("flf2v", stock("flf2v"), shot, image=images(start)[0], last_image=images(end)[0]))


def test_an_end_picture_on_a_plain_network_is_hidden_from_clip(
    loaded: Any, stock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, end, shot, pipeline = tiny.clip(1), tiny.clip(1, 1), tiny.shot(), stock("i2v")
    encode = pipeline.encode_image
    monkeypatch.setattr(pipeline, "encode_image", lambda image, device: encode(image[0], device))
    mine = ours(loaded("i2v"), shot, Inputs(start=start, end=end))
    check_same(mine, theirs("i2v", pipeline, shot, image=images(start)[0], last_image=images(end)[0]))


@pytest.mark.parametrize("changes", [{}, {"frames": 1}, {"guidance_scale": 1.0, "control_strength": 0.5}])
def test_vace_without_control_equals_stock(loaded: Any, stock: Any, changes: dict[str, Any]) -> None:
    shot = tiny.shot(**changes)
    check_same(ours(loaded("vace"), shot, Inputs()), theirs("vace", stock("vace"), shot))


def test_vace_with_control_and_mask_equals_stock(loaded: Any, stock: Any) -> None:
    control, mask, shot = tiny.clip(9), tiny.clip(9, 1, channels=1), tiny.shot(control_strength=0.7)
    mine = ours(loaded("vace"), shot, Inputs(control=control, mask=mask))
    # The stock pipeline takes masks as RGB and reads the first channel.
    masks = [image.convert("RGB") for image in images(mask)]
    check_same(mine, theirs("vace", stock("vace"), shot, video=images(control), mask=masks))


def test_vace_with_one_reference_equals_stock(loaded: Any, stock: Any) -> None:
    reference, shot = tiny.clip(1, 2), tiny.shot()
    mine = ours(loaded("vace"), shot, Inputs(references=(reference,)))
    check_same(mine, theirs("vace", stock("vace"), shot, reference_images=images(reference)), references=1)


def test_vace_keeps_the_order_of_references_that_stock_reverses(loaded: Any, stock: Any) -> None:
    first, second, control, shot = tiny.clip(1, 2), tiny.clip(1, 3), tiny.clip(9), tiny.shot()
    mine = ours(loaded("vace"), shot, Inputs(control=control, references=(first, second)))
    backwards = images(second) + images(first)
    stock_result = theirs("vace", stock("vace"), shot, video=images(control), reference_images=backwards)
    check_same(mine, stock_result, references=2)


def test_vace_start_and_end_frames_equal_a_control_video_that_holds_them(loaded: Any, stock: Any) -> None:
    start, end, control, shot = tiny.clip(2), tiny.clip(3, 1), tiny.clip(9, 2), tiny.shot()
    mine = ours(loaded("vace"), shot, Inputs(start=start, end=end, control=control))
    video = images(start) + images(control)[2:6] + images(end)
    mask = [Image.new("RGB", (32, 32), shade) for shade in ["black"] * 2 + ["white"] * 4 + ["black"] * 3]
    check_same(mine, theirs("vace", stock("vace"), shot, video=video, mask=mask))


def test_half_precision_equals_stock(checkpoint: Any) -> None:
    from diffusers import WanPipeline

    from wangp_cli.pipelines.base import Placement
    from wangp_cli.pipelines.wan import load as wan_load

    folder, shot = checkpoint("t2v"), tiny.shot()
    placement = Placement(dtype="bfloat16", exact=True)
    mine = wan_load.load(tiny.spec("t2v"), folder, placement, [], tiny.Parts(), tiny.quiet)
    dtypes = {"default": torch.bfloat16, "vae": torch.float32}
    stock = WanPipeline.from_pretrained(folder, disable_mmap=True, dtype=dtypes)
    stock.set_progress_bar_config(disable=True)
    check_same(ours(mine, shot, Inputs()), theirs("t2v", stock, shot))


def two_experts(name: str, **changes: Any) -> Shot:
    """A shot in which each of two experts makes two of four steps, with a guidance of its own."""
    phases = {"guidance_phases": 2, "switch_threshold": 1000 * tiny.BOUNDARY[name], "guidance2_scale": 2.5}
    shot = tiny.shot(**{"steps": 4, "flow_shift": 3.0 if name != "i2v_2_2" else 5.0} | phases | changes)
    assert all(length > 0 for _, length in shot.phase_spans)
    return shot


@pytest.mark.parametrize("changes", [{}, {"frames": 1}, {"steps": 5, "flow_shift": 7.0}], ids=str)
def test_two_experts_text_to_video_equals_stock(loaded: Any, stock: Any, changes: dict[str, Any]) -> None:
    shot = two_experts("t2v_2_2", **changes)
    check_same(ours(loaded("t2v_2_2"), shot, Inputs()), theirs("t2v_2_2", stock("t2v_2_2"), shot))


@pytest.mark.parametrize("end", [False, True])
def test_two_experts_image_to_video_equals_stock(loaded: Any, stock: Any, end: bool) -> None:
    start, last, shot = tiny.clip(1), tiny.clip(1, 1) if end else None, two_experts("i2v_2_2")
    mine = ours(loaded("i2v_2_2"), shot, Inputs(start=start, end=last))
    pictures = {"image": images(start)[0]} | ({"last_image": images(last)[0]} if last else {})
    check_same(mine, theirs("i2v_2_2", stock("i2v_2_2"), shot, **pictures))


def test_two_experts_vace_equals_stock(loaded: Any, stock: Any) -> None:
    control, mask, reference = tiny.clip(9), tiny.clip(9, 1, channels=1), tiny.clip(1, 2)
    shot = two_experts("vace_2_2", control_strength=0.7)
    mine = ours(loaded("vace_2_2"), shot, Inputs(control=control, mask=mask, references=(reference,)))
    pictures = {
        "video": images(control),
        "mask": [image.convert("RGB") for image in images(mask)],
        "reference_images": images(reference),
    }
    check_same(mine, theirs("vace_2_2", stock("vace_2_2"), shot, **pictures), references=1)


@pytest.mark.parametrize("changes", [{}, {"frames": 1}, {"guidance_scale": 1.0}], ids=str)
def test_the_5b_model_equals_stock_with_text(loaded: Any, stock: Any, changes: dict[str, Any]) -> None:
    shot = tiny.shot(size="64x64", flow_shift=5.0, **changes)
    check_same(ours(loaded("ti2v"), shot, Inputs()), theirs("ti2v", stock("ti2v"), shot))


def test_the_5b_model_equals_stock_with_a_picture(loaded: Any, stock: Any) -> None:
    from diffusers import WanImageToVideoPipeline

    start, shot = tiny.clip(1, size=64), tiny.shot(size="64x64", flow_shift=5.0)
    none = {"image_encoder": None, "image_processor": None, "transformer_2": None}
    parts = {name: part for name, part in stock("ti2v").components.items() if name not in none}
    pipeline = WanImageToVideoPipeline(**parts, **none, expand_timesteps=True)
    pipeline.set_progress_bar_config(disable=True)
    mine = ours(loaded("ti2v"), shot, Inputs(start=start))
    check_same(mine, theirs("ti2v", pipeline, shot, image=images(start)[0]))
