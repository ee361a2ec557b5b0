"""What a task says of its finishing, before anything runs."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import ValidationError

from wangp_cli.errors import RequestError
from wangp_cli.tasks.finishing import Finishing, parse_upsampling


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("", (833, 480)),
        ("1", (833, 480)),
        ("2", (1666, 960)),
        ("1.5", (1250, 720)),
        ("2.25", (1874, 1080)),
        ("lanczos1", (832, 480)),
        ("lanczos1.5", (1248, 720)),
        ("lanczos3.5", (2912, 1680)),
    ],
)
def test_the_size_of_the_file_follows_from_the_words(words: str, size: tuple[int, int]) -> None:
    assert Finishing(spatial_upsampling=words).finished_size((833, 480)) == size


@pytest.mark.parametrize("words", ["lanczos5", "lanczos", "9", "0.5", "2x", "x", "-2"])
def test_words_that_are_no_upsampling_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"is not a factor|out of range"):
        parse_upsampling(words)


def test_a_size_that_no_codec_takes_is_refused() -> None:
    with pytest.raises(RequestError, match="spatial_upsampling: 3840x2160 makes 15360x8640"):
        Finishing(spatial_upsampling="4").finished_size((3840, 2160))


@pytest.mark.parametrize(
    "values",
    [{"film_grain_intensity": 1.1}, {"film_grain_saturation": -1}, {"saturation": -0.1}, {"brightness": -2}],
)
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        Finishing(**values)


def test_fields_without_effect_are_no_finishing() -> None:
    assert Finishing(film_grain_saturation=1).finishing_fields == ()
    task = Finishing(film_grain_intensity=0.1, spatial_upsampling="lanczos2", brightness=-0.1, saturation=0)
    assert task.finishing_fields == (
        "saturation", "brightness", "spatial_upsampling", "film_grain_intensity",
    )  # fmt: skip


def test_a_change_of_size_and_of_kept_pixels_is_told() -> None:
    task = Finishing(film_grain_intensity=0.1, spatial_upsampling="lanczos1.5")
    notices = task.finishing_notices((100, 60), 9, Fraction(16), keeps="inpaint")
    assert [str(notice) for notice in notices] == [
        "spatial_upsampling: 100x60 becomes 144x96",
        "spatial_upsampling: changes every frame, also what inpaint leaves as it is",
    ]
    assert Finishing().finishing_notices((100, 60), 9, Fraction(16), keeps="inpaint") == []


@pytest.mark.parametrize(
    ("words", "frames", "rate"),
    [("", 9, 16), ("rife1", 9, 16), ("rife2", 17, 32), ("4", 33, 64), ("rife64", 513, 1024)],
)
def test_the_frames_and_the_rate_of_the_file_follow_from_the_words(
    words: str, frames: int, rate: int
) -> None:
    task = Finishing(temporal_upsampling=words)
    assert (task.finished_frames(9), task.finished_rate(Fraction(16))) == (frames, Fraction(rate))
    assert task.finishing_fields == (("temporal_upsampling",) if frames > 9 else ())
    assert set(task.finishing_engines) == ({"interpolator"} if frames > 9 else set())


@pytest.mark.parametrize("words", ["rife", "rife0", "rife65", "0", "65", "film2", "1.5"])
def test_words_that_are_no_interpolation_are_refused(words: str) -> None:
    with pytest.raises(ValidationError, match=r"is not a factor|out of range"):
        Finishing(temporal_upsampling=words)


def test_a_change_of_the_rate_is_told() -> None:
    notices = Finishing(temporal_upsampling="rife2").finishing_notices((64, 64), 81, Fraction(16), keeps=None)
    assert list(map(str, notices)) == ["temporal_upsampling: 81 frames at 16 fps become 161 at 32 fps"]


def test_a_number_is_a_factor_too() -> None:
    assert Finishing.model_validate({"spatial_upsampling": 1.5}).spatial_upsampling == "1.5"
    with pytest.raises(ValidationError, match="true is neither"):
        Finishing.model_validate({"spatial_upsampling": True})
