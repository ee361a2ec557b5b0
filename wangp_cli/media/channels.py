"""Channel layouts of audio: their names, and mixing one into another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import av
import numpy as np
from av import AudioFrame, AudioLayout, AudioResampler
from numpy.typing import NDArray

from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Audio

_USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
MAX_CHANNELS = 8
AMBISONIC = "ambisonic"


def usual_layout(channels: int) -> str:
    """FFmpeg's name of the layout of audio whose channels have no positions.

    Raises:
        MediaError: 0 channels, or more than 8.
    """
    if channels not in _USUAL:
        raise MediaError(f"audio: {channels} channels, must be 1 to {MAX_CHANNELS}")
    return _USUAL[channels]


def is_known(layout: str) -> bool:
    """Whether the channels of a layout have positions from which they can be mixed."""
    if "NONE" in _positions(layout):
        return False
    try:
        mixing_matrix(layout, "stereo")
    except (ValueError, av.FFmpegError):
        return False
    return True


def read_as(layout: AudioLayout) -> str:
    """The layout as which audio is read: one that can be mixed into others, of at most 8 channels."""
    if layout.nb_channels == 1 or layout.name.startswith(AMBISONIC):
        return "mono"
    if layout.nb_channels > MAX_CHANNELS:
        return "stereo"
    return layout.name if is_known(layout.name) else usual_layout(layout.nb_channels)


def layout_of(audio: Audio) -> str:
    """FFmpeg's name of the channel layout of some audio."""
    return audio.layout or usual_layout(audio.samples.shape[1])


def remix(audio: Audio, layout: str) -> Audio:
    """The audio in another channel layout.

    A channel keeps its position where the layout has it. One channel alone becomes the centre, or where there
    is none both front channels.
    """
    if layout_of(audio) == layout:
        return audio
    samples = audio.samples @ mixing_matrix(layout_of(audio), layout)
    return Audio(samples=samples, rate=audio.rate, layout=layout)


@cache
def mixing_matrix(source: str, target: str) -> NDArray[np.float32]:
    """Gains `[source channels, target channels]` of FFmpeg's resampler, lowered where sums could clip.

    Source: ITU-R BS.775, as libswresample has it: centre and surrounds at -3 dB, no low frequency effects.
    """
    channels = len(_positions(source))
    if channels == 1 and "FC" not in _positions(target):
        front = [position in ("FL", "FR") for position in _positions(target)]
        return np.array([front], np.float32)
    resampler = AudioResampler(format="flt", layout=target, rate=48_000)
    frame = to_audio_frame(np.eye(channels, dtype=np.float32), source, 48_000)
    parts = [part.to_ndarray().reshape(-1) for part in resampler.resample(frame) + resampler.resample(None)]
    matrix = np.concatenate(parts).reshape(channels, -1).astype(np.float32)
    matrix /= max(float(np.abs(matrix).sum(axis=0).max()), 1.0)
    return matrix


def fold(samples: NDArray[np.float32], layout: str | None) -> NDArray[np.float32]:
    """Stereo of audio with more channels than are processed.

    Args:
        samples: `[N, channels]`.
        layout: FFmpeg's name; None where the positions of the channels are unknown: all go to both sides.
    """
    channels = samples.shape[1]
    matrix = np.zeros((channels, 2), np.float32) if layout is None else mixing_matrix(layout, "stereo").copy()
    # libswresample leaves out positions above and below.
    names = _positions(layout) if layout else ("",) * channels
    for channel, name in enumerate(names):
        if not matrix[channel].any() and not name.startswith("LFE"):
            matrix[channel] = (not name.endswith("R"), not name.endswith("L"))
    matrix /= np.abs(matrix).sum(axis=0).max()
    folded: NDArray[np.float32] = samples @ matrix
    return folded


def widest(audios: Iterable[Audio]) -> str:
    """The layout with most channels among those of several audios; of equals the first."""
    return max((layout_of(audio) for audio in audios), key=lambda layout: len(_positions(layout)))


def nearest_layout(layout: str, allowed: tuple[str, ...]) -> str:
    """The smallest of the allowed layouts that keeps all channels apart; the largest if none does.

    Args:
        layout: FFmpeg's name.
        allowed: names, ordered by their number of channels.
    """
    if layout in allowed:
        return layout
    channels = len(_positions(layout))
    apart = (name for name in allowed if np.linalg.matrix_rank(mixing_matrix(layout, name)) == channels)
    return next(apart, allowed[-1])


def to_audio_frame(samples: NDArray[np.float32], layout: str, rate: int) -> AudioFrame:
    """Samples `[N, channels]` as one audio frame of PyAV."""
    flat = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
    frame = AudioFrame.from_ndarray(flat, format="flt", layout=layout)
    frame.sample_rate = rate
    return frame


@cache
def _positions(layout: str) -> tuple[str, ...]:
    return tuple(channel.name for channel in AudioLayout(layout).channels)
