"""Reading video files into frames, with their audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import av
import numpy as np

from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Clip, Frames
from wangp_cli.media.complete import check_complete
from wangp_cli.media.decoding import decode_frames, video_stream
from wangp_cli.media.deinterlace import deinterlace, stream_field_order
from wangp_cli.media.facts import MediaFacts, probe
from wangp_cli.media.normalise import Normaliser
from wangp_cli.media.opening import (
    MAX_CLIP_BYTES,
    check_file,
    media_errors,
    open_container,
)  # fmt: skip
from wangp_cli.media.read_audio import audio_of_frames
from wangp_cli.media.stills import is_still, read_image
from wangp_cli.media.video_index import VideoIndex, video_index


def read_video(path: Path | str, *, start: int = 0, count: int | None = None, audio: bool = True) -> Clip:
    """A range of frames of a video, with its audio.

    Args:
        path: of the video.
        start: first frame.
        count: number of frames; None reads to the end.
        audio: read the audio too, cut to the frames.

    Returns:
        A clip of uint8, or of uint16 where the source has more than 8 bits; C is 4 where it has alpha.
        Frames are BT.709, progressive, with square pixels and upright, at a constant rate.

    Raises:
        MediaError: the file is missing, empty, not a video, broken, cut off, too large, or too short.
    """
    facts = probe(path)
    wanted = _wanted(facts, start, count, path)
    pieces = list(stream_video(path, start=start, count=wanted))
    assert facts.fps is not None
    samples = audio_of_frames(path, facts.fps, start, wanted) if audio and facts.audio_codec else None
    return Clip(frames=np.concatenate(pieces), fps=facts.fps, audio=samples)


def stream_video(
    path: Path | str, *, start: int = 0, count: int | None = None, chunk: int = 16, whole: bool = True
) -> Iterator[Frames]:
    """The frames of `read_video` as a stream.

    Args:
        path: of the video.
        start: first frame.
        count: number of frames; None reads to the end.
        chunk: most frames of a piece.
        whole: refuse a file that is cut off.

    Raises:
        MediaError: as `read_video`; of checks before the first piece, of decoding at the broken frame.
    """
    file = check_file(path, "video")
    if whole:
        check_complete(file)
    index = video_index(file, whole=whole)
    total = len(index.times.pictures)
    wanted = total - start if count is None else count
    if start < 0 or wanted < 1 or start + wanted > total:
        raise MediaError(f"{file.name!r} has {total} frames, asked for {wanted} from frame {start}")
    pictures = index.times.pictures[start : start + wanted]
    return _pieces(file, _pictures(file, index, pictures), chunk)


def read_frames(path: Path | str, indices: list[int]) -> Frames:
    """Frames of a video by index, in the order given.

    Args:
        path: of the video.
        indices: from 0, at least one; they may repeat.

    Raises:
        MediaError: as `read_video`.
    """
    file = check_file(path, "video")
    check_complete(file)
    index = video_index(file)
    total = len(index.times.pictures)
    if not all(0 <= at < total for at in indices):
        raise MediaError(f"{file.name!r} has {total} frames, asked for {min(indices)} to {max(indices)}")
    numbers = [index.times.pictures[at] for at in indices]
    found: dict[int, Frames] = {}
    for _, run in groupby(sorted(set(numbers)), key=index.keys_before):
        pictures = list(run)
        frames = _pieces(file, _pictures(file, index, pictures), 1)
        found.update(zip(pictures, frames, strict=True))
    return np.concatenate([found[number] for number in numbers])


def read_video_or_still(path: Path | str, *, fps: Fraction = Fraction(16)) -> Clip:
    """A video, or an image as a clip of one frame at `fps`.

    Raises:
        MediaError: as `read_video` and `read_image`.
    """
    if is_still(check_file(path, "video")):
        return Clip(frames=read_image(path), fps=fps)
    return read_video(path)


def _wanted(facts: MediaFacts, start: int, count: int | None, path: Path | str) -> int:
    if facts.kind != "video":
        raise MediaError(f"{str(path)!r} is {facts.kind}, not video")
    wanted = facts.frames - start if count is None else count
    if start < 0 or wanted < 1 or start + wanted > facts.frames:
        raise MediaError(f"{str(path)!r} has {facts.frames} frames, asked for {wanted} from frame {start}")
    # 16 bit RGB takes six bytes per pixel.
    if facts.width * facts.height * 6 * wanted > MAX_CLIP_BYTES:
        raise MediaError(f"{str(path)!r} is too large: {wanted} frames of {facts.width}x{facts.height}")
    return wanted


def _pieces(path: Path, frames: Iterator[av.VideoFrame], chunk: int) -> Iterator[Frames]:
    pending: list[Frames] = []
    with open_container(path) as opened:
        normaliser = Normaliser(video_stream(opened, path))
    shape: tuple[int, int, str] | None = None
    shown: av.VideoFrame | None = None
    for frame in frames:
        current = (frame.width, frame.height, frame.format.name)
        if current != (shape := shape or current):
            raise MediaError(f"{path.name!r} changes from {shape} to {current} on the way")
        if frame is not shown:
            with media_errors(path, "video"):
                shown, pixels = frame, normaliser.to_array(frame)
        pending.append(pixels)
        if len(pending) == chunk:
            yield np.stack(pending)
            pending = []
    if pending:
        yield np.stack(pending)


def _pictures(path: Path, index: VideoIndex, pictures: Sequence[int]) -> Iterator[av.VideoFrame]:
    """A decoded frame for each of some never decreasing pictures; where one is broken, that before it."""
    numbered = _from(path, index, pictures[0])
    shown: av.VideoFrame | None = None
    ahead = next(numbered, None)
    for picture in pictures:
        while ahead is not None and (shown is None or ahead[0] <= picture):
            shown = ahead[1]
            ahead = next(numbered, None)
        if shown is None:
            raise MediaError(f"{path.name!r} is broken: its frames do not decode")
        yield shown


def _from(path: Path, index: VideoIndex, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Progressive frames with the numbers of their pictures, from number `first` or an earlier one on."""
    # Deinterlacing looks at the picture before, too.
    for key, seek in [*index.seeks_before(max(first - 1, 0)), (0, None)]:
        with open_container(path) as opened:
            stream = video_stream(opened, path)
            if seek is not None:
                opened.seek(seek, stream=stream, backward=True)
            frames = deinterlace(decode_frames(opened, stream), stream_field_order(stream))
            numbered = index.numbered(frames)
            begin = next(numbered, None)
            # Intra refresh builds its key picture up, and gives later ones before they are whole.
            if begin is not None and (seek is None or begin[0] <= key):
                yield begin
                yield from numbered
                return
