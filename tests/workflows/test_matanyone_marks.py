"""`matanyone` on what points, a box or text mark, with tiny SAM and ViTMatte checkpoints."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.media.clip import as_float
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video
from wangp_cli.models import ModelSpec, Source
from wangp_cli.pipelines.auxiliary import vitmatte
from wangp_cli.pipelines.auxiliary.sam.segmenter import Segmenter
from wangp_cli.pipelines.base import Weights
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer

HEIGHT, WIDTH, FRAMES = 48, 80, 3
SPEC = ModelSpec(name="tiny", title="Tiny", kind="matting", architecture="vitmatte", source=Source())
CATALOGUE = """models:
  finder: {{title: A, kind: segmenter, architecture: sam2, licence: MIT, source: {{folder: {sam2}}}}}
  reader: {{title: B, kind: segmenter, architecture: sam3, licence: MIT, source: {{folder: {sam3}}}}}
  follower: {{title: C, kind: matting, architecture: sam2, licence: MIT, source: {{folder: {sam2}}}}}
  smoother: {{title: D, kind: matting, architecture: vitmatte, licence: MIT, source: {{folder: {vitmatte}}}}}
"""


@pytest.fixture
def session(home: Path, monkeypatch: pytest.MonkeyPatch, sam_folders: dict[str, Path]) -> Session:
    """A session whose catalogue has the tiny checkpoints."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(home / "config"))
    (home / "config" / "models").mkdir(parents=True)
    (home / "config" / "models" / "tools.yaml").write_text(CATALOGUE.format(**sam_folders))
    return bootstrap.start([])


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    """A disc that moves right over noise."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = (x - 20 - 3 * np.arange(FRAMES)[:, None, None]) ** 2 + (y - 24) ** 2
    clip = np.where((distance < 100)[..., None], [200, 40, 30], [20, 90, 160])
    return (clip + random.integers(0, 20, clip.shape)).astype(np.uint8)


@pytest.fixture
def video(tmp_path: Path, frames: NDArray[np.uint8]) -> Path:
    """Those frames, lossless."""
    path = tmp_path / "in.mkv"
    write_video(path, [frames], fps=Fraction(8), codec="ffv1", frames=FRAMES)
    return path


def made(session: Session, video: Path, **values: object) -> Outcome:
    """A matte with the lossless codec, of masks that are taken as they are."""
    plain = {"dilate_kernel": 0, "erode_kernel": 0, "codec": "ffv1", "output": video.with_name("out.mkv")}
    given = {"type": "matanyone", "video": video, **plain, **values}
    return execute(lambda: [Layer(kind="flag", values=given)], session)


def alpha_of(outcome: Outcome) -> NDArray[Any]:
    """The matte that was written."""
    assert outcome.error is None, outcome.error
    assert outcome.manifest is not None
    [path] = [item["path"] for item in outcome.manifest["artifacts"] if item["role"] == "mask_alpha"]
    return as_float(read_video(path).frames)[..., 0]


def test_a_point_and_sam_2_make_the_mattes_of_the_model_called_directly(
    session: Session, video: Path, sam_folders: dict[str, Path]
) -> None:
    outcome = made(session, video, points=["20,24"], segmenter="finder", engine="follower")
    clip = read_video(video).frames
    model = Segmenter(sam_folders["sam2"])
    mask = model.first_mask(clip[0], points=[(20, 24)])
    expected = np.concatenate(list(model.mattes([clip], {0: mask})))[..., 0]
    np.testing.assert_array_equal(alpha_of(outcome), expected)
    assert outcome.manifest is not None
    assert outcome.manifest["inputs"]["engines"] == {"engine": "follower", "segmenter": "finder"}


def test_a_refiner_makes_the_edges_soft(session: Session, video: Path, sam_folders: dict[str, Path]) -> None:
    outcome = made(
        session, video, box="8,10,34,40", segmenter="finder", engine="follower", refiner="smoother"
    )
    clip = read_video(video).frames
    model = Segmenter(sam_folders["sam2"])
    refiner = vitmatte.load(SPEC, Weights(folder=sam_folders["vitmatte"]), "cpu", "float32")
    mask = model.first_mask(clip[0], box=(8, 10, 34, 40))
    hard = model.mattes([clip], {0: mask})
    expected = np.stack(
        [refiner.refine(frame, alpha[0, :, :, 0]) for frame, alpha in zip(clip, hard, strict=True)]
    )
    np.testing.assert_allclose(alpha_of(outcome), expected, atol=0.51 / 255)
    assert len(np.unique(expected)) > 10


def test_text_makes_the_first_mask(session: Session, video: Path, sam_folders: dict[str, Path]) -> None:
    outcome = made(session, video, text="red circle", segmenter="reader", engine="follower")
    mask = Segmenter(sam_folders["sam3"]).first_mask(read_video(video).frames[0], text="red circle")
    overlap = np.minimum(alpha_of(outcome)[0], mask).sum() / np.maximum(alpha_of(outcome)[0], mask).sum()
    assert overlap > 0.9


def test_text_that_names_nothing_is_an_error_with_the_best_score(session: Session, video: Path) -> None:
    outcome = made(session, video, text="car", segmenter="reader")
    assert isinstance(outcome.error, RequestError)
    assert outcome.error.message.startswith("--text: nothing in the frame is 'car': the best score is 0.")
    assert not video.with_name("out.mkv").exists()


def test_a_sam_2_that_is_asked_for_text_is_refused(session: Session, video: Path) -> None:
    outcome = made(session, video, text="red circle", segmenter="finder")
    assert isinstance(outcome.error, RequestError)
    assert outcome.error.field == "--segmenter"
    assert "'finder' cannot do this, its kind is sam2 segmenter" in outcome.error.message


def test_points_without_weights_say_what_to_fetch(session: Session, video: Path) -> None:
    (session.folders.config / "models" / "tools.yaml").unlink()
    plain = bootstrap.start([])
    outcome = made(plain, video, points=["20,24"])
    assert isinstance(outcome.error, ModelError)
    assert outcome.error.hint == "wangp models fetch sam2.1-large"
