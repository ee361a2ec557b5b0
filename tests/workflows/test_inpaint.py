"""Inpaint ranges and regions of a video with a tiny model and with one that returns its inputs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make
from tests.support.echo import Echo, use_echo
from tests.support.planned_videos import clip, plan_of
from wangp_cli.media.clip import Frames, as_float, as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.match import to_lab
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video
from wangp_cli.pipelines.base import Inputs
from wangp_cli.runtime.intake.settings_file import load_settings_file


def inpaint(make: Make, video: Path, **said: Any) -> Any:
    return make("tiny_vace", type="inpaint", video=video, **({"context": 2, "frames": 17} | said))


def mask_of(folder: Path, *, left: int = 16, size: tuple[int, int] = (32, 32), frames: int = 0) -> Path:
    """A mask, white from column `left` on; a video of `frames`, in which the edge moves right."""
    width, height = size
    mask = np.zeros((max(frames, 1), height, width, 1), np.uint8)
    for index in range(len(mask)):
        mask[index, :, left + index :] = 255
    path = folder / f"mask{left}_{width}_{frames}.{'mkv' if frames else 'png'}"
    if frames:
        write_video(path, [np.repeat(mask, 3, axis=3)], fps=Fraction(16), codec="ffv1")
    else:
        write_image(path, mask)
    return path


@pytest.fixture
def seen(adapters: dict[str, Any]) -> list[Inputs]:
    """What a model is shown that gives it back, with grey where it was to paint."""
    return use_echo(adapters).inputs


def test_a_range_is_new_and_every_other_frame_and_the_sound_stay(make: Make, tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 24, sound=True)
    made = inpaint(make, video, portion="6-12")
    given, frames = as_uint8(read_video(video).frames), as_uint8(made.frames)
    same = [index for index in range(24) if np.array_equal(frames[index], given[index])]
    assert same == [*range(6), *range(13, 24)]
    assert probe(made.path).frames == plan_of(made)["total"] == 24
    assert np.array_equal(read_audio(made.path).samples, read_audio(video).samples)
    silent = read_audio(inpaint(make, video, portion="6-12", sound="silence", name="s").path).samples
    assert not silent[6_000:13_000].any()
    assert silent[:6_000].any()


@pytest.mark.parametrize("frames", [0, 24])
def test_a_region_is_new_and_every_other_pixel_stays(make: Make, tmp_path: Path, frames: int) -> None:
    video = clip(tmp_path, "a", 24)
    kind = "video_mask" if frames else "image_mask"
    made = inpaint(make, video, portion="3-20", **{kind: mask_of(tmp_path, left=8, frames=frames)})
    given, got = as_uint8(read_video(video).frames), as_uint8(made.frames)
    changes = np.abs(given.astype(int) - got).sum(axis=-1) > 0
    inside = np.zeros_like(changes)
    for index in range(3, 21):
        inside[index, :, 8 + (index if frames else 0) :] = True
    assert len(plan_of(made)["segments"]) > 1
    assert not changes[~inside].any()
    assert changes[inside].mean() > 0.9


def test_the_mask_of_a_window_may_be_as_long_as_it(make: Make, tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 24)
    made = inpaint(make, video, portion="10-14", video_mask=mask_of(tmp_path, left=8, frames=5))
    changes = (as_uint8(read_video(video).frames) != as_uint8(made.frames)).any(axis=(1, 3))
    assert [int(np.flatnonzero(changes[index])[0]) for index in range(10, 15)] == [8, 9, 10, 11, 12]


def test_a_mask_grows_and_its_edge_fades_inside(make: Make, tmp_path: Path, seen: list[Inputs]) -> None:
    video = clip(tmp_path, "a", 9)
    mask = mask_of(tmp_path, left=16)
    made = inpaint(make, video, image_mask=mask, mask_expand=4, mask_feather=3, colour_match=0)
    given, got = as_float(read_video(video).frames), as_float(made.frames)
    # The model gives back grey: the share of it in each column is the mask.
    shares = ((got - given) / (0.5 - given)).reshape(9, 32, 32, 3)
    assert np.median(shares, axis=(0, 1, 3)) == pytest.approx(
        [0] * 12 + [0.1464, 0.5, 0.8536] + [1] * 17, abs=0.01
    )
    assert not (got - given)[:, :, :12].any()
    (inputs,) = seen
    assert inputs.mask is not None
    assert inputs.mask.frames[0, 0, :, 0].tolist() == [0] * 12 + [1] * 20


def test_the_model_sees_the_video_with_grey_where_it_paints(
    make: Make, tmp_path: Path, seen: list[Inputs]
) -> None:
    video = clip(tmp_path, "a", 30)
    made = inpaint(make, video, image_mask=mask_of(tmp_path), portion="4-24", colour_match=0)
    given, got = as_float(read_video(video).frames), as_float(made.frames)
    segments = plan_of(made)["segments"]
    assert len(segments) == len(seen) == 2
    for segment, inputs in zip(segments, seen, strict=True):
        assert inputs.control is not None
        assert inputs.mask is not None
        control, mask = inputs.control.frames, inputs.mask.frames[..., 0]
        begins = segment["start"] - segment["context"]
        for place in range(segment["generate"]):
            index = begins + place
            painted = segment["start"] <= index <= 24
            assert mask[place].mean() == (0.5 if painted else 0)
            assert (control[place][mask[place] == 1] == 0.5).all()
            # Context of a later window is what the earlier one has made.
            known = got[index] if index < segment["start"] else given[index]
            assert np.abs(control[place] - known)[mask[place] == 0].max() < 1e-4


def test_beyond_the_end_the_last_frame_and_its_mask_are_held(
    make: Make, tmp_path: Path, seen: list[Inputs]
) -> None:
    video = clip(tmp_path, "a", 7)
    made = inpaint(make, video, image_mask=mask_of(tmp_path))
    (inputs,) = seen
    assert inputs.control is not None
    assert inputs.mask is not None
    assert plan_of(made)["segments"][0]["trim"] == 2
    assert np.array_equal(inputs.control.frames[7:], inputs.control.frames[[6, 6]])
    assert np.array_equal(inputs.mask.frames[7:], inputs.mask.frames[[6, 6]])


def test_the_file_has_the_size_of_the_video_whatever_the_model_works_at(make: Make, tmp_path: Path) -> None:
    pixels = as_uint8(np.random.default_rng(0).random((9, 50, 70, 3), np.float32))
    video = tmp_path / "odd.mkv"
    write_video(video, [pixels], fps=Fraction(16), codec="ffv1")
    mask = mask_of(tmp_path, left=35, size=(70, 50))
    got = as_uint8(inpaint(make, video, image_mask=mask).frames)
    assert got.shape == pixels.shape
    assert np.array_equal(got[:, :, :35], pixels[:, :, :35])
    small = inpaint(make, video, portion="4-6", size="32x16", name="small")
    assert small.outcome.manifest["request"]["size"] == "32x16"
    assert np.array_equal(as_uint8(small.frames)[:4], pixels[:4])
    edited = make("tiny_vace", type="edit", video=video, portions=["4-6"], context=1, name="edited")
    assert np.array_equal(as_uint8(edited.frames)[:3], pixels[:3])


def test_colours_go_by_the_pixels_that_were_drawn_again(
    make: Make, tmp_path: Path, seen: list[Inputs]
) -> None:
    pixels = as_uint8(np.random.default_rng(0).uniform(0.2, 0.6, (9, 32, 32, 3)))
    write_video(tmp_path / "a.mkv", [pixels], fps=Fraction(16), codec="ffv1")
    said = {"image_mask": mask_of(tmp_path), "portion": "2-8", "context": 2}
    decode = Echo.decode

    def tinted(self: Echo, latents: Frames, *rest: Any) -> Any:
        return decode(self, np.clip(latents + np.array([0.08, -0.05, 0.05], np.float32), 0, 1), *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Echo, "decode", tinted)
        drifted = as_float(inpaint(make, tmp_path / "a.mkv", colour_match=0, name="off", **said).frames)
        matched = as_float(inpaint(make, tmp_path / "a.mkv", name="on", **said).frames)
    assert len(seen) == 2
    grey = to_lab(np.full(3, 0.5, np.float32))
    far, near = (
        float(np.linalg.norm(to_lab(frames[2:, :, 16:]) - grey, axis=-1).mean())
        for frames in (drifted, matched)
    )
    assert near < far / 4


def test_a_result_makes_itself_again(make: Make, tmp_path: Path) -> None:
    first = inpaint(make, clip(tmp_path, "a", 12), image_mask=mask_of(tmp_path), seed=-1)
    again = make(None, layers=(load_settings_file(first.path),), name="again", type="inpaint")
    assert np.array_equal(first.frames, again.frames)


def test_the_matte_of_an_object_is_a_mask(make: Make, seen: list[Inputs], tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 5)
    of_matte = {"video": video, "mask": mask_of(tmp_path), "engine": "classic"}
    matting = make(None, type="matanyone", prompt=None, seed=None, **of_matte)
    [matte] = [Path(each.path) for each in matting.outcome.artifacts if each.role == "mask_alpha"]
    made = inpaint(make, video, video_mask=matte, name="inpainted")
    assert made.frames.shape == read_video(video).frames.shape
    assert seen[0].mask is not None
    wanted = as_float(read_video(matte).frames)[..., :1] >= 0.5
    np.testing.assert_array_equal(seen[0].mask.frames[:5] > 0.5, wanted)
    assert wanted[0, :, 16:].all()
