"""Damage of video files, found by decoding all of their frames."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

from wangp_cli.errors import MediaError
from wangp_cli.media.complete import is_complete
from wangp_cli.media.decoding import decode_frames, video_stream
from wangp_cli.media.opening import open_container
from wangp_cli.media.video_index import VideoIndex, video_index

_MOST_PIXELS = 2**31
"""Of longer videos the rest is not decoded for a check alone: this is 1000 frames of 1920x1080."""


def damage_notice(path: Path) -> str | None:
    """What of a checked video file is damaged, as a sentence; None if all of it decodes.

    Raises:
        MediaError: less than half of it decodes.
    """
    index = video_index(path)
    with open_container(path) as opened:
        stream = video_stream(opened, path)
        if stream.codec_context.name == "theora":
            # An empty packet of Theora is no damage but a picture shown again.
            return None
        total = min(len(index.stamps), _MOST_PIXELS // (stream.width * stream.height))
        lost, flawed = set(range(total)), set()
        for number, frame in index.numbered(decode_frames(opened, stream)):
            if number >= total:
                break
            lost.discard(number)
            if frame.is_corrupt:
                flawed.add(number)
    if 2 * len(lost) > total:
        raise MediaError(f"{path.name!r} is damaged: {total - len(lost)} of {total} frames decode")
    if not (damaged := lost | flawed):
        return None
    first = bisect_left(index.times.pictures, min(damaged))
    told = [f"{len(lost)} of {total} do not decode and repeat the one before"] if lost else []
    told += [f"{len(flawed)} of {total} decode with errors"] if flawed else []
    return f"frames are damaged from frame {first} on: {', '.join(told)}"


class IntactPart(NamedTuple):
    """The frames of a damaged video before the damage.

    Args:
        frames: their number.
        end: what is damaged there, as the end of a sentence that begins with the name of the file.
    """

    frames: int
    end: str


def intact_part(path: Path) -> IntactPart | None:
    """What is intact of a checked video file that is damaged or cut off; None if it is whole.

    Raises:
        MediaError: its first frame does not decode.
    """
    index = video_index(path, whole=False)
    pictures, fps = index.times.pictures, index.times.fps
    decoded = _intact_pictures(path, index)
    if decoded == len(index.stamps) and is_complete(path) and not index.error:
        return None
    frames = bisect_left(pictures, decoded)
    if not frames:
        raise MediaError(f"{path.name!r} is damaged: its first frame does not decode")
    time = f"{float(frames / fps):.2f} s"
    if decoded < len(index.stamps):
        return IntactPart(frames, f"is damaged at frame {frames} ({time})")
    return IntactPart(frames, f"is cut off after {frames} frames ({time})")


def _intact_pictures(path: Path, index: VideoIndex) -> int:
    """How many pictures decode before the first that does not, or that has errors or another size."""
    with open_container(path) as opened:
        stream = video_stream(opened, path)
        if stream.codec_context.name == "theora":
            # An empty packet of Theora is no damage but a picture shown again.
            return len(index.stamps)
        intact = 0
        shape: tuple[int, int, str] | None = None
        for number, frame in index.numbered(decode_frames(opened, stream)):
            current = (frame.width, frame.height, frame.format.name)
            if number > intact or frame.is_corrupt or current != (shape := shape or current):
                break
            intact = number + 1
    return intact
