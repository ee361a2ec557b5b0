"""Comments, ours and those of WanGP."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.clips import moving, tone
from wangp_cli.media.metadata import decode_user_comment, read_comment
from wangp_cli.media.stills import encode_user_comment, write_image
from wangp_cli.media.write import write_video

REQUEST = {"type": "WanGP", "prompt": 'a naïve 🐉\n"in" \x1b[31mred\x1b[0m ' * 900}


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_picture_carries_sixty_kilobytes(suffix: str, tmp_path: Path) -> None:
    text = json.dumps(REQUEST | {"more": "y" * 40_000}, ensure_ascii=False)
    assert len(text.encode()) > 60_000
    write_image(tmp_path / f"still{suffix}", moving(1), comment=text)
    back = read_comment(tmp_path / f"still{suffix}")
    assert back is not None
    assert json.loads(back) == json.loads(text)


def test_a_jpeg_carries_what_fits(tmp_path: Path) -> None:
    text = json.dumps(REQUEST, ensure_ascii=False)
    write_image(tmp_path / "still.jpg", moving(1), comment=text)
    back = read_comment(tmp_path / "still.jpg")
    assert back is not None
    assert json.loads(back) == REQUEST


def test_the_text_of_a_png_stands_before_its_pixels_uncompressed(tmp_path: Path) -> None:
    write_image(tmp_path / "still.png", moving(1), comment='{"prompt":"é"}')
    content = (tmp_path / "still.png").read_bytes()
    assert content.index(b"iTXtcomment\0\0\0\0\0" + '{"prompt":"é"}'.encode()) < content.index(b"IDAT")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=40) | st.integers(), max_size=4))
def test_json_in_a_user_comment_is_ascii_and_means_the_same(value: dict[str, object]) -> None:
    encoded = encode_user_comment(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode())
    assert encoded.startswith(b"ASCII\0\0\0")
    expected = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode())
    assert json.loads(decode_user_comment(encoded)) == expected


@given(st.text(min_size=4, alphabet=st.characters(codec="latin-1", exclude_characters="\0")))
def test_plain_text_in_a_user_comment_comes_back(text: str) -> None:
    assert decode_user_comment(encode_user_comment(text)) == text


def test_user_comments_of_other_writers_are_understood() -> None:
    text = '{"prompt": "größe 🐉"}'
    assert decode_user_comment(b"UNICODE\0" + text.encode("utf-16-le")) == text
    assert decode_user_comment(b"UNICODE\0" + text.encode("utf-16-be")) == text
    assert decode_user_comment(b"ASCII\0\0\0" + b"plain") == "plain"
    assert decode_user_comment(b"\0" * 8 + b"plain") == "plain"
    assert decode_user_comment(b'{"no": "prefix"}') == '{"no": "prefix"}'


@pytest.mark.parametrize(("prefix", "encoding"), [("UNICODE\0", "utf-16-le"), ("ASCII\0\0\0", "ascii")])
@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_pictures_of_wangp_tell_their_settings(
    prefix: str, encoding: str, suffix: str, tmp_path: Path
) -> None:
    text = '{"type": "WanGP v12", "prompt": "a cat"}'
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = prefix.encode() + text.encode(encoding)
    Image.fromarray(moving(1)[0]).save(tmp_path / f"still{suffix}", exif=exif)
    assert read_comment(tmp_path / f"still{suffix}") == text


def test_room_reserved_by_wangp_is_no_comment(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, [moving(1)], fps=Fraction(8), comment='{"prompt":"x","_wangp":"' + "p" * 200 + '"}')
    content = path.read_bytes()
    at = content.index(b'{"prompt":"x"')
    length = content.index(b'pp"}', at) + 4 - at
    path.write_bytes(
        content[:at] + b'{"_wangp_metadata_reserved":true}'.ljust(length) + content[at + length :]
    )
    assert read_comment(path) is None


def test_tags_that_are_not_utf8_do_not_hide_the_comment(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, [moving(1)], fps=Fraction(8), comment='{"a":"bytes-here"}')
    path.write_bytes(path.read_bytes().replace(b"bytes-here", b"\xff\xd8\xff\xe0-here!"))
    comment = read_comment(path)
    assert comment is not None
    assert "-here!" in comment


def test_a_wav_tells_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(0.01, 8000).samples, 8000)
    assert read_comment(path) is None
    text = '{"prompt":"é"}'.encode()
    path.write_bytes(
        path.read_bytes() + b"LIST\x03\0\0\0abc\0" + b"json" + len(text).to_bytes(4, "little") + text
    )
    assert read_comment(path) == '{"prompt":"é"}'


def test_a_picture_without_a_comment_has_none(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.webp"):
        write_image(tmp_path / name, moving(1))
        assert read_comment(tmp_path / name) is None
