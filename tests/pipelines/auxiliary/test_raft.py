from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support import cuda
from tests.support.raft import random_raft
from wangp_cli.errors import ModelError
from wangp_cli.media.clip import Frames
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.auxiliary import raft
from wangp_cli.pipelines.auxiliary.raft import RaftFlow, load
from wangp_cli.pipelines.base import Weights
from wangp_cli.preprocess.flow import flow_colours
from wangp_cli.preprocess.kinds import PictureSettings, control_pictures

SPEC = ModelSpec.model_validate(
    {
        "name": "raft",
        "title": "RAFT",
        "kind": "preprocessor",
        "architecture": "raft",
        "source": {"folder": "/x"},
    }
)
FIRST, SECOND = np.random.default_rng(0).integers(0, 256, (2, 66, 70, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft, "ITERATIONS", 2)


def saved(path: Path, state: dict[str, torch.Tensor]) -> Weights:
    """A file of these tensors."""
    if path.suffix == ".safetensors":
        save_file({key: value.clone() for key, value in state.items()}, path)
    else:
        torch.save(state, path)
    return Weights(folder=path.parent, files=(("transformer", (path,)),), allow_pickle=True)


def images(frames: Frames) -> torch.Tensor:
    """Frames `[T, H, W, 3]` as the network takes them."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2) / 255 * 2 - 1


def test_the_flow_is_that_of_the_network_on_padded_frames() -> None:
    flow = RaftFlow(random_raft())(FIRST, SECOND)
    assert flow.shape == (66, 70, 2)
    assert flow.dtype == np.float32
    padded = torch.nn.functional.pad(images(np.stack([FIRST, SECOND])), (1, 1, 3, 3), mode="replicate")
    with torch.inference_mode():
        expected = random_raft()(padded[:1], padded[1:], 2)[0, :, 3:69, 1:71]
    np.testing.assert_allclose(flow, expected.permute(1, 2, 0).numpy(), atol=1e-4)


def test_small_frames_are_padded_to_the_least_size() -> None:
    flow = RaftFlow(random_raft())(FIRST[:20, :30], SECOND[:20, :30])
    assert flow.shape == (20, 30, 2)
    assert np.isfinite(flow).all()


def test_large_frames_are_reduced_and_the_flow_is_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (np.kron(frame[:64, :64], np.ones((2, 2, 1), np.uint8)) for frame in (FIRST, SECOND))
    monkeypatch.setattr(raft, "MOST_PIXELS", 64 * 64)
    small = RaftFlow(random_raft())(FIRST[:64, :64], SECOND[:64, :64])
    large = RaftFlow(random_raft())(first, second)
    assert large.shape == (128, 128, 2)
    # Between two pixels of the small flow, in pixels of the large frame.
    assert np.abs(large[20:100, 20:100].mean((0, 1)) / small[10:50, 10:50].mean((0, 1)) / 2 - 1).max() < 0.2


def test_control_pictures_show_its_flow() -> None:
    [first, second] = control_pictures(
        "flow", iter([np.stack([FIRST, SECOND])]), PictureSettings(), RaftFlow(random_raft())
    )
    assert np.array_equal(first, second)
    flow = RaftFlow(random_raft())(FIRST, SECOND)
    fastest = max(np.percentile(np.hypot(flow[..., 0], flow[..., 1]), 99), 1)
    expected = flow_colours(flow.astype(np.float16) * np.float32(1 / fastest))
    assert np.abs(second[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("suffix", "prefix"), [(".safetensors", ""), (".pth", "module.")])
def test_published_files_are_loaded(tmp_path: Path, suffix: str, prefix: str) -> None:
    state = {f"{prefix}{key}": value for key, value in random_raft().state_dict().items()}
    flow = load(SPEC, saved(tmp_path / f"raft{suffix}", state), "cpu", "bfloat16")
    assert np.array_equal(flow(FIRST, SECOND), RaftFlow(random_raft())(FIRST, SECOND))


def test_a_network_computes_on_its_device(tmp_path: Path) -> None:
    stored = saved(tmp_path / "raft.safetensors", random_raft().state_dict())
    with cuda.simulated():
        flow = load(SPEC, stored, "cuda", "float32")(FIRST, SECOND)
    np.testing.assert_allclose(flow, RaftFlow(random_raft())(FIRST, SECOND), atol=1e-4)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"module.fnet.conv1.weight": torch.zeros(32, 3, 7, 7)}, "is the small RAFT"),
        ({"feature_encoder.conv.weight": torch.zeros(1)}, "is RAFT with the keys of torchvision"),
        ({"module.block0.conv0.0.0.weight": torch.zeros(1)}, "is RIFE, not RAFT"),
        ({"fnet.conv1.weight": torch.zeros(64, 3, 7, 7)}, "is no complete RAFT"),
    ],
)
def test_other_networks_are_refused_by_name(
    tmp_path: Path, state: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load(SPEC, saved(tmp_path / "a.pth", state), "cpu", "float32")
