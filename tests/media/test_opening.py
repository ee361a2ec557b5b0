"""Files that are missing, broken or hostile."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.support.clips import moving, tone
from wangp_cli.errors import MediaError
from wangp_cli.media import opening
from wangp_cli.media.facts import probe
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video, stream_video
from wangp_cli.media.stills import read_image, write_image
from wangp_cli.media.write import write_video

READERS: list[Any] = [probe, read_video, stream_video, read_image, read_audio, read_comment]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(path, [moving(8)], fps=Fraction(8), audio=tone(0.5))
    return path


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    web = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}", asked
    web.shutdown()
    thread.join()
    web.server_close()


@pytest.mark.parametrize("read", READERS)
def test_a_missing_file_is_named(read: Any, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no such .* file: .*gone\.(mp4|png|wav)'"):
        read(
            tmp_path
            / ("gone.png" if read is read_image else "gone.wav" if read is read_audio else "gone.mp4")
        )


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("suffix", [".mp4", ".png", ".wav"])
def test_a_folder_an_empty_file_and_a_pipe_are_not_media(read: Any, suffix: str, tmp_path: Path) -> None:
    folder, empty, pipe = (tmp_path / f"{name}{suffix}" for name in ("folder", "empty", "pipe"))
    folder.mkdir()
    empty.touch()
    os.mkfifo(pipe)
    for path in (folder, empty, pipe):
        with pytest.raises(MediaError):
            read(path)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "name", ["notes.txt", "list.m3u8", "list.ffconcat", "page.eps", "clip", "a\0b.mp4", "x" * 300 + ".mp4"]
)
def test_other_kinds_and_impossible_names_are_refused(read: Any, name: str, tmp_path: Path) -> None:
    if "\0" not in name and len(name) < 255:
        (tmp_path / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    with pytest.raises(MediaError):
        read(f"{tmp_path}/{name}")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "suffix", [".mp4", ".png", ".jpg", ".webp", ".wav", ".mkv", ".gif", ".mp3", ".m4a", ".tif", ".avif"]
)
def test_files_of_random_bytes_are_refused(read: Any, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(np.random.default_rng(1).bytes(3000))
    with pytest.raises(MediaError, match="rubbish"):
        list(read(path))


def test_a_url_is_refused_and_nothing_is_fetched(server: tuple[str, list[str]]) -> None:
    base, asked = server
    for read in READERS:
        for name in (f"{base}/a.mp4", f"{base}/a.png", f"{base}/a.wav", Path(f"{base}/a.mp4")):
            with pytest.raises(MediaError, match="is an address"):
                read(name)
    assert asked == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".wav", ".m4a"])
@pytest.mark.parametrize("read", [probe, read_video, read_audio, read_comment])
def test_a_playlist_in_disguise_reaches_no_server(
    read: Any, suffix: str, server: tuple[str, list[str]], tmp_path: Path
) -> None:
    base, asked = server
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{base}/secret.ts\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{base}/secret.ts'\n",
        f'<?xml version="1.0"?><MPD type="static"><BaseURL>{base}/secret.mp4</BaseURL></MPD>',
    ):
        path = tmp_path / f"list{suffix}"
        path.write_text(text)
        with pytest.raises(MediaError):
            read(path)
    assert asked == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_playlist_in_disguise_reads_no_other_file(suffix: str, video: Path) -> None:
    path = video.with_name(f"list{suffix}")
    path.write_text(f"ffconcat version 1.0\nfile '{video.name}'\n")
    readers: list[Any] = [probe, read_video, read_audio, read_comment]
    for read in readers:
        with pytest.raises(MediaError):
            read(path)


def test_postscript_in_disguise_is_not_interpreted(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(MediaError, match="is not a PNG but a PostScript document"):
        read_image(tmp_path / "page.png")


@pytest.mark.parametrize("bits", [8, 16])
def test_an_image_that_would_fill_the_memory_is_refused_unread(bits: int, tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, bits, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    for read in (read_image, probe):
        with pytest.raises(MediaError, match="is too large"):
            read(tmp_path / "bomb.png")


def test_a_clip_that_would_fill_the_memory_is_refused_undecoded(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wangp_cli.media.read_video.MAX_CLIP_BYTES", 64 * 48 * 6 * 7)
    with pytest.raises(MediaError, match="8 frames of 64x48"):
        read_video(video)
    assert len(read_video(video, count=7)) == 7


def test_a_frame_too_large_is_refused(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_IMAGE_PIXELS", 64 * 48 - 1)
    for read in (probe, read_video, lambda path: next(stream_video(path))):
        with pytest.raises(MediaError, match="too large: 64x48"):
            read(video)


def test_a_video_cut_off_anywhere_is_refused(video: Path, tmp_path: Path) -> None:
    whole, part = video.read_bytes(), tmp_path / "part.mp4"
    for kept in [*range(1, len(whole), max(len(whole) // 23, 1)), len(whole) - 1]:
        part.write_bytes(whole[:kept])
        with pytest.raises(MediaError):
            read_video(part)


def test_a_video_that_lacks_its_last_byte_is_cut_off(video: Path) -> None:
    whole = video.read_bytes()
    video.write_bytes(whole[:-1])
    with pytest.raises(MediaError, match=f"is cut off: {len(whole) - 1} of at least {len(whole)} bytes"):
        probe(video)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_an_image_cut_off_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"still{suffix}"
    write_image(path, np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    whole = path.read_bytes()
    for kept in (10, len(whole) // 2, len(whole) * 3 // 4):
        path.write_bytes(whole[:kept])
        with pytest.raises(MediaError, match="still"):
            read_image(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_read_or_fail_but_never_otherwise(data: st.DataObject, tmp_path: Path) -> None:
    suffix = data.draw(st.sampled_from([".mp4", ".mkv", ".webm", ".png", ".jpg", ".webp", ".wav", ".gif"]))
    source = tmp_path / f"good{suffix}"
    if not source.exists():
        _make(source)
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(content)
    readers: list[Any] = [probe, read_image, read_video, read_audio, read_comment]
    for read in readers:
        with suppress(MediaError):
            read(damaged)


def _make(path: Path) -> None:
    if path.suffix == ".wav":
        soundfile.write(path, tone(0.05, 8000).samples, 8000)
    elif path.suffix == ".gif":
        Image.fromarray(moving(1)[0]).save(path)
    elif path.suffix in {".png", ".jpg", ".webp"}:
        write_image(path, moving(1)[0], comment="{}")
    else:
        write_video(path, [moving(3)], fps=Fraction(8), audio=tone(0.2, 48000))
