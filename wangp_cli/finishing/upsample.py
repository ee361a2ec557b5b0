"""Make the frames of a video larger."""

from __future__ import annotations

from wangp_cli.finishing.stream import VideoStream
from wangp_cli.finishing.upscaler import Upscaler
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.resize import fit


def upsample(video: VideoStream, width: int, height: int, upscaler: Upscaler | None = None) -> VideoStream:
    """A video of another size: by a Lanczos filter, or by a network and then that filter.

    Args:
        video: any dtype of `Frames`.
        width: in pixels.
        height: in pixels.
        upscaler: enlarges each frame by a factor of its own first; frames that do not grow are left to the
            filter.

    Returns:
        Frames of float32, so that nothing is rounded before they are encoded.
    """

    def change(frame: Frames, _: int) -> Frames:
        grows = width > frame.shape[2] or height > frame.shape[1]
        values = upscaler.upscale(frame) if upscaler and (grows or upscaler.scale == 1) else as_float(frame)
        return fit(values, width, height, "stretch")

    return video.map(change)
