from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.support import cuda
from tests.support.rife import moving_frames, official_state, randomize
from wangp_cli.errors import ModelError
from wangp_cli.media.clip import Frames, as_uint8
from wangp_cli.models import ModelSpec
from wangp_cli.motion.interpolator import Interpolator
from wangp_cli.networks.rife.ifnet_v3 import IFNetV3
from wangp_cli.networks.rife.ifnet_v4 import IFNetV4
from wangp_cli.pipelines.auxiliary.rife import NETWORKS, RifeInterpolator, RifeV3, load
from wangp_cli.pipelines.base import Weights

SPEC = ModelSpec.model_validate(
    {
        "name": "rife",
        "title": "RIFE",
        "kind": "interpolator",
        "architecture": "rife",
        "source": {"folder": "/x"},
    }
)


def weights(path: Path, *, allow_pickle: bool = True) -> Weights:
    """The place of a single file."""
    return Weights(folder=path.parent, files=(("transformer", (path,)),), allow_pickle=allow_pickle)


@pytest.fixture(scope="module")
def v4_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pickle of random weights in the layout of RIFE 4.26."""
    path = tmp_path_factory.mktemp("rife") / "rife4.26.pkl"
    torch.save(official_state(randomize(IFNetV4())), path)
    return path


@pytest.fixture(scope="module")
def v3_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A safetensors file of random weights in the layout of RIFE 3."""
    path = tmp_path_factory.mktemp("rife") / "rife3.safetensors"
    save_file(official_state(randomize(IFNetV3())), path)
    return path


def frames() -> tuple[Frames, Frames]:
    """Two frames, uint8."""
    first, second = (frame.permute(0, 2, 3, 1).numpy() for frame in moving_frames(48, 64))
    return as_uint8(first), as_uint8(second)


def made(interpolator: Interpolator, times: Sequence[float]) -> list[Frames]:
    """The frames at these times."""
    return list(interpolator.between(*frames(), times))


def test_an_official_pickle_of_version_4_makes_a_frame_for_each_time(v4_file: Path) -> None:
    rife = load(SPEC, weights(v4_file), "cpu", "float32")
    assert rife.version == "4.25 or 4.26"
    early, late = made(rife, [0.25, 0.75])
    assert early.shape == (1, 48, 64, 3)
    assert early.dtype == np.float32
    assert early.min() >= 0
    assert early.max() <= 1
    assert np.abs(early - late).max() > 0.001
    assert np.array_equal(early, made(rife, [0.25])[0])
    assert not np.array_equal(early, made(rife.with_scale(0.5), [0.25])[0])
    first, second = (torch.from_numpy(frame).permute(0, 3, 1, 2) / 255 for frame in frames())
    exact = randomize(IFNetV4())(first, second, 0.25).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    assert np.allclose(early, exact, atol=1e-5)


def test_half_precision_makes_nearly_the_same_frame(v4_file: Path) -> None:
    exact = made(load(SPEC, weights(v4_file), "cpu", "float32"), [0.5])[0]
    half = made(load(SPEC, weights(v4_file), "cpu", "bfloat16"), [0.5])[0]
    assert 0 < np.abs(exact - half).mean() < 0.02


@pytest.mark.parametrize("name", ["v3_file", "v4_file"])
def test_a_network_computes_on_its_device(name: str, request: pytest.FixtureRequest) -> None:
    stored = weights(request.getfixturevalue(name))
    exact = made(load(SPEC, stored, "cpu", "float32"), [0.25])[0]
    with cuda.simulated():
        half = made(load(SPEC, stored, "cuda", "float16"), [0.25])[0]
    assert half.dtype == np.float32
    assert 0 < np.abs(exact - half).mean() < 0.01


def test_version_3_bisects(v3_file: Path) -> None:
    rife = load(SPEC, weights(v3_file, allow_pickle=False), "cpu", "float32")
    assert rife.version == "3"
    first, second = frames()
    [middle] = rife.between(first, second, [0.5])
    quarters = list(rife.between(first, second, [0.25, 0.5, 0.75]))
    [left], [right] = rife.between(first, middle, [0.5]), rife.between(middle, second, [0.5])
    # The frame in the middle is not rounded to [0, 1] before it is halved again.
    assert np.array_equal(quarters[1], middle)
    assert np.abs(quarters[0] - left).max() < 0.01
    assert np.abs(quarters[2] - right).max() < 0.01


def test_keys_of_conversions_for_comfyui_are_read(tmp_path: Path) -> None:
    state = {re.sub(r"^block(\d)", r"blocks.\1", key): value for key, value in IFNetV4().state_dict().items()}
    save_file(state, tmp_path / "a.safetensors")
    rife = load(SPEC, weights(tmp_path / "a.safetensors"), "cpu", "float32")
    assert torch.equal(rife.network.block3.conv0[1][0].weight, state["blocks.3.conv0.1.0.weight"])


