"""`rife` from its values to the published file."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.support.batches import Batches, ends
from tests.support.clips import moving, psnr, tone
from tests.support.damaged_files import intra_clip, wipe
from tests.support.ffmpeg import ffmpeg
from tests.support.media_files import picture
from tests.support.moving_scenes import MovingScene
from tests.support.planned_videos import clip
from tests.support.rife import official_state, randomize
from wangp_cli.errors import DamagedMediaError, RequestError
from wangp_cli.media.clip import as_float, as_uint16
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image, write_image
from wangp_cli.media.write import write_video
from wangp_cli.networks.rife.ifnet_v3 import IFNetV3
from wangp_cli.networks.rife.ifnet_v4 import IFNetV4
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.value_layers import Layer


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `a.mkv`, nine frames of a moving scene with sound, and two images of it."""
    folder = tmp_path_factory.mktemp("clips")
    scene = MovingScene(31, width=96, height=64, layers=2, speed=3, sway=40)
    write_video(folder / "a.mkv", [scene.clip(9)], fps=Fraction(12), codec="ffv1", audio=tone(0.75))
    for name, time in (("first", 0), ("last", 1)):
        write_image(folder / f"{name}.png", scene.clip(time + 1)[-1:])
    return folder


@pytest.fixture
def make(home: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a task of type `rife`; gives its manifest and the file."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(clips)
    session = bootstrap.start([])

    def call(**values: object) -> tuple[dict[str, Any], Path]:
        given = {"type": "rife", "output": tmp_path / "made.mkv", "codec": "ffv1", "overwrite": True}
        outcome = execute(lambda: [Layer(kind="flag", values=given | values)], session)
        if outcome.error:
            raise outcome.error
        assert outcome.manifest is not None
        return outcome.manifest, Path(outcome.manifest["artifacts"][0]["path"])

    return call


def test_a_video_gets_frames_in_between_and_keeps_its_own_and_its_sound(make: Any) -> None:
    manifest, path = make(video="a.mkv", factor=3)
    facts, source = probe(path), read_video("a.mkv")
    made = read_video(path)
    assert (facts.frames, facts.fps) == (25, Fraction(36))
    assert np.array_equal(made.frames[::3], source.frames)
    assert facts.audio_seconds == pytest.approx(25 / 36, abs=0.001)
    assert made.audio is not None
    assert source.audio is not None
    heard, original = made.audio.samples, source.audio.samples
    np.testing.assert_allclose(heard, original[: len(heard)], atol=1e-4)
    [artifact] = manifest["artifacts"]
    assert (artifact["role"], artifact["frames"], artifact["fps"]) == ("video", 25, "36")
    assert manifest["inputs"]["engines"] == {"engine": "classic"}
    assert any("wangp models fetch rife-4.26" in notice for notice in manifest["notices"])


def test_frames_in_between_are_nearer_to_the_truth_than_mixed_ones(make: Any) -> None:
    every_second = read_video("a.mkv").frames[::2]
    write_video(Path("b.mkv"), [every_second], fps=Fraction(6), codec="ffv1")
    _, path = make(video="b.mkv")
    truth = read_video("a.mkv").frames[1::2]
    mixed = (as_float(every_second[1:]) + as_float(every_second[:-1])) / 2
    assert psnr(read_video(path).frames[1::2], truth) > psnr(mixed, truth) + 3


def test_a_rate_places_frames_exactly(make: Any) -> None:
    _, path = make(video="a.mkv", fps="30")
    made, source = read_video(path), read_video("a.mkv").frames
    assert (len(made), made.fps) == (21, Fraction(30))
    # Five frames of the result are two of the source.
    assert np.array_equal(made.frames[::5], source[::2])


def test_slow_motion_keeps_the_rate_and_is_silent(make: Any) -> None:
    manifest, path = make(video="a.mkv", factor=4, keep_fps=True)
    facts = probe(path)
    assert (facts.frames, facts.fps, facts.audio_codec) == (33, Fraction(12), None)
    assert "keep_fps: lasts 4 times as long, without sound" in manifest["notices"]


def test_two_images_make_exactly_the_frames_from_one_to_the_other(make: Any) -> None:
    _, path = make(image_start="first.png", image_end="last.png", frames=6)
    made = read_video(path)
    assert (len(made), made.fps, made.audio) == (6, Fraction(16), None)
    assert np.array_equal(made.frames[0], read_image("first.png")[0])
    assert np.array_equal(made.frames[-1], read_image("last.png")[0])
    assert len(np.unique(made.frames.reshape(6, -1), axis=0)) == 6


def test_images_of_other_sizes_are_fitted_into_one(make: Any, tmp_path: Path) -> None:
    noise = picture(tmp_path, "noise", 1)
    with pytest.raises(RequestError, match="is 32x32, but the first image is 96x64"):
        make(image_start="first.png", image_end=noise)
    _, path = make(image_start="first.png", image_end=noise, size="48x48", factor=2)
    facts = probe(path)
    assert (facts.width, facts.height, facts.frames) == (48, 48, 3)


def test_an_image_of_16_bits_and_one_of_8_make_a_video_of_16(make: Any, tmp_path: Path) -> None:
    deep = as_uint16(read_image("last.png"))
    write_image(tmp_path / "deep.png", deep, bits=16)
    _, path = make(image_start="first.png", image_end=tmp_path / "deep.png")
    made = read_video(path).frames
    assert made.dtype == np.uint16
    assert np.abs(made[2].astype(int) - deep[0]).max() <= 64


def test_a_variable_rate_is_told_and_every_picture_is_shown_at_its_time(make: Any) -> None:
    ffmpeg("-i a.mkv -vf select='not(eq(n,4))' -fps_mode vfr -c:v ffv1 vfr.mkv")
    manifest, path = make(video="vfr.mkv")
    assert any("variable frame rate" in notice for notice in manifest["notices"])
    made, source = read_video(path).frames, read_video("a.mkv").frames
    shown = source[[0, 1, 2, 3, 3, 5, 6, 7, 8]]
    assert np.array_equal(made[::2], shown)


def test_alpha_is_kept(make: Any, tmp_path: Path) -> None:
    frames = moving(3, channels=4)
    write_video(tmp_path / "alpha.mkv", [frames], fps=Fraction(12), codec="ffv1")
    _, path = make(video=tmp_path / "alpha.mkv")
    made = read_video(path).frames
    assert made.shape == (5, *frames.shape[1:])
    assert np.array_equal(made[::2], frames)


def test_an_opaque_gif_becomes_an_mp4(make: Any, tmp_path: Path) -> None:
    pictures = [Image.fromarray(picture) for picture in moving(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    _, path = make(video=tmp_path / "a.gif", output=tmp_path / "a.mp4", codec="h264")
    assert read_video(path).frames.shape == (5, 48, 64, 3)


def test_cuts_are_held_unless_they_shall_be_morphed(make: Any) -> None:
    source = read_video("a.mkv").frames[:2]
    write_video(Path("cut.mkv"), [source, 255 - source], fps=Fraction(12), codec="ffv1")
    _, path = make(video="cut.mkv")
    assert np.array_equal(read_video(path).frames[3], source[1])
    _, path = make(video="cut.mkv", hold_cuts=False)
    assert not np.array_equal(read_video(path).frames[3], source[1])


def test_frames_before_the_damage_are_kept(make: Any, tmp_path: Path) -> None:
    video = intra_clip(tmp_path / "damaged.mp4", 16)
    wipe(video, [10])
    with pytest.raises(DamagedMediaError, match=r"damaged at frame 10 \(1.25 s\)") as error:
        make(video=video, factor=2)
    assert error.value.exit_code == 1
    facts = probe(tmp_path / "made_partial.mkv")
    assert facts.frames == 19
    assert facts.audio_seconds == pytest.approx(19 / 16, abs=0.01)


@pytest.mark.slow
def test_a_batch_that_was_killed_makes_every_video_once(tmp_path: Path) -> None:
    batches = Batches(tmp_path)
    batches.real = True
    video = str(clip(tmp_path, "tiny", 3))
    tasks = ({"type": "rife", "task_id": f"r{at}", "video": video, "factor": 2 + at % 2} for at in range(100))
    path = batches.tasks(*map(json.dumps, tasks))
    try:
        result = batches.run_killed(path)
    finally:
        batches.close()
    assert set(ends(result)) == {f"r{number}" for number in range(100)}
    done = [entry["task_id"] for entry in batches.history(killed=1) if entry["status"] == "success"]
    assert sorted(done) == sorted(set(done)) == sorted(f"r{number}" for number in range(100))


@pytest.mark.slow
def test_networks_of_the_catalogue_make_frames(make: Any) -> None:
    models = bootstrap.start([]).models_dir
    old = models / "DeepBeepMeep--Wan2.1" / "flownet.pkl"
    new = models / "Comfy-Org--frame_interpolation" / "frame_interpolation" / "rife_v4.26.safetensors"
    for path in (old, new):
        path.parent.mkdir(parents=True)
    torch.save(official_state(randomize(IFNetV3())), old)
    manifest, path = make(video="a.mkv", factor=4)
    assert manifest["inputs"]["engines"] == {"engine": "rife-3"}
    by_halving = read_video(path).frames
    save_file(randomize(IFNetV4()).state_dict(), new)
    manifest, path = make(video="a.mkv", factor=4)
    assert manifest["inputs"]["engines"] == {"engine": "rife-4.26"}
    assert manifest["inputs"]["licences"] == {"rife-4.26": "MIT"}
    frames = read_video(path).frames
    _, path = make(video="a.mkv", factor=4, scale=0.5, engine="rife-4.26")
    scaled = read_video(path).frames
    for others in (by_halving, scaled):
        assert np.array_equal(frames[::4], others[::4])
        assert not np.array_equal(frames[1::4], others[1::4])
