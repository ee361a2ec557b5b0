"""Depth Anything from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import DepthAnythingForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from tests.support.clips import moving
from tests.support.depth_anything import write_depth_anything
from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.auxiliary.depth_anything import load
from wangp_cli.pipelines.base import Weights

SPEC = ModelSpec.model_validate(
    {
        "name": "depth",
        "title": "Depth",
        "kind": "preprocessor",
        "architecture": "depth_anything",
        "source": {"folder": "/x"},
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_depth_anything(tmp_path_factory.mktemp("depth"))


def test_depth_is_that_of_the_stock_processor_and_network(folder: Path) -> None:
    frames = moving(2, 80, 60)
    network = DepthAnythingForDepthEstimation.from_pretrained(folder).eval()
    processor = DPTImageProcessorPil.from_pretrained(folder)
    with torch.inference_mode():
        outputs = network(**processor(images=frames[1], return_tensors="pt"))
    stock = processor.post_process_depth_estimation(outputs, [(60, 80)])[0]["predicted_depth"].numpy()
    found = load(SPEC, Weights(folder=folder), "cpu", "float32").depth(frames)
    assert found.shape == (2, 60, 80)
    assert np.ptp(found[0]) > 0.01
    np.testing.assert_allclose(found[1], stock, atol=1e-5)
    assert not np.array_equal(found[0], found[1])


def test_a_folder_of_another_model_is_refused_by_its_type(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "dpt"}))
    with pytest.raises(ModelError, match="holds a model of type dpt, depth_anything is wanted"):
        load(SPEC, Weights(folder=tmp_path), "cpu", "float32")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(SPEC, Weights(folder=tmp_path), "cpu", "float32")
