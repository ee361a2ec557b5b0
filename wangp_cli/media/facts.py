"""Facts of media files: kind, size, length, rate, codecs and colour tags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

from wangp_cli.errors import MediaError
from wangp_cli.media import colour
from wangp_cli.media.complete import check_complete
from wangp_cli.media.damage import damage_notice, intact_part
from wangp_cli.media.decoding import decode_frames, has_video, video_stream
from wangp_cli.media.image_decoding import decode_image
from wangp_cli.media.normalise import Normaliser, StoredPicture
from wangp_cli.media.opening import (
    check_file,
    check_pixels,
    media_errors,
    open_container,
)
from wangp_cli.media.read_audio import audio_facts
from wangp_cli.media.sniff import media_suffix
from wangp_cli.media.square import ratio_text
from wangp_cli.media.stills import is_still
from wangp_cli.media.video_index import file_version, video_index

ALWAYS_ALPHA = ("gif", "webp")
"""Containers whose frames are decoded with an alpha channel, though most hold no transparent pixel."""


@dataclass(frozen=True, kw_only=True)
class MediaFacts:
    """Facts of a video, image or audio file.

    Args:
        kind: `video`, `image` or `audio`.
        width: of the frames as read, upright and with square pixels; 0 for audio.
        height: in pixels.
        frames: at a constant rate, as `frame_times` counts them; 1 for an image, 0 for audio.
        fps: exact; None for images and audio.
        seconds: length; of audio as decoded to its end.
        container: FFmpeg's or Pillow's name of the file format.
        codec: of video or image; None for audio.
        pixel_format: FFmpeg's or Pillow's name.
        alpha: frames have an alpha channel; of GIF and WebP, whose frames always have one, a pixel is
            transparent.
        primaries, transfer, matrix, range: colour tags of the file, `unknown` where untagged.
        sample_aspect_ratio: width of a stored pixel by its height, `16:11`; `1:1` within 1 %.
        display_aspect_ratio: width of a frame by its height, as shown.
        field_order: `progressive`, `interlaced`, `top field first` or `bottom field first`.
        audio_codec, audio_rate, audio_channels: None without audio.
        audio_layout: FFmpeg's name of the channel layout as read; None without audio.
        audio_seconds: length as decoded; None without audio.
        bytes: size of the file.
        notices: what is changed of the file on reading, a sentence each.
        damage: what is damaged behind `frames`, as the end of a sentence; None if they are the whole file.
    """

    kind: Literal["video", "image", "audio"]
    width: int = 0
    height: int = 0
    frames: int = 0
    fps: Fraction | None = None
    seconds: float = 0.0
    container: str = ""
    codec: str | None = None
    pixel_format: str | None = None
    alpha: bool = False
    primaries: str = "unknown"
    transfer: str = "unknown"
    matrix: str = "unknown"
    range: str = "unknown"
    sample_aspect_ratio: str | None = None
    display_aspect_ratio: str | None = None
    field_order: str | None = None
    audio_codec: str | None = None
    audio_rate: int | None = None
    audio_channels: int | None = None
    audio_layout: str | None = None
    audio_seconds: float | None = None
    bytes: int = 0
    notices: tuple[str, ...] = ()
    damage: str | None = None


def checked_facts(path: Path | str, *, until_damage: bool = False) -> MediaFacts:
    """The facts of a file of which all frames are decoded once, with a notice of damage in a video.

    They are kept for the files that were checked last: the tasks of a batch often share inputs.

    Args:
        path: of the file.
        until_damage: of a video that is damaged or cut off, count the frames before that, and tell `damage`.

    Raises:
        MediaError: as `probe`, or most of a video does not decode; until damage, its first frame does not.
    """
    return _checked_facts(path, file_version(check_file(path, "media")), until_damage)


@lru_cache(maxsize=256)
def _checked_facts(path: Path | str, _version: tuple[int, ...], until_damage: bool) -> MediaFacts:
    facts = probe(path, whole=not until_damage)
    if facts.kind != "video":
        return facts
    file = check_file(path, "video")
    if not until_damage:
        damage = damage_notice(file)
        return replace(facts, notices=(*facts.notices, damage)) if damage else facts
    if (intact := intact_part(file)) is None:
        return facts
    assert facts.fps is not None
    return replace(
        facts,
        frames=intact.frames,
        seconds=float(intact.frames / facts.fps),
        notices=(*facts.notices, f"it {intact.end}, the frames before are processed"),
        damage=intact.end,
    )


def probe(path: Path | str, *, whole: bool = True) -> MediaFacts:
    """The facts of a file; the first frame is decoded, the others are only counted.

    Args:
        path: of the file.
        whole: refuse a file that is cut off.

    Raises:
        MediaError: the file is missing, empty, of an unknown kind, or does not decode.
    """
    file = check_file(path, "media")
    if is_still(file):
        return _image_facts(file)
    if whole:
        check_complete(file)
    with open_container(file, "media") as opened:
        return _container_facts(opened, file, whole=whole)


def _image_facts(path: Path) -> MediaFacts:
    image = decode_image(path)
    picture = image.picture
    with media_errors(path, "image"):
        check_pixels(*picture.size, path)
    return MediaFacts(
        kind="image", frames=1, container=image.format, codec=image.format, pixel_format=image.mode,
        alpha=image.pixels.shape[2] == 4,
        bytes=path.stat().st_size, **_picture_facts(picture, (*picture.notices, *image.notices)),
    )  # fmt: skip


def _picture_facts(picture: StoredPicture, notices: tuple[str, ...]) -> dict[str, Any]:
    width, height = picture.size
    return {
        "width": width, "height": height,
        "primaries": colour.PRIMARIES.get(picture.primaries, "unknown"),
        "transfer": colour.TRANSFERS.get(picture.transfer, "unknown"),
        "matrix": colour.MATRICES.get(picture.matrix, "unknown"),
        "range": colour.RANGES.get(picture.range, "unknown"),
        "sample_aspect_ratio": ratio_text(picture.aspect),
        "display_aspect_ratio": ratio_text(picture.display_aspect),
        "field_order": picture.field_order,
        "notices": notices,
    }  # fmt: skip


def _container_facts(opened: av.container.InputContainer, path: Path, *, whole: bool) -> MediaFacts:
    audio = audio_facts(path)
    webp = media_suffix(path) == ".webp"
    container = "webp" if webp else _container_name(opened, path)
    shared: dict[str, Any] = {"container": container, "bytes": path.stat().st_size}
    if audio is None and opened.streams.audio:
        shared["notices"] = ("its audio stream is empty or cannot be decoded, it counts as silent",)
    if audio is not None:
        shared |= {
            "audio_codec": audio.codec, "audio_rate": audio.rate, "audio_channels": audio.channels,
            "audio_layout": audio.layout, "audio_seconds": audio.seconds, "notices": audio.notices,
        }  # fmt: skip
        if not has_video(opened):
            return MediaFacts(kind="audio", seconds=audio.seconds, **shared)
    stream = video_stream(opened, path)
    frames = decode_frames(opened, stream)
    frame = next(frames, None)
    if frame is None and audio is not None:
        return MediaFacts(kind="audio", seconds=audio.seconds, **shared)
    if frame is None:
        raise MediaError(f"{str(path)!r} has no frames")
    with media_errors(path, "video"):
        normaliser = Normaliser(stream)
        picture = normaliser.describe(frame)
        check_pixels(*picture.size, path)
        # What cannot be converted is refused here, not after a model has run.
        alpha = normaliser.to_array(frame).shape[2] == 4
    if alpha and container in ALWAYS_ALPHA:
        alpha = _is_transparent(normaliser, chain([frame], frames))
    times = video_index(path, whole=whole).times
    told = (times.notice,) if times.notice else ()
    notices = (*told, *picture.notices, *shared.pop("notices", ()))
    return MediaFacts(
        kind="video", frames=len(times.pictures), fps=times.fps,
        seconds=float(len(times.pictures) / times.fps),
        codec="webp" if webp else stream.codec_context.codec.canonical_name, pixel_format=frame.format.name,
        alpha=alpha,
        **_picture_facts(picture, notices), **shared,
    )  # fmt: skip


def _is_transparent(normaliser: Normaliser, frames: Iterable[av.VideoFrame]) -> bool:
    """Whether a pixel of any frame is transparent; of frames that do not decode it may be."""
    try:
        pictures = map(normaliser.to_array, frames)
        return any((picture[..., 3] < np.iinfo(picture.dtype).max).any() for picture in pictures)
    except av.FFmpegError:
        return True


def _container_name(opened: av.container.InputContainer, path: Path) -> str:
    """FFmpeg's format name; of several the one equal to the file's suffix, else the first."""
    names = opened.format.name.split(",")
    ending = path.suffix.lower().removeprefix(".")
    return ending if ending in names else names[0]
