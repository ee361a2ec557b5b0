"""HDR and wide gamuts as BT.709."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.ffmpeg import ffmpeg
from wangp_cli.media.clip import as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.hdr import to_bt709
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image

COLOURS = np.array(
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128), (222, 171, 140), (0, 0, 0)]
)
PQ, HLG, SRGB, BT709, BT2020 = 16, 18, 13, 1, 9
FORMATS = {
    "pq.mkv": "smpte2084 2020 2020_ncl tv yuv444p10le smpte2084 bt2020 bt2020nc",
    "pq_full.mkv": "smpte2084 2020 2020_ncl pc yuv444p12le smpte2084 bt2020 bt2020nc",
    "pq_p3.mov": "smpte2084 smpte432 709 tv yuv444p10le smpte2084 smpte432 bt709",
    "hlg.mkv": "arib-std-b67 2020 2020_ncl tv yuv444p10le arib-std-b67 bt2020 bt2020nc",
    "bt2020.mp4": "2020_10 2020 2020_ncl tv yuv444p10le bt2020-10 bt2020 bt2020nc",
    "p3.mp4": "709 smpte432 709 tv yuv444p smpte170m smpte432 bt709",
    "dci.mkv": "709 smpte431 709 tv yuv444p10le bt709 smpte431 bt709",
    "xyz.mkv": "smpte2084 smpte428 709 tv yuv444p12le smpte2084 smpte428 bt709",
    "linear.mkv": "linear 709 gbr pc gbrp16le linear bt709 rgb",
    "gamma22.mkv": "bt470m 709 709 tv yuv444p10le gamma22 bt709 bt709",
    "gamma28.mkv": "bt470bg 709 709 tv yuv444p10le gamma28 bt709 bt709",
    "log.mkv": "log100 709 709 tv yuv444p12le log100 bt709 bt709",
}
"""Transfer, primaries, matrix and range for zscale, pixels, and the tags in the file."""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the colours in each of `FORMATS`, of which SDR white has 203 cd/m²."""
    folder = tmp_path_factory.mktemp("hdr")
    stripes = np.repeat(COLOURS[None], 16, axis=0).repeat(16, axis=1).astype(np.uint8)
    write_image(folder / "colours.png", stripes)
    parts: list[object] = []
    for name, words in FORMATS.items():
        transfer, primaries, matrix, span, pixels, *tags = words.split()
        source = "format=gbrp,zscale=tin=bt709:min=gbr:pin=bt709:rin=pc"
        wanted = f"t={transfer}:p={primaries}:m={matrix}:r={span}:npl=203,format={pixels}"
        codec = {".mkv": "ffv1", ".mov": "prores_ks -profile:v 4444", ".mp4": "libx264 -crf 2"}[name[-4:]]
        named = "-color_trc {} -color_primaries {} -colorspace {}".format(*tags)
        parts += [
            f"-vf {source}:{wanted} -frames:v 1 -c:v {codec} {named} -color_range {span}",
            folder / name,
        ]
    ffmpeg("-i", folder / "colours.png", *parts)
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_sdr_colours_come_back_from_every_transfer_and_gamut(name: str, converted: Path) -> None:
    frame = as_float(read_video(converted / name).frames)[0, 8, 8::16] * 255
    # Near zero a step of another transfer's code is many codes of BT.709; log100 ends at a light of 0.01.
    least = 40 if name == "log.mkv" else 24
    error = np.abs(np.maximum(frame, least) - np.maximum(COLOURS, least)).max()
    assert error <= (8 if name[:3] in {"pq.", "pq_", "hlg", "xyz"} else 5)
    facts = probe(converted / name)
    assert [notice for notice in facts.notices if "to BT.709 from" in notice]


def test_sdr_is_not_converted(tmp_path: Path) -> None:
    tags = "-color_trc {0} -color_primaries bt709 -colorspace bt709"
    outputs: list[object] = []
    for transfer in ("bt709", "iec61966-2-1", "smpte170m"):
        outputs += [f"-c:v ffv1 {tags.format(transfer)}", tmp_path / f"{transfer}.mkv"]
    ffmpeg("-f lavfi -i color=0x808080:s=16x16:d=0.1 -pix_fmt yuv444p", *outputs)
    for path in sorted(tmp_path.iterdir()):
        assert np.abs(read_video(path).frames.astype(int) - 128).max() <= 1
        assert probe(path).notices == ()


def pq_code(luminance: float) -> float:
    """Source: SMPTE ST 2084, the inverse EOTF."""
    power = (luminance / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def grey(code: float) -> np.ndarray:
    return np.full((1, 1, 3), round(code * 65535), np.uint16)


def test_highlights_roll_off_and_stay_apart() -> None:
    lights = (100, 203, 400, 1000, 4000, 10_000)
    codes = [int(to_bt709(grey(pq_code(light)), PQ, BT709)[0, 0, 0]) for light in lights]
    assert codes[0] == pytest.approx(65535 * (100 / 203) ** (1 / 2.4), rel=1e-3)
    assert 250 <= codes[1] / 257 <= 255
    assert sorted(set(codes)) == codes
    assert codes[-1] < 65535


def test_three_quarters_of_hlg_is_sdr_white() -> None:
    assert to_bt709(grey(0.75), HLG, BT2020)[0, 0] / 257 == pytest.approx([251] * 3, abs=1)
    assert to_bt709(grey(pq_code(203)), PQ, BT2020)[0, 0] / 257 == pytest.approx([251] * 3, abs=1)


def test_bright_colours_keep_their_hue() -> None:
    bright = np.array([[[pq_code(2000), pq_code(500), pq_code(500)]]])
    red, green, blue = to_bt709((bright * 65535).astype(np.uint16), PQ, BT709)[0, 0].astype(float) / 65535
    assert red > 0.99
    assert green == blue == pytest.approx(red * 0.25 ** (1 / 2.4), rel=1e-2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_greys_keep_their_codes_in_another_gamut_and_alpha_stays(dtype: type) -> None:
    codes: np.ndarray = np.linspace(0, np.iinfo(dtype).max, 256).astype(dtype)
    pixels = np.repeat(codes[None, :, None], 4, axis=2)
    for transfer in (BT709, SRGB):
        result = to_bt709(pixels, transfer, BT2020)
        assert result.dtype == dtype
        assert np.abs(result.astype(int) - pixels).max() <= np.iinfo(dtype).max / 1000
        assert np.array_equal(result[..., 3], pixels[..., 3])
