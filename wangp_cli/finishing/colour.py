"""Match the colours of a video to those of reference images."""

from __future__ import annotations

import numpy as np

from wangp_cli.finishing.stream import VideoStream
from wangp_cli.media.clip import Frames
from wangp_cli.media.match import (
    apply_transfers,
    colour_statistics,
    colour_transfer,
    transfer_weights,
)


def match_colours(
    video: VideoStream, *, start: Frames | None, end: Frames | None, strength: float = 1.0
) -> VideoStream:
    """A video whose colours go from those of one image to those of another.

    Each frame takes mean and deviation of L*, a* and b* from both images, weighted by its place in the
    video; in the middle a quarter of its own colours is kept. With one image alone all frames take its
    colours.

    Args:
        video: RGB or RGBA.
        start: `[1, H, W, C]`, whose colours the first frame takes.
        end: whose colours the last frame takes.
        strength: 0 changes nothing, 1 matches in full.

    Source: Headless-Wan2GP's colour matching, with the limits of `media.match.colour_transfer`.
    """
    images = [None if image is None else colour_statistics(image) for image in (start, end)]
    if strength == 0 or images == [None, None]:
        return video
    weights = np.ones((video.count, 2)) if None in images else transfer_weights(video.count)[:, :2]

    def change(frame: Frames, index: int) -> Frames:
        own = colour_statistics(frame)
        transfers = [
            (colour_transfer(own, image), weights[index : index + 1, at] * strength)
            for at, image in enumerate(images)
            if image is not None
        ]
        return apply_transfers(frame, transfers)

    return video.map(change)
