"""Animate through `wangp generate`: files in, windows where it is long, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import WanAnimatePipeline
from PIL import Image

from tests.conftest import Make
from tests.support.echo import use_echo
from tests.support.media_files import noise, picture, video
from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video
from wangp_cli.pipelines.base import Inputs
from wangp_cli.pipelines.denoise.loop import draw_noise, noise_generator

Files = dict[str, Any]
WIDE = np.concatenate([noise(18, 6), noise(18, 7)], axis=2)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A character, and 17 frames of poses and of a face."""
    return {
        "image_refs": [picture(tmp_path, "character", 1)],
        "video_guide": video(tmp_path, "poses", 2, 17),
        "video_face": video(tmp_path, "face", 3, 17),
    }


@pytest.fixture
def place(tmp_path: Path) -> Files:
    """A background, and a mask over it."""
    mask = np.repeat(noise(17, 5)[..., :1] // 128 * 255, 3, axis=3)
    write_video(tmp_path / "mask.mkv", [mask], fps=Fraction(16), codec="ffv1")
    return {"video_background": video(tmp_path, "background", 4, 17), "video_mask": tmp_path / "mask.mkv"}


@pytest.fixture
def shown(adapters: dict[str, Any]) -> list[Inputs]:
    """What a model is shown that gives it back."""
    return use_echo(adapters).inputs


def images(path: Path) -> list[Image.Image]:
    return [Image.fromarray(frame) for frame in as_uint8(read_video(path).frames)]


def test_windows_are_the_segments_of_stock(make: Make, files: Files, place: Files, tiny_models: Path) -> None:
    said = files | place | {"frames": 17, "sliding_window_size": 9, "colour_match": 0, "exact": True}
    made = make("tiny_animate", size="32x32", **said)
    folder = Catalogue(presets_dir() / "models", tiny_models / "models").get("tiny_animate").source.folder
    stock = WanAnimatePipeline.from_pretrained(folder, disable_mmap=True)
    stock.set_progress_bar_config(disable=True)
    wanted = stock(
        image=Image.open(files["image_refs"][0]),
        pose_video=images(files["video_guide"]),
        face_video=images(files["video_face"]),
        background_video=images(place["video_background"]),
        mask_video=images(place["video_mask"]),
        mode="replace",
        prompt="a red circle",
        height=32,
        width=32,
        segment_frame_length=9,
        num_inference_steps=2,
        generator=noise_generator(7),
        latents=draw_noise((1, 16, 4, 4, 4), noise_generator(7), "cpu"),
    ).frames[0]
    assert made.outcome.manifest is not None
    assert [part["generate"] for part in made.outcome.manifest["plan"]["segments"]] == [9, 9]
    apart = np.abs(as_uint8(made.frames).astype(int) - as_uint8(wanted.astype(np.float32)).astype(int))
    # The frame that both windows have is that of the second.
    assert np.delete(apart, 8, axis=0).max() <= 1
    assert apart[8].max() > 1


def test_every_file_is_shown_where_it_belongs(
    make: Make, files: Files, place: Files, shown: list[Inputs]
) -> None:
    made = make("tiny_animate", **files | place | {"frames": 17, "size": "32x32"})
    assert made.outcome.error is None
    [inputs] = shown
    for field, clip in {
        "video_guide": inputs.control,
        "video_face": inputs.face,
        "video_background": inputs.background,
        "video_mask": inputs.mask,
    }.items():
        assert clip is not None
        pixels = read_video((files | place)[field]).frames[..., : clip.frames.shape[3]]
        assert np.array_equal(as_uint8(clip.frames), as_uint8(pixels)), field
    assert np.array_equal(as_uint8(inputs.references[0].frames), noise(1, 1))


def test_a_character_is_shown_whole_a_face_by_its_middle_and_poses_stand_still_behind_their_end(
    make: Make, files: Files, tmp_path: Path, shown: list[Inputs]
) -> None:
    Image.new("RGB", (32, 64), "white").save(tall := tmp_path / "tall.png")
    write_video(wide := tmp_path / "wide.mkv", [WIDE], fps=Fraction(16), codec="ffv1")
    poses = video(tmp_path, "more poses", 7, 18)
    said = {"image_refs": [tall], "video_face": wide, "video_guide": poses, "size": "32x32"}
    made = make("tiny_animate", frames=18, sliding_window_size=13, **said)
    assert made.outcome.error is None
    inputs, last = shown
    columns = as_uint8(inputs.references[0].frames)[0, 16, :, 0]
    assert columns.tolist() == [0] * 8 + [255] * 16 + [0] * 8
    assert inputs.face is not None
    assert np.array_equal(as_uint8(inputs.face.frames), WIDE[:13, :, 16:48])
    assert any("video_face: 64x32" in str(event.data) for event in made.events)
    assert last.control is not None
    still = noise(18, 7)[[12, 13, 14, 15, 16, 17, 17, 17, 17]]
    assert np.array_equal(as_uint8(last.control.frames), still)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"video_face": None}, "--video-face: model 'tiny_animate' needs a face video", "give --video-face"),
        ({"image_refs": []}, "needs a reference image", "give --image-ref"),
        ({"frames": 21}, "17 frames, but 21 are asked for", "--frames 17"),
        ({"frames": "2s"}, "17 frames, but 32 are asked for", "--frames 17"),
        ({"video_face": "short"}, "--video-face: 13 frames, but the control video has 17", "cut or loop it"),
        ({"video_background": "short"}, "--video-background: there is no mask", None),
        ({"video_mask": "long"}, "--video-mask: model 'tiny_animate' needs the video it lies over", "give"),
        (
            {"video_background": "wide", "video_mask": "long"},
            "32x32, but the background video is 64x32",
            None,
        ),
        ({"control_strength": 0.5}, "--control-strength: 0.5, but model 'tiny_animate'", "leave it out"),
    ],
    ids=lambda change: "-".join(change) if isinstance(change, dict) else "",
)
def test_what_does_not_go_together_is_refused_before_anything_is_loaded(
    make: Make, files: Files, tmp_path: Path, change: Files, message: str, hint: str | None
) -> None:
    given = {
        "short": video(tmp_path, "short", 9, 13),
        "long": video(tmp_path, "long", 9, 17),
        "wide": tmp_path / "wide.mkv",
    }
    write_video(given["wide"], [WIDE[:17]], fps=Fraction(16), codec="ffv1")
    said = {name: given.get(str(value), value) for name, value in change.items()}
    made = make("tiny_animate", **files | said)
    assert isinstance(made.outcome.error, RequestError)
    assert message in made.outcome.error.message
    assert (hint or "") in (made.outcome.error.hint or "")
    assert not any(event.type == "task.stage" for event in made.events)


@pytest.mark.usefixtures("shown")
def test_the_result_has_the_rate_of_the_poses(make: Make, files: Files, tmp_path: Path) -> None:
    poses = video(tmp_path, "slow", 2, 17, fps=Fraction(12))
    assert probe(make("tiny_animate", **files | {"video_guide": poses}).path).fps == 12
    assert probe(make("tiny_animate", fps="24", name="said", **files).path).fps == 24


def test_the_shipped_model_says_what_other_tools_make_and_shows_one_character(
    make: Make, files: Files
) -> None:
    error = make("animate", image_refs=files["image_refs"]).outcome.error
    assert error is not None
    assert "--video-guide: model 'animate' needs a pose video, drawn by another tool" in error.message
    error = make("animate", **files | {"image_refs": files["image_refs"] * 2}).outcome.error
    assert error is not None
    assert "--image-ref: 2 images, but model 'animate' takes at most 1" in error.message


def test_a_task_that_takes_no_face_says_which_does(make: Make, files: Files) -> None:
    pictures = [files["image_refs"][0]] * 2
    error = make("tiny_animate", type="travel", images=pictures).outcome.error
    assert error is not None
    assert "model 'tiny_animate' needs a face video" in error.message
    assert error.hint == "`wangp generate` takes it"
