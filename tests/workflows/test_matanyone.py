"""`matanyone` from its values to the published files."""

from __future__ import annotations

import io
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from tests.support.batches import Batches, ends
from tests.support.clips import tone
from tests.support.damaged_files import intra_clip, wipe
from tests.support.matanyone import random_matanyone
from tests.support.matting_clips import MattingClip, matting_clip, mean_overlap
from tests.support.tiny_sam import save as save_tiny
from wangp_cli.errors import DamagedMediaError, ModelError, RequestError
from wangp_cli.matting.matter import Alpha
from wangp_cli.media.clip import Frames, as_float, as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.mask import single_channel
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image, write_image
from wangp_cli.media.write import write_video
from wangp_cli.pipelines.auxiliary.matanyone import MatAnyoneMatter
from wangp_cli.pipelines.registry import NETWORKS
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.value_layers import Layer

LENGTH = 4
TOLERANCE = 2 / 255
"""Of frames that a codec of 10 bits holds."""

CATALOGUE = """models:
  my-sam:
    title: A tiny SAM 2
    kind: segmenter
    architecture: sam2
    source: {{folder: {folder}}}
"""


@pytest.fixture(scope="module")
def scene() -> MattingClip:
    return matting_clip(1, LENGTH, size=(48, 40))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, scene: MattingClip) -> Path:
    """A folder with `a.mkv`, a video with sound; its masks in the frames 0, 1 and 3; its first frame."""
    folder = tmp_path_factory.mktemp("inputs")
    write_video(folder / "a.mkv", [scene.frames], fps=Fraction(10), codec="ffv1", audio=tone(LENGTH / 10))
    write_image(folder / "a.png", scene.frames[:1])
    for at in (0, 1, 3):
        write_image(folder / f"mask{at}.png", as_uint8(scene.alpha[at : at + 1]))
    halves = np.zeros((2, 40, 48, 3), np.uint8)
    inside = scene.alpha[0, :, :, 0] > 0.5
    columns = np.arange(48) < np.nonzero(inside.any(0))[0].mean()
    halves[0, inside & columns] = halves[1, inside & ~columns] = 255
    write_image(folder / "left.png", halves[:1])
    write_image(folder / "right.png", halves[1:])
    labels = halves[:1] // 255 * (200, 0, 0) + halves[1:] // 255 * (0, 0, 90)
    write_image(folder / "labels.png", labels.astype(np.uint8))
    return folder


@pytest.fixture
def make(home: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a task of type `matanyone`; gives its manifest and the files by role."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(home))
    (home / "models").mkdir()
    (home / "models" / "tools.yaml").write_text(CATALOGUE.format(folder=home / "sam"))
    monkeypatch.chdir(inputs)
    session = bootstrap.start([], networks={**NETWORKS, "matanyone": load_random})

    def call(**values: object) -> tuple[dict[str, Any], dict[str, list[Path]]]:
        marks = {} if {"mask", "points", "text"} & values.keys() else {"mask": "mask0.png"}
        given = {"type": "matanyone", "video": "a.mkv", "output": tmp_path / "out" / "made.mkv", **marks}
        codec = {"codec": "ffv1"} if "output" not in values else {}
        outcome = execute(lambda: [Layer(kind="flag", values=given | codec | values)], session)
        if outcome.error:
            raise outcome.error
        assert outcome.manifest is not None
        files: dict[str, list[Path]] = {}
        for artifact in outcome.manifest["artifacts"]:
            files.setdefault(artifact["role"], []).append(Path(artifact["path"]))
        return outcome.manifest, files

    return call


def load_random(*_: object) -> MatAnyoneMatter:
    return MatAnyoneMatter(random_matanyone(), "float32")


def matte_of(path: Path) -> Alpha:
    return single_channel(read_video(path).frames)


def greenness(frames: Frames, alpha: Alpha) -> Frames:
    """What a green screen shows behind frames of this alpha."""
    return as_float(frames) * alpha + np.array([0, 1, 0], np.float32) * (1 - alpha)


def test_a_video_and_a_mask_make_the_frames_with_sound_and_the_matte(make: Any, scene: MattingClip) -> None:
    manifest, files = make()
    [video], [matte] = files["mask_foreground"], files["mask_alpha"]
    assert (video.name, matte.name) == ("made.mkv", "made_alpha.mkv")
    assert np.array_equal(read_video(video).frames, scene.frames)
    assert probe(video).audio_seconds == pytest.approx(LENGTH / 10)
    assert probe(matte).audio_codec is None
    assert mean_overlap(matte_of(matte), scene.alpha) > 0.85
    assert manifest["inputs"]["engines"] == {"engine": "classic"}
    assert any("`wangp models fetch matanyone2` gets a better engine" in each for each in manifest["notices"])
    assert [each["frames"] for each in manifest["artifacts"]] == [LENGTH, LENGTH]


def test_the_background_of_a_greenscreen_is_green(make: Any, scene: MattingClip) -> None:
    _, files = make(mask_type="greenscreen")
    [video], [matte] = files["mask_foreground"], files["mask_alpha"]
    wanted = greenness(scene.frames, matte_of(matte))
    np.testing.assert_allclose(as_float(read_video(video).frames), wanted, atol=TOLERANCE)


@pytest.mark.slow
def test_the_object_is_green_where_the_background_is_kept(make: Any, scene: MattingClip) -> None:
    _, files = make(mask_type="greenscreen", matting="background")
    [video] = files["mask_foreground"]
    swapped = matte_of(files["mask_alpha"][0])
    wanted = greenness(scene.frames, swapped)
    np.testing.assert_allclose(as_float(read_video(video).frames), wanted, atol=TOLERANCE)
    assert mean_overlap(1 - swapped, scene.alpha) > 0.85


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mov", "prores4444"),
        pytest.param("a.webm", "vp9", marks=pytest.mark.slow),
        pytest.param("a.mkv", "ffv1", marks=pytest.mark.slow),
    ],
)
def test_alpha_goes_into_the_video_and_into_an_archive(
    make: Any, scene: MattingClip, tmp_path: Path, name: str, codec: str
) -> None:
    manifest, files = make(
        mask_type="alpha", output=tmp_path / name, codec=None if codec != "ffv1" else codec
    )
    assert manifest["artifacts"][0]["codec"] == codec
    alpha = as_float(read_video(files["mask_foreground"][0]).frames)[..., 3:]
    assert mean_overlap(alpha, scene.alpha) > 0.85
    with ZipFile(files["rgba_archive"][0]) as archive:
        assert archive.namelist() == [f"frame_{at:06d}.png" for at in range(LENGTH)]
        first = np.asarray(Image.open(io.BytesIO(archive.read("frame_000000.png"))))
    assert np.array_equal(first[..., :3], scene.frames[0])
    assert np.array_equal(first[..., 3], as_uint8(scene.alpha[0])[..., 0])


