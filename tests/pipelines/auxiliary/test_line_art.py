"""Line drawings from a published file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.clips import moving
from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec
from wangp_cli.networks.line_art import LineArt
from wangp_cli.pipelines.auxiliary.line_art import load
from wangp_cli.pipelines.base import Weights

SPEC = ModelSpec.model_validate(
    {
        "name": "line_art",
        "title": "Line art",
        "kind": "preprocessor",
        "architecture": "line_art",
        "source": {"folder": "/x"},
    }
)


def weights(path: Path, *, allow_pickle: bool = True) -> Weights:
    return Weights(folder=path.parent, files=(("transformer", (path,)),), allow_pickle=allow_pickle)


@pytest.fixture(scope="module")
def network() -> LineArt:
    torch.manual_seed(0)
    return LineArt()


@pytest.fixture(scope="module")
def file(network: LineArt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pickle of random weights in the layout of the published one."""
    path = tmp_path_factory.mktemp("line_art") / "netG_A_latest.pth"
    torch.save(network.state_dict(), path)
    return path


def test_a_file_gives_the_lines_of_its_network(network: LineArt, file: Path) -> None:
    frames = moving(2, 64, 48)
    lines = load(SPEC, weights(file), "cpu", "float32").lines(frames)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255)[:, 0].numpy()
    assert lines.shape == (2, 48, 64)
    np.testing.assert_allclose(lines, wanted, atol=1e-5)


def test_sides_need_not_be_multiples_of_four(file: Path) -> None:
    drawer = load(SPEC, weights(file), "cpu", "float32")
    assert drawer.lines(moving(1, 63, 46)).shape == (1, 46, 63)


def test_safetensors_and_keys_of_wrapped_networks_serve_as_well(
    network: LineArt, file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "lines.safetensors"
    save_file({f"module.{key}": value for key, value in network.state_dict().items()}, path)
    frames = moving(1, 32, 32)
    first, second = (load(SPEC, weights(each), "cpu", "float32").lines(frames) for each in (file, path))
    assert np.array_equal(first, second)


def test_files_of_other_networks_are_refused(network: LineArt, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a pickle"):
        load(SPEC, weights(file, allow_pickle=False), "cpu", "float32")
    state = network.state_dict()
    save_file({"block0.conv0.0.0.weight": torch.zeros(1)}, tmp_path / "rife.safetensors")
    with pytest.raises(ModelError, match="is RIFE, not a network of Informative Drawings"):
        load(SPEC, weights(tmp_path / "rife.safetensors"), "cpu", "float32")
    del state["model4.1.bias"]
    save_file(state, tmp_path / "half.safetensors")
    with pytest.raises(ModelError, match=r"model4\.1\.bias is absent"):
        load(SPEC, weights(tmp_path / "half.safetensors"), "cpu", "float32")
