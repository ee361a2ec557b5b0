from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support import cuda
from tests.support.matanyone import random_matanyone
from wangp_cli.errors import GenerationError, ModelError, RequestError
from wangp_cli.matting.matter import Alpha, Mask, Matter
from wangp_cli.media.clip import Frames
from wangp_cli.models import ModelSpec
from wangp_cli.networks.matanyone.follow import Follower, FollowSettings
from wangp_cli.pipelines.auxiliary.matanyone import MatAnyoneMatter, load
from wangp_cli.pipelines.base import Weights

SPEC = ModelSpec.model_validate(
    {
        "name": "matanyone",
        "title": "MatAnyone",
        "kind": "matting",
        "architecture": "matanyone",
        "source": {"folder": "/x"},
    }
)
QUICK = FollowSettings(warmup=0, memory_every=1)
FRAMES = np.random.default_rng(0).integers(0, 256, (3, 36, 52, 3)).astype(np.uint8)


def weights(path: Path, *, allow_pickle: bool = True) -> Weights:
    return Weights(folder=path.parent, files=(("transformer", (path,)),), allow_pickle=allow_pickle)


def saved(path: Path, state: Mapping[str, torch.Tensor]) -> Weights:
    """A file of these tensors."""
    if path.suffix == ".safetensors":
        save_file(dict(state), path)
    else:
        torch.save(dict(state), path)
    return weights(path)


