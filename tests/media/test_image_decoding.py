"""Pictures of unusual kinds: numbers, pages, HEIC, broken files."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.clips import moving
from wangp_cli.errors import MediaError
from wangp_cli.media.facts import probe
from wangp_cli.media.stills import read_image

RAMP = np.tile(np.linspace(0, 1, 16), (4, 1))
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2


def write_tiff(path: Path, samples: np.ndarray, kind: int, photometric: int = BLACK_IS_ZERO) -> Path:
    """An uncompressed TIFF of one strip."""
    height, width = samples.shape[:2]
    channels = samples.size // (height * width)
    order = ">" if samples.dtype.byteorder == ">" else "<"
    bits = samples.itemsize * 8
    tags = {
        256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8 + 2 + 12 * 10 + 4,
        277: channels, 278: height, 279: samples.nbytes, 339: kind,
    }  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    path.write_bytes(head + entries + struct.pack(f"{order}I", 0) + samples.tobytes())
    return path


@pytest.mark.parametrize(
    ("samples", "kind", "photometric"),
    [
        ((RAMP * 255).astype(np.uint8), UNSIGNED, BLACK_IS_ZERO),
        ((255 - RAMP * 255).astype(np.uint8), UNSIGNED, WHITE_IS_ZERO),
        ((RAMP * 65535).astype("<u2"), UNSIGNED, BLACK_IS_ZERO),
        ((RAMP * 65535).astype(">u2"), UNSIGNED, BLACK_IS_ZERO),
        ((65535 - RAMP * 65535).astype("<u2"), UNSIGNED, WHITE_IS_ZERO),
        (RAMP.astype("<f4"), FLOAT, BLACK_IS_ZERO),
    ],
    ids=["u8", "u8 inverted", "u16", "u16 big endian", "u16 inverted", "f32"],
)
def test_grey_tiffs_are_scaled(samples: np.ndarray, kind: int, photometric: int, tmp_path: Path) -> None:
    pixels = read_image(write_tiff(tmp_path / "grey.tif", samples, kind, photometric))[0]
    values = pixels.astype(float) / np.iinfo(pixels.dtype).max
    assert np.abs(values - RAMP[..., None]).max() < 1 / 250


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        ((RAMP * 127).astype("i1"), SIGNED),
        ((RAMP * 32767).astype("<i2"), SIGNED),
        ((RAMP * 2**31).astype("<u4"), UNSIGNED),
        ((RAMP * 255).astype("<i4"), SIGNED),
        ((RAMP * 255).astype("<f4"), FLOAT),
        ((RAMP - 0.5).astype("<f4"), FLOAT),
        (np.where(RAMP > 0.5, np.nan, RAMP).astype("<f4"), FLOAT),
        (RAMP.astype("<f8"), FLOAT),
        (RAMP.astype("<f2"), FLOAT),
    ],
    ids=["i8", "i16", "u32", "i32", "f32 to 255", "f32 below 0", "f32 nan", "f64", "f16"],
)
def test_tiffs_whose_white_is_not_known_are_refused_when_probed(
    samples: np.ndarray, kind: int, tmp_path: Path
) -> None:
    write_tiff(tmp_path / "odd.tif", samples, kind)
    with pytest.raises(MediaError, match=r"odd\.tif.*(whose white is not known|not supported)") as caught:
        probe(tmp_path / "odd.tif")
    assert "save it" in (caught.value.hint or "")


def test_sixteen_bit_pgm_keeps_its_bits(tmp_path: Path) -> None:
    (tmp_path / "grey.pgm").write_bytes(b"P5 16 4 65535\n" + (RAMP * 65535).astype(">u2").tobytes())
    pixels = read_image(tmp_path / "grey.pgm")[0]
    assert np.array_equal(pixels[..., 0], (RAMP * 65535).astype(np.uint16))


def test_of_several_pages_the_first_is_read_with_a_notice(tmp_path: Path) -> None:
    first, second = (Image.fromarray(frame) for frame in moving(2))
    first.save(tmp_path / "scan.tif", save_all=True, append_images=[second])
    assert np.array_equal(read_image(tmp_path / "scan.tif"), moving(1))
    facts = probe(tmp_path / "scan.tif")
    assert (facts.kind, facts.notices) == ("image", ("the first of its 2 pages is read",))


FORMATS: dict[str, dict[str, Any]] = {
    "png": {}, "jpg": {}, "webp": {}, "bmp": {}, "tif": {}, "avif": {}, "gif": {}, "ppm": {},
    "lzw.tif": {"compression": "tiff_lzw"},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_pictures_that_are_cut_off_are_refused_when_probed(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"whole.{name}"
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(path, **FORMATS[name])
    assert probe(path).kind == "image"
    for share in (0.4, 0.95):
        cut = tmp_path / f"cut.{name}"
        cut.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with pytest.raises(MediaError, match=r"cut\."):
            probe(cut)


def test_libraries_do_not_write_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "damaged.tif"
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        Image.fromarray(noise).save(path, compression=compression)
        damaged = bytearray(path.read_bytes())
        damaged[4000:4100] = (byte ^ 0x5A for byte in damaged[4000:4100])
        path.write_bytes(damaged)
        with pytest.raises(MediaError, match=r"damaged\.tif"):
            probe(path)
    write_tiff(path, (RAMP * 255).astype(np.uint8), UNSIGNED)
    whole = path.read_bytes()
    too_many_channels = whole.replace(
        struct.pack("<HHII", 277, 4, 1, 1), struct.pack("<HHII", 277, 4, 1, 999)
    )
    second_page_without_size = whole[:130] + struct.pack("<IH", 130, 0) + whole[134:]
    for content in (b"II*\0\xff\0\0\0" + bytes(200), too_many_channels, second_page_without_size):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=r"damaged\.tif"):
            probe(path)
    assert capfd.readouterr() == ("", "")


HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_heic_without_its_plug_in_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "photo.heic").write_bytes(HEIC_HEAD + bytes(100))
    with pytest.raises(MediaError, match="HEIC") as caught:
        probe(tmp_path / "photo.heic")
    assert "wangp-cli[heif]" in (caught.value.hint or "")


def test_heic_is_read_by_its_plug_in(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    frame = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    pillow_heif.from_pillow(Image.fromarray(frame)).save(tmp_path / "photo.heic", quality=95)
    assert probe(tmp_path / "photo.heic").kind == "image"
    assert np.abs(read_image(tmp_path / "photo.heic")[0].astype(int) - frame).max() <= 4
