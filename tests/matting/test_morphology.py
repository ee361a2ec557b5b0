import numpy as np
import pytest

from wangp_cli.matting.matter import Mask
from wangp_cli.matting.morphology import dilate, ellipse, erode


def dot(value: float = 1.0, background: float = 0.0) -> Mask:
    mask = np.full((20, 24), background, np.float32)
    mask[9, 11] = value
    return mask


def rows(mask: Mask) -> list[int]:
    return [int(count) for count in mask.sum(1) if count]


@pytest.mark.parametrize(
    ("size", "widths"),
    # What cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) gives.
    [(1, [1]), (2, [1, 2]), (3, [1, 3, 1]), (5, [1, 5, 5, 5, 1]), (10, [1, 7, 9, 10, 10, 10, 10, 10, 9, 7])],
)
def test_an_ellipse_has_the_rows_of_opencv(size: int, widths: list[int]) -> None:
    assert [end - first for _, first, end in ellipse(size)] == widths
    assert sorted(rows(dilate(dot(), size))) == sorted(widths)


def test_dilation_counts_all_that_is_not_black() -> None:
    assert np.array_equal(dilate(dot(0.01), 5), dilate(dot(), 5))


def test_erosion_counts_only_white() -> None:
    assert np.array_equal(erode(dot(0.99, 1.0), 5), erode(dot(0, 1.0), 5))
    assert (erode(dot(0.99, 1.0), 5) == 0).sum() == 17


def test_dilation_then_erosion_closes_a_hole_and_keeps_the_outline() -> None:
    mask = np.zeros((40, 50), np.float32)
    mask[10:30, 10:40] = 1
    holed = mask.copy()
    holed[20:23, 20:23] = 0
    assert np.array_equal(erode(dilate(holed, 5), 5), mask)


def test_a_mask_goes_on_beyond_the_border_when_it_is_eroded() -> None:
    mask = np.zeros((12, 12), np.float32)
    mask[:, :6] = 1
    assert np.array_equal(np.unique(erode(mask, 3).sum(1)), [5])


def test_size_0_leaves_the_mask_as_it_is() -> None:
    soft = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    assert dilate(soft, 0) is soft
    assert erode(soft, 0) is soft


def test_an_ellipse_larger_than_the_frame_fills_it() -> None:
    assert dilate(dot(), 99).min() == 1
    assert erode(dot(0, 1.0), 99).max() == 0
