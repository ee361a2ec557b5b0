"""Video and audio streams of a container that is being written."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np

from wangp_cli.errors import MediaError
from wangp_cli.media import colour
from wangp_cli.media.audio import fit_samples, resample, samples_at
from wangp_cli.media.channels import layout_of, nearest_layout, remix, to_audio_frame
from wangp_cli.media.clip import Audio, Frames
from wangp_cli.media.codecs import Codec, deterministic_options, silence_svt_av1

_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
_OPUS_RATES = frozenset({8000, 12000, 16000, 24000, 48000})
_AAC_LAYOUTS = ("mono", "stereo", "3.0", "3.0(back)", "2.1", "4.0", "quad", "5.0", "5.1", "7.1")
_OPUS_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""Channel layouts whose names the codecs store, by number of channels."""
_LOSSY_AUDIO_BITS = 96_000
"""Per second and channel; one channel gets as many as two."""
_PROGRESSIVE = 1
"""FFmpeg's AVFieldOrder."""
_X265_DELAY = 2
"""Frames by which x265 delays output. It leaves decode times uninitialised for clips shorter than that, so
decode times are set here."""


class VideoStreamEncoder:
    """Encodes frames into the video stream of a container.

    Args:
        container: open for writing.
        codec: of the stream.
        crf: constant quality; None where the codec has none.
        first: `[T, H, W, C]`, the first frames; all others have their size, channels and dtype.
        fps: frames per second, exact.

    Raises:
        MediaError: the codec cannot encode frames of this size, or alpha.
    """

    def __init__(self, container: Any, codec: Codec, crf: int | None, first: Frames, fps: Fraction) -> None:
        self.container, self.codec, self.fps = container, codec, fps
        self.count = self.packets = 0
        _, self.height, self.width, channels = first.shape
        self.pixels = codec.pixel_format(alpha=channels == 4, deep=first.dtype != np.uint8)
        _check_size(codec, self.pixels, self.width, self.height)
        parts = av.VideoFormat(self.pixels).components
        self.deep = max(part.bits for part in parts) > 8
        silence_svt_av1()
        options = (
            dict(codec.options)
            | deterministic_options(codec.encoder)
            | ({} if crf is None else {"crf": str(crf)})
        )
        self.stream = container.add_stream(codec.encoder, rate=fps, options=options)
        self.stream.width, self.stream.height, self.stream.pix_fmt = self.width, self.height, self.pixels
        self.stream.time_base = 1 / fps
        context = self.stream.codec_context
        context.time_base = 1 / fps
        if codec.tag and container.format.name != "matroska":
            context.codec_tag = codec.tag
        context.color_primaries = context.color_trc = colour.BT709
        context.colorspace = colour.GBR if codec.rgb else colour.BT709
        context.color_range = colour.FULL if codec.rgb else colour.LIMITED
        context.sample_aspect_ratio = self.stream.sample_aspect_ratio = Fraction(1)
        context.field_order = _PROGRESSIVE
        self.converter: colour.Converter | None = None

    def add(self, frames: Frames) -> None:
        """Encode the next frames."""
        ready, name = colour.source_frames(frames, deep=self.deep)
        if self.converter is None:
            self.converter = colour.to_encoder(self.width, self.height, name, self.pixels)
        for pixels in ready:
            frame = self.converter.convert(av.VideoFrame.from_ndarray(pixels, format=name))
            frame.pts, frame.time_base = self.count, 1 / self.fps
            self._mux(self.stream.encode(frame))
            self.count += 1

    def finish(self) -> None:
        """Flush the encoder."""
        self._mux(self.stream.encode(None))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if self.codec.encoder == "libx265":
                packet.dts = self.packets - _X265_DELAY
            self.packets += 1
            self.container.mux(packet)


class AudioStreamEncoder:
    """Encodes audio into the audio stream of a container, interleaved with the frames.

    Args:
        container: open for writing.
        codec: of the video stream, which decides the audio codec.
        suffix: of the container, `.mp4` and so on.
        audio: from the first frame on; where the audio codec lacks its rate or channel layout it is
            resampled, or mixed into the nearest layout.
        fps: frames per second, exact.
    """

    def __init__(self, container: Any, codec: Codec, suffix: str, audio: Audio, fps: Fraction) -> None:
        encoder = codec.audio_encoder(suffix)
        rates = {"aac": _AAC_RATES, "libopus": _OPUS_RATES}.get(encoder)
        layouts = {"aac": _AAC_LAYOUTS, "libopus": _OPUS_LAYOUTS}.get(encoder)
        self.layout = layout_of(audio) if layouts is None else nearest_layout(layout_of(audio), layouts)
        mixed = remix(audio, self.layout)
        self.audio = mixed if rates is None or audio.rate in rates else resample(mixed, 48_000)
        self.container, self.fps, self.sent = container, fps, 0
        # FFmpeg's own order of Opus channels is wrong for 5.0 and 6.1; family 1 is that of Vorbis, as stored.
        options = {"mapping_family": "1"} if encoder == "libopus" and audio.samples.shape[1] > 2 else {}
        self.stream = container.add_stream(encoder, rate=self.audio.rate, layout=self.layout, options=options)
        if encoder in {"aac", "libopus"}:
            self.stream.bit_rate = _LOSSY_AUDIO_BITS * max(self.audio.samples.shape[1], 2)
        if encoder == "flac":
            self.stream.format = "s32"

    def encode_until(self, frames: int) -> None:
        """Encode audio up to the end of frame `frames - 1`, padded with silence."""
        end = samples_at(frames, self.audio.rate, self.fps)
        if end <= self.sent:
            return
        segment = replace(self.audio, samples=self.audio.samples[self.sent : end])
        frame = to_audio_frame(
            fit_samples(segment, end - self.sent).samples.clip(-1, 1), self.layout, self.audio.rate
        )
        frame.pts, frame.time_base = self.sent, Fraction(1, self.audio.rate)
        self.container.mux(self.stream.encode(frame))
        self.sent = end

    def finish(self) -> None:
        """Flush the encoder."""
        self.container.mux(self.stream.encode(None))


def _check_size(codec: Codec, pixels: str, width: int, height: int) -> None:
    least_width, least_height = codec.smallest
    if width < least_width or height < least_height:
        raise MediaError(
            f"size: {width}x{height}, codec {codec.name} takes {least_width}x{least_height} or more"
        )
    step_x, step_y = codec.block(pixels)
    if width % step_x or height % step_y:
        even = f"{width - width % step_x}x{height - height % step_y}"
        suited = "prores4444" if codec.name == "prores" else "h264-444"
        raise MediaError(
            f"size: {width}x{height}, but codec {codec.name} needs even sizes such as {even}",
            hint=f"--size {even}, or --codec {suited}",
        )