def small_state(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    """The keys of a checkpoint with tensors that take no room on the disk, some of them of other shapes."""
    state = random_matanyone().state_dict()
    return {key: torch.zeros(()).expand(value.shape) for key, value in state.items()} | changed


def mask(left: int = 10) -> Mask:
    mask = np.zeros((36, 52), np.float32)
    mask[8:28, left : left + 20] = 1
    return mask


def matter(**given: object) -> MatAnyoneMatter:
    return MatAnyoneMatter(random_matanyone(), "float32", QUICK).with_settings(QUICK, **given)  # type: ignore[arg-type]


def alpha(
    matter: Matter, key_masks: Mapping[int, Mask] | None = None, frames: Frames = FRAMES, length: int = 2
) -> Alpha:
    pieces = (frames[i : i + length] for i in range(0, len(frames), length))
    return np.concatenate(list(matter.mattes(pieces, key_masks or {0: mask()})))


@pytest.fixture(scope="module")
def usual() -> Alpha:
    return alpha(matter())


def test_alpha_is_that_of_the_network_whatever_pieces_the_frames_come_in(usual: Alpha) -> None:
    assert usual.shape == (3, 36, 52, 1)
    assert usual.dtype == np.float32
    follower = Follower(random_matanyone(), QUICK)
    images = torch.from_numpy(FRAMES).permute(0, 3, 1, 2) / 255
    expected = [follower.start(images[:1], torch.from_numpy(mask())[None, None])]
    expected += [follower.step(images[i : i + 1]) for i in range(1, 3)]
    assert np.array_equal(usual, torch.cat(expected).permute(0, 2, 3, 1).numpy())
    assert np.array_equal(alpha(matter(), length=1), usual)


def test_frames_are_read_as_they_are_needed() -> None:
    read: list[int] = []

    def frames() -> Iterator[Frames]:
        for i in range(3):
            read.append(i)
            yield FRAMES[i : i + 1]

    mattes = matter().mattes(frames(), {0: mask()})
    assert next(mattes).shape == (1, 36, 52, 1)
    assert read == [0]


def test_the_network_starts_anew_at_each_key_mask(usual: Alpha) -> None:
    both = alpha(matter(), {0: mask(), 2: mask(25)})
    assert np.array_equal(both[:2], usual[:2])
    assert np.array_equal(both[2:], alpha(matter(), {0: mask(25)}, FRAMES[2:]))


def test_large_frames_are_reduced_and_alpha_enlarged(usual: Alpha) -> None:
    reduced = alpha(matter(max_size=18))
    assert reduced.shape == usual.shape
    assert np.abs(reduced - usual).max() > 0
    small = torch.nn.functional.avg_pool2d(torch.from_numpy(FRAMES / np.float32(255)).permute(0, 3, 1, 2), 2)
    expected = alpha(matter(), {0: mask()[::2, ::2]}, small.permute(0, 2, 3, 1).numpy())
    enlarged = torch.nn.functional.interpolate(
        torch.from_numpy(expected).permute(0, 3, 1, 2), (36, 52), mode="bilinear"
    )
    np.testing.assert_allclose(reduced, enlarged.permute(0, 2, 3, 1).numpy(), atol=1e-4)
    assert np.array_equal(alpha(matter(max_size=36)), usual)


def test_half_precision_gives_nearly_the_same_alpha(usual: Alpha) -> None:
    half = alpha(MatAnyoneMatter(random_matanyone(), "bfloat16", QUICK))
    assert half.dtype == np.float32
    assert 0 < np.abs(half - usual).max() < 0.05


@pytest.mark.parametrize(
    ("key_masks", "message"),
    [
        ({1: mask()}, "none for the first frame"),
        ({0: mask()[:, :-2]}, "50x36 at frame 0, but the frames are 52x36"),
        ({0: mask(), 9: mask()}, "one at frame 9, but the frames end at 0"),
    ],
)
def test_masks_that_do_not_fit_the_frames_are_refused(key_masks: dict[int, Mask], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        alpha(matter(), key_masks, FRAMES[:1])


def test_alpha_that_is_not_finite_is_an_error() -> None:
    network = deepcopy(random_matanyone())
    network.mask_decoder.pred_mat.bias.fill_(torch.nan)
    with pytest.raises(GenerationError, match="alpha is not finite"):
        next(MatAnyoneMatter(network, "float32", QUICK).mattes([FRAMES], {0: mask()}))


@pytest.mark.parametrize(("suffix", "prefix"), [(".safetensors", ""), (".pth", "module.")])
def test_published_files_are_loaded(tmp_path: Path, suffix: str, prefix: str, usual: Alpha) -> None:
    state = {f"{prefix}{key}": value for key, value in random_matanyone().state_dict().items()}
    loaded = load(SPEC, saved(tmp_path / f"matanyone{suffix}", state), "cpu", "float32")
    np.testing.assert_allclose(alpha(loaded.with_settings(QUICK), frames=FRAMES[:1]), usual[:1], atol=1e-3)


def test_a_network_computes_on_its_device(tmp_path: Path, usual: Alpha) -> None:
    stored = saved(tmp_path / "matanyone.safetensors", random_matanyone().state_dict())
    with cuda.simulated():
        loaded = load(SPEC, stored, "cuda", "float16").with_settings(QUICK)
        half = alpha(loaded, frames=FRAMES[:1])
    assert 0 < np.abs(half - usual[:1]).max() < 0.05


def test_a_pickle_is_only_read_where_that_is_allowed(tmp_path: Path) -> None:
    saved(tmp_path / "matanyone.pth", {"a": torch.zeros(1)})
    with pytest.raises(ModelError, match="is a pickle"):
        load(SPEC, weights(tmp_path / "matanyone.pth", allow_pickle=False), "cpu", "float32")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"module.block0.conv0.0.0.weight": torch.zeros(1)}, "is RIFE, not MatAnyone"),
        ({"anything": torch.zeros(1)}, "is another network, not MatAnyone"),
        (
            {"mask_encoder.conv1.weight": torch.zeros(64, 5, 7, 7)},
            "for several objects at a time, such as Cutie: its masks have 2 channels",
        ),
        ({"mask_encoder.conv1.weight": torch.zeros(64, 4, 7, 7)}, "is Cutie, which MatAnyone was made from"),
    ],
)
def test_other_networks_are_refused_by_name(
    tmp_path: Path, state: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load(SPEC, saved(tmp_path / "a.pth", state), "cpu", "float32")


def test_an_incomplete_or_changed_file_is_refused_with_the_first_difference(tmp_path: Path) -> None:
    state = small_state(**{"pix_feat_proj.bias": torch.zeros(255)})
    with pytest.raises(ModelError, match=r"no complete MatAnyone: pix_feat_proj\.bias is \(255,\)"):
        load(SPEC, saved(tmp_path / "a.pth", state), "cpu", "float32")
    state = small_state()
    del state["temp_sparity.bn2.bias"]
    with pytest.raises(ModelError, match=r"temp_sparity\.bn2\.bias is absent"):
        load(SPEC, saved(tmp_path / "b.pth", state), "cpu", "float32")
