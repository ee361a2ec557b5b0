"""Colours and pixel shapes of pictures."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.clips import moving, psnr
from tests.support.ffmpeg import ffmpeg
from tests.support.png_chunks import with_chunk
from wangp_cli.media.facts import probe
from wangp_cli.media.resize import fit
from wangp_cli.media.stills import read_image, write_image


@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_of_hdr_is_tone_mapped(bits: int, tmp_path: Path) -> None:
    white = np.full((4, 4, 3), 0.58069, np.float32)
    write_image(tmp_path / "hdr.png", white, bits=bits)  # type: ignore[arg-type]
    with_chunk(tmp_path / "hdr.png", b"cICP", bytes([9, 16, 0, 1]))
    pixels = read_image(tmp_path / "hdr.png")
    assert pixels.max() / np.iinfo(pixels.dtype).max == pytest.approx(0.985, abs=0.005)
    facts = probe(tmp_path / "hdr.png")
    assert (facts.transfer, facts.primaries, len(facts.notices)) == ("smpte2084", "bt2020", 1)


def test_a_linear_png_is_converted_and_the_usual_gamma_is_not(tmp_path: Path) -> None:
    grey = np.full((4, 4, 3), 0.5, np.float32)
    for gamma, value in ((100_000, round(255 * 0.5 ** (1 / 2.4))), (45_455, 128), (50_994, 128)):
        write_image(tmp_path / "grey.png", grey)
        with_chunk(tmp_path / "grey.png", b"gAMA", struct.pack(">I", gamma))
        assert abs(int(read_image(tmp_path / "grey.png").max()) - value) <= 1


def test_an_avif_of_hdr_keeps_more_than_eight_bits(tmp_path: Path) -> None:
    Image.linear_gradient("L").convert("RGB").resize((256, 32)).transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "ramp.png"
    )
    pq = "zscale=tin=bt709:min=gbr:pin=bt709:rin=pc:t=smpte2084:m=2020_ncl:p=2020:r=pc:npl=203"
    tags = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range pc"
    ffmpeg(
        "-i",
        tmp_path / "ramp.png",
        f"-vf format=gbrp,{pq},format=yuv444p10le -frames:v 1 -c:v libaom-av1 -crf 1 -cpu-used 8 {tags}",
        tmp_path / "ramp.avif",
    )
    pixels = read_image(tmp_path / "ramp.avif")
    assert pixels.dtype == np.uint16
    assert psnr(pixels, read_image(tmp_path / "ramp.png")) > 35


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_densities_that_differ_make_pixels_that_are_not_square(suffix: str, tmp_path: Path) -> None:
    wide = moving(1, 96, 48)
    stored = Image.fromarray(fit(wide, 64, 48, "stretch")[0])
    stored.save(tmp_path / f"scan{suffix}", dpi=(200, 300))
    facts = probe(tmp_path / f"scan{suffix}")
    assert (facts.width, facts.height, facts.sample_aspect_ratio) == (96, 48, "3:2")
    assert psnr(read_image(tmp_path / f"scan{suffix}"), wide) > 35
    stored.save(tmp_path / f"scan{suffix}", dpi=(300, 300))
    assert probe(tmp_path / f"scan{suffix}").notices == ()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_picture_stored_sideways_has_its_pixels_squared_before_it_is_turned(
    suffix: str, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / f"scan{suffix}", dpi=(100, 200), exif=exif)
    facts = probe(tmp_path / f"scan{suffix}")
    shape = read_image(tmp_path / f"scan{suffix}").shape
    assert (facts.width, facts.height) == (shape[2], shape[1])
    assert facts.height / facts.width == pytest.approx(4)
