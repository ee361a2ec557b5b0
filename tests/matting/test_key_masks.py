import numpy as np
import pytest

from wangp_cli.errors import RequestError
from wangp_cli.matting.key_masks import check_key_masks, refine_mask
from wangp_cli.matting.matter import Mask


def box(size: int = 4) -> Mask:
    mask = np.zeros((12, 16), np.float32)
    mask[4 : 4 + size, 5 : 5 + size] = 1
    return mask


def test_masks_of_the_size_of_the_frames_pass() -> None:
    check_key_masks({0: box(), 7: box(2) * 0.5}, 16, 12)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({}, "none for the first frame"),
        ({3: box()}, "none for the first frame"),
        ({0: box()[1:]}, "16x11 at frame 0, but the frames are 16x12"),
        ({0: box() * 0}, "empty at frame 0"),
        ({0: box() * 0 + 1}, "covers the whole frame at frame 0"),
        ({0: box() * 0 + 0.5}, "the same value 0.50 everywhere at frame 0"),
        ({0: box(), 8: box() * 0}, "empty at frame 8"),
    ],
)
def test_masks_that_no_engine_can_start_from_are_refused(masks: dict[int, Mask], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        check_key_masks(masks, 16, 12)


def test_a_mask_is_dilated_before_it_is_eroded() -> None:
    holed = box()
    holed[5, 6] = 0
    assert np.array_equal(refine_mask(holed, dilation=3, erosion=3), box())
    assert refine_mask(box(), dilation=0, erosion=3).sum() == 4
    assert refine_mask(box(), dilation=3, erosion=0).sum() == 32


@pytest.mark.parametrize(
    ("dilation", "erosion", "message"),
    [(0, 9, "empty after dilation by 0 and erosion by 9"), (99, 0, "covers the whole frame after dilation")],
)
def test_sizes_that_leave_no_usable_mask_are_refused(dilation: int, erosion: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        refine_mask(box(), dilation=dilation, erosion=erosion)


def test_a_mask_that_was_empty_before_is_told_by_the_check_of_key_masks() -> None:
    assert refine_mask(box() * 0, dilation=5, erosion=5).max() == 0
