from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.matanyone import random_matanyone
from wangp_cli.errors import RequestError
from wangp_cli.matting.matter import Mask
from wangp_cli.media.clip import Frames
from wangp_cli.networks.matanyone.follow import FollowSettings
from wangp_cli.pipelines.tools.matanyone import MatAnyoneMatter
from wangp_cli.workflows.mattes import follow, read_key_mask

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3)).astype(np.uint8)
MATTER = MatAnyoneMatter(random_matanyone(), "float32", FollowSettings(warmup=0))


def box(left: int, right: int) -> Mask:
    mask = np.zeros((32, 48), np.float32)
    mask[6:26, left:right] = 1
    return mask


def clip() -> Iterator[Frames]:
    yield FRAMES[:2]
    yield FRAMES[2:]


def test_each_frame_comes_with_the_alpha_of_all_objects_together() -> None:
    pairs = list(follow(MATTER, clip, [{0: box(4, 20)}, {0: box(20, 44), 2: box(16, 40)}]))
    assert [frame.shape for frame, _ in pairs] == [(1, 32, 48, 3)] * 3
    assert np.array_equal(np.concatenate([frame for frame, _ in pairs]), FRAMES)
    one, two = (
        np.concatenate(list(MATTER.mattes(clip(), masks)))
        for masks in ({0: box(4, 20)}, {0: box(20, 44), 2: box(16, 40)})
    )
    np.testing.assert_allclose(np.concatenate([alpha for _, alpha in pairs]), (one + two).clip(0, 1))


def test_key_masks_that_do_not_fit_are_refused_before_the_first_frame() -> None:
    with pytest.raises(RequestError, match="frames are 48x32"):
        next(follow(MATTER, clip, [{0: box(4, 20)[1:]}]))


def saved(path: Path, mask: Mask) -> Path:
    Image.fromarray((mask * 255).astype(np.uint8)).save(path)
    return path


def test_a_key_mask_is_read_and_refined(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", box(4, 20))
    assert np.array_equal(read_key_mask(path, 48, 32, dilation=0, erosion=0), box(4, 20))
    assert read_key_mask(path, 48, 32, dilation=3, erosion=0).sum() == 20 * 16 + 2 * (20 + 16)


def test_a_mask_of_another_size_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", box(4, 20)[:, 1:])
    with pytest.raises(RequestError, match=r"a\.png is 47x32, but the frames are 48x32"):
        read_key_mask(path, 48, 32, dilation=0, erosion=0)


def test_an_erosion_that_leaves_nothing_names_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", box(4, 20))
    with pytest.raises(RequestError, match=r"a\.png: it is empty after dilation by 0 and erosion by 30"):
        read_key_mask(path, 48, 32, dilation=0, erosion=30)
