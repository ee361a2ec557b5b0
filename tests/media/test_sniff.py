"""What files hold by their first bytes."""

from __future__ import annotations

import gzip
import io
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.clips import flat
from wangp_cli.errors import MediaError
from wangp_cli.media.facts import probe
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.sniff import suffix_from_content
from wangp_cli.media.stills import read_image, write_image
from wangp_cli.media.write import write_video


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_is_known_by_what_it_holds(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", flat(1, 0.5))
    assert suffix_from_content(tmp_path / f"a{suffix}") == suffix


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "h264"), (".mkv", "ffv1"), (".webm", "vp9"), (".mov", "h264")]
)
def test_a_video_is_known_by_what_it_holds(tmp_path: Path, suffix: str, codec: str) -> None:
    write_video(tmp_path / f"a{suffix}", [flat(3, 0.5, 32)], fps=Fraction(8), codec=codec)
    assert suffix_from_content(tmp_path / f"a{suffix}") == suffix


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".caf", ".au", ".w64"])
def test_sound_is_known_by_what_it_holds(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"a{suffix}", np.zeros(8000, np.float32), 8000)
    assert suffix_from_content(tmp_path / f"a{suffix}") == suffix


@pytest.mark.parametrize(
    ("brands", "suffix"),
    [
        (b"heic\0\0\0\0mif1heic", ".heic"),
        (b"mif1\0\0\0\0mif1heic", ".heic"),
        (b"avif\0\0\0\0mif1avif", ".avif"),
        (b"mif1\0\0\0\0mif1avif", ".avif"),
        (b"isom\0\0\0\0isomiso2", ".mp4"),
    ],
)
def test_boxes_are_told_apart_by_their_brands(brands: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0\0\0\x18ftyp" + brands + bytes(100))
    assert suffix_from_content(tmp_path / "a") == suffix


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"#EXTM3U", b"ffconcat version 1.0", b"%!PS-Adobe", b"<svg "]
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MediaError):
        suffix_from_content(tmp_path / "a.png")


def zipped() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("clip.mp4", b"no video")
    return memory.getvalue()


FOREIGN = {
    "a web page": [
        b"<!DOCTYPE html><html><head><title>404</title>",
        b"\xef\xbb\xbf\r\n  <html lang='en'>",
        b"<?xml version='1.0'?>\n<!-- served by x -->\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0'>",
        b"<script>location='/login'</script>",
        b"<head>\n<meta charset='utf-8'>",
    ],
    "an XML document": [b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", b"<Error><Code>NoSuchKey"],
    "a JSON document": [b'{"error": "not found"}', b'[{"error": 404}]', b"{}\n", b'  {\n  "detail": null }'],
    "a Git LFS pointer": [b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n"],
    "a playlist": [
        b"#EXTM3U\n#EXTINF:10,\na.ts\n",
        b"ffconcat version 1.0\nfile 'a'",
        b"<MPD type='static'>",
    ],
    "an SVG drawing": [b"<svg xmlns='http://www.w3.org/2000/svg'>"],
    "a ZIP archive": [zipped()],
    "an archive": [gzip.compress(b"no video")],
    "a PDF document": [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"],
    "text": [b"Not Found", "nicht gefunden: \u00e4\n".encode(), "caf\u00e9".encode("utf-16"), b"a,b\n1,2\n"],
    "zero bytes": [bytes(100_000)],
}
ARTICLES = {".mp4": "an MP4", ".flac": "a FLAC", ".png": "a PNG", "": "a media file"}


@pytest.mark.parametrize("content", FOREIGN)
def test_a_file_that_is_no_media_is_said_to_be_what_it_is(content: str, tmp_path: Path) -> None:
    for number, data in enumerate(FOREIGN[content]):
        for name in ("clip.mp4", "song.flac", "still.png", "clip"):
            path = tmp_path / f"{number}-{name}"
            path.write_bytes(data)
            wanted = {"mp4": "an MP4", "flac": "a FLAC", "png": "a PNG"}.get(
                name.split(".")[-1], "a media file"
            )
            for read in (probe, read_image, read_video, read_audio):
                with pytest.raises(MediaError, match=f"is not {wanted} but {content}"):
                    read(path)
