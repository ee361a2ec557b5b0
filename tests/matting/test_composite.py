import numpy as np
import pytest

from wangp_cli.matting.composite import GREEN_SCREEN, over_colour, together, with_alpha

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3)).astype(np.uint8)
ALPHA = np.linspace(0, 1, 48, dtype=np.float32).reshape(2, 4, 6, 1)


def test_the_subject_stays_and_the_background_becomes_the_colour() -> None:
    shown = over_colour(FRAMES, ALPHA, GREEN_SCREEN)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown[0, 0, 0], [0, 1, 0])
    np.testing.assert_allclose(shown[1, 3, 5], FRAMES[1, 3, 5] / 255, atol=1e-6)
    share = ALPHA[1, 0, 2]
    expected = FRAMES[1, 0, 2] / 255 * share + np.array([0, 1, 0]) * (1 - share)
    np.testing.assert_allclose(shown[1, 0, 2], expected, atol=1e-6)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_alpha_is_added_in_the_dtype_of_the_frames_and_colours_stay(
    dtype: type[np.generic], white: int
) -> None:
    frames = FRAMES.astype(dtype)
    rgba = with_alpha(frames, ALPHA)
    assert rgba.dtype == dtype
    assert np.array_equal(rgba[..., :3], frames)
    assert rgba[0, 0, 0, 3] == 0
    assert rgba[1, 3, 5, 3] == white


def test_two_objects_that_share_a_pixel_cover_it_together() -> None:
    joined = together([ALPHA, 1 - ALPHA])
    np.testing.assert_allclose(joined, 1, atol=1e-6)
    assert together([ALPHA, ALPHA]).max() == 1
    assert np.array_equal(together([ALPHA]), ALPHA)
