"""Channel layouts and mixing."""

from __future__ import annotations

import numpy as np
import pytest

from wangp_cli.errors import MediaError
from wangp_cli.media.channels import fold, mixing_matrix, nearest_layout, remix, usual_layout, widest
from wangp_cli.media.clip import Audio

HALF_POWER = 2**-0.5


def of(layout: str, *gains: float) -> Audio:
    """One sample in a layout."""
    return Audio(samples=np.array([gains], np.float32), rate=8000, layout=layout)


def test_one_channel_and_two_are_copied_and_averaged() -> None:
    stereo = of("stereo", 1, 0)
    assert remix(stereo, "mono").samples[0] == pytest.approx([0.5])
    assert remix(of("mono", 0.25), "stereo").samples.tolist() == [[0.25, 0.25]]
    assert remix(stereo, "stereo") is stereo


@pytest.mark.parametrize(
    ("target", "gains"),
    [
        ("5.1", [0, 0, 1, 0, 0, 0]),
        ("3.0", [0, 0, 1]),
        ("7.1", [0, 0, 1, 0, 0, 0, 0, 0]),
        ("quad", [1, 1, 0, 0]),
        ("2.1", [1, 1, 0]),
    ],
)
def test_one_channel_goes_to_the_centre_or_else_to_both_fronts(target: str, gains: list[float]) -> None:
    assert remix(of("mono", 1), target).samples[0].tolist() == gains


def test_surround_becomes_stereo_by_the_coefficients_of_the_standard() -> None:
    left = mixing_matrix("5.1", "stereo")[:, 0]
    assert left / left[0] == pytest.approx([1, 0, HALF_POWER, 0, HALF_POWER, 0], abs=1e-4)
    # Full scale on every channel does not clip.
    assert remix(of("5.1", *[1] * 6), "stereo").samples.max() == pytest.approx(1)


def test_a_side_channel_becomes_the_rear_one_of_its_side() -> None:
    assert remix(of("5.1(side)", 1, 2, 3, 4, 5, 6), "5.1").samples[0].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_centre_of_three_channels_is_no_subwoofer() -> None:
    assert remix(of("3.0", 0, 0, 1), "5.1").samples[0].tolist() == [0, 0, 1, 0, 0, 0]
    assert remix(of("2.1", 0, 0, 1), "5.1").samples[0].tolist() == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("layout", "nearest"),
    [("3.0", "3.0"), ("2.1", "5.1"), ("4.0", "5.0"), ("5.1(side)", "5.1"), ("7.0", "7.1"), ("3.1", "5.1")],
)
def test_the_nearest_layout_keeps_channels_apart(layout: str, nearest: str) -> None:
    assert nearest_layout(layout, ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")) == nearest


def test_more_than_eight_channels_become_stereo_and_none_is_lost() -> None:
    for layout, channels in (("7.1.4", 12), ("hexadecagonal", 16), (None, 16)):
        for channel in range(channels):
            samples = np.zeros((1, channels), np.float32)
            samples[0, channel] = 1
            is_effect = layout == "7.1.4" and channel == 3
            assert (fold(samples, layout).max() > 0) is not is_effect
        assert fold(np.ones((1, channels), np.float32), layout).max() == pytest.approx(1)


def test_the_widest_layout_of_several_is_the_first_with_most_channels() -> None:
    assert widest([of("mono", 0), of("3.0", 0, 0, 0), of("2.1", 0, 0, 0)]) == "3.0"


@pytest.mark.parametrize("channels", [0, 9])
def test_impossible_channels_are_refused(channels: int) -> None:
    with pytest.raises(MediaError, match="must be 1 to 8"):
        usual_layout(channels)