@pytest.mark.slow
def test_rgba_frames_can_go_into_a_folder_which_is_replaced(make: Any) -> None:
    for _ in range(2):
        _, files = make(archive="folder", overwrite=True)
    [folder] = files["rgba_archive"]
    assert sorted(file.name for file in folder.iterdir()) == [f"frame_{at:06d}.png" for at in range(LENGTH)]


def test_h264_has_no_alpha(make: Any) -> None:
    with pytest.raises(RequestError, match="codec: h264 has no alpha channel"):
        make(mask_type="alpha", codec="h264")


def test_frames_from_start_to_before_the_end_at_another_size(make: Any, scene: MattingClip) -> None:
    _, files = make(start_frame=1, end_frame=4, mask="mask1.png", size="24x20")
    video, matte = read_video(files["mask_foreground"][0]), matte_of(files["mask_alpha"][0])
    assert video.frames.shape == (3, 20, 24, 3)
    assert video.audio is not None
    assert video.audio.seconds == pytest.approx(0.3)
    small = scene.alpha[1:4].reshape(3, 20, 2, 24, 2, 1).mean((2, 4))
    assert mean_overlap(matte, small) > 0.85


def test_a_key_mask_is_the_matte_of_its_frame(make: Any, scene: MattingClip) -> None:
    _, files = make(key_masks="mask3.png", key_frames=3, audio=False)
    np.testing.assert_allclose(matte_of(files["mask_alpha"][0])[3], scene.alpha[3], atol=1 / 255)
    assert probe(files["mask_foreground"][0]).audio_codec is None


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"mask": ["left.png", "right.png"]}, marks=pytest.mark.slow),
        {"mask": "labels.png", "mask_labels": 2},
    ],
)
def test_several_objects_make_one_matte_and_one_each(make: Any, inputs: Path, marks: dict[str, Any]) -> None:
    _, files = make(**marks, each_object=True)
    whole, *each = files["mask_alpha"]
    assert [path.name for path in each] == ["made_alpha_1.mkv", "made_alpha_2.mkv"]
    sizes = sorted(as_float(read_image(inputs / f"{side}.png"))[..., 0].sum() for side in ("left", "right"))
    assert sorted(matte_of(path)[0].sum() for path in each) == pytest.approx(sizes)
    together = np.sum([matte_of(path) for path in each], axis=0).clip(0, 1)
    np.testing.assert_allclose(matte_of(whole), together, atol=TOLERANCE)


def test_label_masks_must_have_as_many_colours_as_told(make: Any) -> None:
    with pytest.raises(
        RequestError, match=r"mask-labels: 3, but 'labels.png' has 2 colours other than black"
    ):
        make(mask="labels.png", mask_labels=3)


def test_a_later_label_mask_must_have_the_colours_of_the_first(make: Any) -> None:
    with pytest.raises(RequestError, match=r"key-mask: 'left.png' has colours that 'labels.png' has not"):
        make(mask="labels.png", mask_labels=2, key_masks=["left.png"], key_frames=[1])