@pytest.mark.parametrize(
    ("version", "parameters", "pixel"),
    [
        ("4.25.lite", 5_622_700, [0.2139, 0.3165, 0.3281]),
        pytest.param("4.25.heavy", 21_663_528, [0.3836, 0.6490, 0.3276], marks=pytest.mark.slow),
        ("4.26.heavy", 5_723_156, [0.5738, 0.2838, 0.6348]),
    ],
)
def test_other_sizes_of_version_4_are_those_of_the_reference_code(
    version: str, parameters: int, pixel: list[float], tmp_path: Path
) -> None:
    network = randomize(NETWORKS[version]())
    assert sum(value.numel() for value in network.parameters()) == parameters
    frame = network(*moving_frames(72, 90), 0.3)
    assert frame[0, :, 40, 50].tolist() == pytest.approx(pixel, abs=2e-4)
    save_file(network.state_dict(), tmp_path / "a.safetensors")
    assert load(SPEC, weights(tmp_path / "a.safetensors"), "cpu", "float32").version == version


class _Mean(nn.Module):  # type: ignore[misc] # torch has no types here
    """Gives the mean of two frames, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.calls = 0

    def forward(self, first: torch.Tensor, second: torch.Tensor, scale: float) -> torch.Tensor:
        assert scale == 1
        self.calls += 1
        return (first + second) / 2


@pytest.mark.parametrize(
    ("times", "calls"),
    [
        ([0.5], 1),
        ([k / 4 for k in range(1, 4)], 3),
        ([k / 64 for k in range(1, 64)], 63),
        ([1 / 3, 2 / 3], 9),
        ([0.5, 0.501], 1),
        ([], 0),
    ],
)
def test_bisection_comes_close_to_every_time_with_few_calls(times: list[float], calls: int) -> None:
    network = _Mean()
    black, white = np.zeros((1, 2, 2, 3), np.float32), np.ones((1, 2, 2, 3), np.float32)
    shades = [float(frame.mean()) for frame in RifeV3(network, "3").between(black, white, times)]
    assert shades == pytest.approx(times, abs=1 / 64)
    assert network.calls == calls


def refused(path: Path) -> ModelError:
    """The error of loading a file."""
    with pytest.raises(ModelError) as caught:
        load(SPEC, weights(path), "cpu", "float32")
    return caught.value


def test_another_version_is_refused_by_its_name(tmp_path: Path) -> None:
    state = {"block0.conv0.0.0.weight": torch.zeros(192, 15, 3, 3)}
    for index, width in enumerate((192, 128, 96, 64)):
        state[f"block{index}.conv0.1.0.weight"] = torch.zeros(width, 1, 1, 1)
    state["block1.conv0.0.0.weight"] = torch.zeros(64, 20, 3, 3)
    save_file(state, tmp_path / "old.safetensors")
    error = refused(tmp_path / "old.safetensors")
    assert "is RIFE 4.7, 4.8 or 4.9, which is not supported" in error.message
    assert "4.25 or 4.26" in str(error.hint)
    save_file({"block0.conv0.0.0.weight": torch.zeros(1, 1, 1, 1)}, tmp_path / "odd.safetensors")
    assert "is an unknown version of RIFE" in refused(tmp_path / "odd.safetensors").message


def test_another_network_is_refused_by_its_name(tmp_path: Path) -> None:
    torch.save({"object_transformer.query_emb.weight": torch.zeros(2)}, tmp_path / "matanyone.pth")
    assert "matanyone.pth is MatAnyone, not RIFE" in refused(tmp_path / "matanyone.pth").message
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "x.pth")
    assert "x.pth is another network, not RIFE" in refused(tmp_path / "x.pth").message


def test_a_file_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    state = official_state(IFNetV3())
    del state["module.block1.conv2.2.bias"]
    torch.save(state, tmp_path / "a.pkl")
    error = refused(tmp_path / "a.pkl").message
    assert "a.pkl is no complete RIFE 3: block1.conv2.2.bias is absent, expected (1,)" in error


def test_pickles_need_permission(v4_file: Path) -> None:
    with pytest.raises(ModelError, match="is a pickle"):
        load(SPEC, weights(v4_file, allow_pickle=False), "cpu", "float32")


def test_a_network_is_an_interpolator(v3_file: Path) -> None:
    interpolator: Interpolator = load(SPEC, weights(v3_file), "cpu", "float32")
    assert isinstance(interpolator, RifeInterpolator)
