"""DWPose from files in the ONNX format."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.clips import moving
from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.auxiliary.dwpose import DwPose, load
from wangp_cli.pipelines.base import Weights
from wangp_cli.preprocess.pose.keypoints import FACE

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("onnxruntime") or not importlib.util.find_spec("onnx"),
    reason="needs the extra onnx and the package onnx",
)
SPEC = ModelSpec.model_validate(
    {
        "name": "dwpose",
        "title": "DWPose",
        "kind": "preprocessor",
        "architecture": "dwpose",
        "source": {"folder": "/x"},
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.onnx_pose import write_detector, write_estimator

    folder = tmp_path_factory.mktemp("dwpose")
    write_detector(folder / "detector.onnx")
    write_estimator(folder / "pose.onnx")
    return folder


def loaded(folder: Path, estimator: str = "pose.onnx", detector: str = "detector.onnx") -> DwPose:
    files = (("transformer", (folder / estimator,)), ("detector", (folder / detector,)))
    return load(SPEC, Weights(folder=folder, files=files), "cpu", "float32")


def test_the_keypoints_of_each_person_are_put_back_into_the_frame(folder: Path) -> None:
    frame = np.zeros((320, 320, 3), np.uint8)
    # The boxes around (2, 2) and (242, 162) are 80 pixels wide and high, so these are in one each.
    frame[10, 20] = frame[150, 250] = 255
    people = loaded(folder).people(frame)
    assert people.shape == (2, 134, 3)
    assert people[0, :, :2] == pytest.approx(np.tile([20, 10], (134, 1)), abs=0.5)
    assert people[1, :, :2] == pytest.approx(np.tile([250, 150], (134, 1)), abs=0.5)
    assert (people[..., 2] > 0.3).all()


def test_without_anybody_the_whole_frame_is_one_crop(folder: Path) -> None:
    people = loaded(folder).people(np.zeros((32, 64, 3), np.uint8))
    assert people.shape == (1, 134, 3)
    assert (people[0, FACE, 2] < 0.3).all()


def test_it_is_deterministic_and_looks_at_the_frame(folder: Path) -> None:
    network = loaded(folder)
    first, second = moving(2, 320, 320)
    assert np.array_equal(network.people(first), network.people(first))
    assert not np.array_equal(network.people(first), network.people(second[::-1]))


def test_files_of_other_networks_are_refused_by_name(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"pose\.onnx is no YOLOX detector"):
        loaded(folder, detector="pose.onnx")
    with pytest.raises(ModelError, match=r"detector\.onnx is no whole-body pose network"):
        loaded(folder, estimator="detector.onnx")
    (folder / "broken.onnx").write_bytes(b"\x08\x01nothing")
    with pytest.raises(ModelError, match=r"broken\.onnx is no network in the ONNX format"):
        loaded(folder, estimator="broken.onnx")
    with pytest.raises(ModelError, match="names no detector"):
        load(
            SPEC, Weights(folder=folder, files=(("transformer", (folder / "pose.onnx",)),)), "cpu", "float32"
        )


def test_a_missing_package_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="onnxruntime is not installed") as told:
        loaded(folder)
    assert told.value.hint == "pip install 'wangp-cli[onnx]'"
