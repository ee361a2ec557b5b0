"""ICC profiles."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.support.clips import moving
from tests.support.png_chunks import with_chunk
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image, write_image

P3_XYZ = {
    b"rXYZ": (0.51512, 0.24120, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}  # fmt: skip
"""Display P3 under D50, as its ICC profile has it."""
RED_IN_P3 = (234, 51, 35)
"""The red of sRGB in Display P3."""


def display_p3() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        name, start = bytes(profile[entry : entry + 4]), int.from_bytes(profile[entry + 4 : entry + 8], "big")
        if name in P3_XYZ:
            profile[start + 8 : start + 20] = struct.pack(">3i", *(round(v * 65536) for v in P3_XYZ[name]))
    return bytes(profile)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
def test_display_p3_becomes_srgb(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo{suffix}"
    Image.new("RGB", (32, 32), RED_IN_P3).save(path, icc_profile=display_p3(), quality=100)
    assert np.abs(read_image(path)[0, 16, 16].astype(int) - (255, 0, 0)).max() <= 12
    assert [notice for notice in probe(path).notices if "converted to sRGB from the profile" in notice]


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "L", "1"])
def test_profiles_apply_to_all_modes_and_keep_alpha(mode: str, tmp_path: Path) -> None:
    picture = Image.new("RGBA", (8, 8), (*RED_IN_P3, 100)).convert(mode)
    picture.save(tmp_path / "photo.png", icc_profile=display_p3())
    pixel = read_image(tmp_path / "photo.png")[0, 4, 4]
    if mode in {"P", "RGBA"}:
        assert np.abs(pixel[:3].astype(int) - (255, 0, 0)).max() <= (60 if mode == "P" else 12)
    if mode in {"RGBA", "LA"}:
        assert pixel[3] == 100


def test_a_profile_of_a_picture_of_sixteen_bits_is_applied(tmp_path: Path) -> None:
    deep = np.full((4, 4, 3), RED_IN_P3, np.uint16) * 257
    write_image(tmp_path / "deep.png", deep, bits=16)
    content = b"p3\0\0" + zlib.compress(display_p3())
    with_chunk(tmp_path / "deep.png", b"iCCP", content)
    pixel = read_image(tmp_path / "deep.png")[0, 0, 0].astype(float)
    assert np.abs(pixel - (255, 0, 0)).max() <= 12


def test_a_profile_of_grey_does_not_apply_to_colours(tmp_path: Path) -> None:
    profile = bytearray(display_p3())
    profile[16:20] = b"GRAY"
    frame = moving(1)
    Image.fromarray(frame[0]).save(tmp_path / "photo.png", icc_profile=bytes(profile))
    assert np.array_equal(read_image(tmp_path / "photo.png"), frame)


def test_frames_of_an_animated_webp_are_converted(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), (*RED_IN_P3[:2], 35 + shade)) for shade in (0, 60)]
    path = tmp_path / "moving.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True, icc_profile=display_p3())
    assert np.abs(read_video(path).frames[0, 8, 8].astype(int) - (255, 0, 0)).max() <= 12


def test_adobe_rgb_of_cameras_is_named_in_exif_alone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03", 2: b"0100"}
    # A grey, and the green and the red of sRGB in Adobe RGB.
    for stored, wanted in (
        ((128,) * 3, (128,) * 3),
        ((144, 255, 60), (0, 255, 0)),
        ((219, 0, 0), (255, 0, 0)),
    ):
        photo = Image.new("RGB", (32, 32), stored)
        photo.save(tmp_path / "photo.jpg", exif=exif, quality=100, subsampling=0)
        assert np.abs(read_image(tmp_path / "photo.jpg")[0, 16, 16].astype(int) - wanted).max() <= 16
    assert "Adobe RGB (1998)" in probe(tmp_path / "photo.jpg").notices[0]