def test_an_image_makes_an_image_and_its_matte(make: Any, scene: MattingClip, tmp_path: Path) -> None:
    _, files = make(video="a.png", mask_type="alpha", archive="none", output=tmp_path / "made.png")
    image = read_image(files["mask_foreground"][0])
    assert np.array_equal(image[..., :3], scene.frames[:1])
    np.testing.assert_allclose(as_float(image)[..., 3:], scene.alpha[:1], atol=1 / 255)
    assert read_image(files["mask_alpha"][0]).shape[:3] == (1, 40, 48)


@pytest.mark.parametrize(("value", "words"), [(0, "it is empty"), (255, "it covers the whole frame")])
def test_masks_that_mark_nothing_are_refused(make: Any, tmp_path: Path, value: int, words: str) -> None:
    write_image(tmp_path / "flat.png", np.full((1, 40, 48, 3), value, np.uint8))
    with pytest.raises(RequestError, match=f"mask: {words} at frame 0"):
        make(mask=tmp_path / "flat.png")
    assert not list((tmp_path / "out").glob("*.*"))


def test_an_engine_without_weights_is_refused_by_name(make: Any) -> None:
    with pytest.raises(ModelError) as error:
        make(engine="matanyone2")
    assert (error.value.exit_code, error.value.hint) == (3, "wangp models fetch matanyone2")


@pytest.mark.slow
def test_a_segmenter_finds_the_object_at_a_point(make: Any, home: Path) -> None:
    save_tiny("sam2", home / "sam")
    manifest, files = make(points="20,20", segmenter="my-sam")
    assert manifest["inputs"]["engines"] == {"engine": "classic", "segmenter": "my-sam"}
    assert set(np.unique(matte_of(files["mask_alpha"][0])[0])) == {0.0, 1.0}


def test_points_need_the_weights_of_a_segmenter(make: Any) -> None:
    with pytest.raises(ModelError, match=r"sam2\.1"):
        make(points="20,20")


@pytest.fixture
def matanyone(make: Any) -> Any:
    """As `make`, with weights of MatAnyone that the loader of these tests does not read."""
    place = bootstrap.start([]).models_dir / "PeiqingYang--MatAnyone" / "model.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"0")
    return make


@pytest.mark.slow
def test_matanyone_is_taken_when_its_weights_are_here_and_its_licence_is_told(matanyone: Any) -> None:
    manifest, files = matanyone(warmup_frames=0)
    assert manifest["inputs"]["engines"] == {"engine": "matanyone"}
    assert manifest["inputs"]["licences"] == {"matanyone": "S-Lab-1.0 (non-commercial)"}
    licence = "engine: licence of matanyone: S-Lab-1.0 (non-commercial), for non-commercial use only"
    assert manifest["notices"].count(licence) == 1
    plain = matte_of(files["mask_alpha"][0])
    _, files = matanyone(warmup_frames=1, overwrite=True)
    warm = matte_of(files["mask_alpha"][0])
    assert not np.array_equal(plain, warm)
    _, files = matanyone(warmup_frames=1, dilate_kernel=0, erode_kernel=0, overwrite=True)
    assert not np.array_equal(warm, matte_of(files["mask_alpha"][0]))


def test_frames_before_the_damage_are_kept(make: Any, tmp_path: Path) -> None:
    video = intra_clip(tmp_path / "damaged.mp4", 8)
    wipe(video, [5])
    mask = np.zeros((1, 64, 64, 3), np.uint8)
    mask[:, 20:40, 20:40] = 255
    write_image(tmp_path / "square.png", mask)
    with pytest.raises(DamagedMediaError, match="damaged at frame 5") as error:
        make(video=video, mask=tmp_path / "square.png")
    assert error.value.exit_code == 1
    for name in ("made_partial.mkv", "made_partial_alpha.mkv"):
        assert probe(tmp_path / "out" / name).frames == 5


@pytest.mark.slow
def test_a_batch_that_was_killed_makes_every_matte_once(inputs: Path, tmp_path: Path) -> None:
    batches = Batches(tmp_path)
    batches.real = True
    # A task file may name files beside it alone.
    image, mask = (shutil.copy(inputs / name, tmp_path) for name in ("a.png", "mask0.png"))
    values = {"type": "matanyone", "video": image, "mask": mask}
    tasks = ({**values, "task_id": f"m{at}", "name": "{task_id}"} for at in range(100))
    path = batches.tasks(*map(json.dumps, tasks))
    try:
        result = batches.run_killed(path)
    finally:
        batches.close()
    assert set(ends(result)) == {f"m{number}" for number in range(100)}
    entries = [entry for entry in batches.history(killed=1) if entry["status"] == "success"]
    assert sorted(entry["task_id"] for entry in entries) == sorted(f"m{number}" for number in range(100))
    assert {len(entry["artifacts"]) for entry in entries} == {2}
