"""Still pictures."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.support.clips import moving, psnr
from wangp_cli.errors import MediaError
from wangp_cli.media.facts import probe
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.stills import read_image, write_image

TURNS: dict[int, Any] = {
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1), 6: np.rot90, 7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
    8: lambda a: np.rot90(a, -1),
}  # fmt: skip
"""What a camera does to an upright picture before it stores it with that orientation."""


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_lossless_pictures_come_back_exactly(channels: int, suffix: str, tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (9, 13, channels), np.uint8)
    write_image(tmp_path / f"still{suffix}", frame, quality=100)
    back = read_image(tmp_path / f"still{suffix}")[0]
    assert np.array_equal(back, np.repeat(frame, 3, axis=2) if channels == 1 else frame)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_pictures_come_back_nearly(suffix: str, tmp_path: Path) -> None:
    frame = moving(1)
    write_image(tmp_path / f"still{suffix}", frame)
    assert psnr(read_image(tmp_path / f"still{suffix}"), frame) > 38


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_png_of_sixteen_bits_keeps_them(channels: int, tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 65536, (7, 11, channels), np.uint16)
    write_image(tmp_path / "deep.png", frame, bits=16, comment="déjà")
    back = read_image(tmp_path / "deep.png")[0]
    assert back.dtype == np.uint16
    assert np.array_equal(back, np.repeat(frame, 3, axis=2) if channels == 1 else frame)
    assert read_comment(tmp_path / "deep.png") == "déjà"
    with Image.open(tmp_path / "deep.png") as picture:
        picture.verify()


def test_floats_are_rounded_once(tmp_path: Path) -> None:
    values = np.array([0, 0.5, 0.998, 1, 2, -1], np.float32).reshape(1, 6, 1).repeat(3, 2)
    write_image(tmp_path / "still.png", values)
    assert read_image(tmp_path / "still.png")[0, 0, :, 0].tolist() == [0, 128, 254, 255, 255, 0]


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_pictures_are_read_upright(orientation: int, suffix: str, tmp_path: Path) -> None:
    upright = moving(1, 24, 16)[0]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](upright)))
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    stored.save(tmp_path / f"phone{suffix}", exif=exif, **options)
    assert np.array_equal(read_image(tmp_path / f"phone{suffix}")[0], upright)
    facts = probe(tmp_path / f"phone{suffix}")
    assert (facts.width, facts.height) == (24, 16)


@pytest.mark.parametrize("orientation", TURNS)
def test_deep_grey_pictures_are_read_upright(orientation: int, tmp_path: Path) -> None:
    upright = moving(1, 24, 16, 1, np.uint16)[0, :, :, 0]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(TURNS[orientation](upright))).save(tmp_path / "deep.tif", exif=exif)
    assert np.array_equal(read_image(tmp_path / "deep.tif")[0, :, :, 1], upright)


def test_palettes_are_expanded_and_keep_their_clear_colour(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 2))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "opaque.png")
    picture.save(tmp_path / "clear.png", transparency=1)
    assert read_image(tmp_path / "opaque.png")[0, 0, :2].tolist() == [[10, 20, 30], [200, 100, 50]]
    assert read_image(tmp_path / "clear.png")[0, 0, :2].tolist() == [[10, 20, 30, 255], [200, 100, 50, 0]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK", "I;16"])
def test_other_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    name = "still.tif" if mode == "CMYK" else "still.png"
    Image.new(mode, (5, 4)).save(tmp_path / name)
    assert read_image(tmp_path / name).shape == (1, 4, 5, 4 if mode == "LA" else 3)


def test_a_profile_that_says_nothing_new_changes_nothing(tmp_path: Path) -> None:
    # A profile of LAB cannot apply to RGB.
    unusable = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    frame = moving(1)[0]
    for profile in (unusable, b"rubbish", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        Image.fromarray(frame).save(tmp_path / "still.png", icc_profile=profile)
        assert np.abs(read_image(tmp_path / "still.png")[0].astype(int) - frame).max() <= 1


def test_a_profile_with_red_and_blue_exchanged_is_applied(tmp_path: Path) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    entries = {bytes(profile[i : i + 4]): i for i in range(132, 132 + 12 * count, 12)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "swapped.png", icc_profile=bytes(profile))
    pixel = read_image(tmp_path / "swapped.png")[0, 0, 0]
    assert pixel[2] > 250
    assert pixel[0] < 5


def test_a_png_called_jpg_is_read_by_what_it_is(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.fromarray(moving(1)[0]).save(content, "PNG")
    (tmp_path / "still.jpg").write_bytes(content.getvalue())
    assert np.array_equal(read_image(tmp_path / "still.jpg"), moving(1))


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    for name, frame, options, reason in (
        ("a.jpg", moving(1, channels=4), {}, "no alpha"),
        ("a.webp", moving(1), {"bits": 16}, "no 16 bits"),
        ("a.bmp", moving(1), {}, "is not an image format that can be written"),
        ("a.jpg", moving(1), {"comment": json.dumps("x" * 70_000)}, "64 KB of metadata"),
    ):
        with pytest.raises(MediaError, match=reason):
            write_image(tmp_path / name, frame, **options)
    assert list(tmp_path.iterdir()) == []


def test_other_readers_read_what_we_write(tmp_path: Path) -> None:
    write_image(tmp_path / "still.png", moving(1, channels=4), comment="hello")
    assert np.array_equal(iio.imread(tmp_path / "still.png"), moving(1, channels=4)[0])
