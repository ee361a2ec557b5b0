"""ViTPose from folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)

from tests.support.clips import moving
from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.auxiliary.vitpose import load, sure_boxes
from wangp_cli.pipelines.base import Weights
from wangp_cli.preprocess.pose.keypoints import FACE, HANDS

SPEC = ModelSpec.model_validate(
    {
        "name": "vitpose",
        "title": "ViTPose",
        "kind": "preprocessor",
        "architecture": "vitpose",
        "source": {"folder": "/x"},
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both networks, tiny, with random weights."""
    folder = tmp_path_factory.mktemp("vitpose")
    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=[64, 48],
        patch_size=[16, 16], out_features=["stage2"],
    )  # fmt: skip
    pose = VitPoseConfig(backbone_config=backbone, num_labels=17, scale_factor=4, use_simple_decoder=True)
    VitPoseForPoseEstimation(pose).save_pretrained(folder / "pose")
    resnet = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    detector = RTDetrConfig(
        backbone_config=resnet, encoder_hidden_dim=16, encoder_in_channels=[12, 16, 20], encoder_ffn_dim=16,
        encoder_attention_heads=2, d_model=16, decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16,
        decoder_attention_heads=2, decoder_layers=1, num_queries=5, num_labels=3,
    )  # fmt: skip
    RTDetrForObjectDetection(detector).save_pretrained(folder / "detector")
    return folder


def weights(folder: Path, pose: str = "pose", detector: str = "detector") -> Weights:
    return Weights(folder=folder / pose, files=(("detector", (folder / detector / "config.json",)),))


def test_people_have_bodies_within_their_box(folder: Path) -> None:
    network = load(SPEC, weights(folder), "cpu", "float32")
    frames = moving(2, 96, 128)
    people = network.people(frames[0])
    assert people.shape[1:] == (134, 3)
    body = people[0, [0, *range(2, 18)], :2]
    # The crop of the whole frame has a margin of an eighth on each side.
    assert (body >= -20).all()
    assert (body <= (96 + 20, 128 + 20)).all()
    assert len(np.unique(body)) > 4
    assert not people[0, FACE, 2].any()
    assert not people[0, HANDS[0], 2].any()
    assert np.array_equal(people, network.people(frames[0]))
    assert not np.array_equal(people, network.people(255 - frames[0]))


def test_boxes_are_the_sure_ones_and_the_surest_is_first() -> None:
    boxes = np.array([[0.5, 0.5, 0.2, 0.4], [0.25, 0.5, 0.1, 0.2], [0.1, 0.1, 0.1, 0.1]], np.float32)
    found = sure_boxes(boxes, np.array([0.4, 0.9, 0.3], np.float32), (200, 100))
    assert found.tolist() == [
        pytest.approx([40, 40, 60, 60], abs=1e-3), pytest.approx([80, 30, 120, 70], abs=1e-3),
    ]  # fmt: skip
    assert sure_boxes(boxes, np.zeros(3, np.float32), (200, 100)).tolist() == [[0, 0, 200, 100]]


def test_folders_of_other_models_are_refused_by_their_type(folder: Path) -> None:
    with pytest.raises(ModelError, match="holds a model of type vitpose, rt_detr is wanted"):
        load(SPEC, weights(folder, detector="pose"), "cpu", "float32")
    with pytest.raises(ModelError, match="holds a model of type rt_detr, vitpose is wanted"):
        load(SPEC, weights(folder, pose="detector"), "cpu", "float32")
    with pytest.raises(ModelError, match="names no detector"):
        load(SPEC, Weights(folder=folder / "pose"), "cpu", "float32")
