"""Reading the audio of audio and video files into samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av import AudioFrame, AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from wangp_cli.errors import MediaError
from wangp_cli.media.audio import concatenate, fit_samples, samples_at, silence
from wangp_cli.media.channels import AMBISONIC, MAX_CHANNELS, fold, is_known, layout_of, read_as
from wangp_cli.media.clip import Audio
from wangp_cli.media.complete import check_complete
from wangp_cli.media.decoding import audio_streams, has_video
from wangp_cli.media.ogg import chain_links
from wangp_cli.media.opening import MAX_CLIP_BYTES, check_file, open_container
from wangp_cli.media.video_index import VideoIndex, file_version, video_index
from wangp_cli.media.wav import is_cut_off, states_wrong_length

_MAX_VALUES = MAX_CLIP_BYTES // 4
"""Samples of all channels that are kept in memory."""
_MAX_DRIFT = Fraction(1, 20)
"""Seconds by which time stamps may differ from the count of samples: containers round them."""
_MAX_GAP = Fraction(7200)
"""Most seconds without audio."""
_MAX_CLOCK_STEP = Fraction(10)
"""Seconds of a gap beyond which a clock that may restart has done so."""
_MAX_OVERLAP = Fraction(1, 2)
"""Seconds by which blocks may overlap before a clock that may restart has done so."""
_RESTARTING = frozenset({"mpegts", "mpeg", "ogg"})
"""Formats whose clock may restart on the way."""
_EXACT = frozenset({"flac", "aiff", "wv", "tta", "ape"})
"""Formats that state how many samples they hold."""
_Link: TypeAlias = tuple[int, int] | None
"""Bytes of a file at which a link of an Ogg chain begins and ends; None for the whole file."""
_UNTIMED = frozenset({"avi"})
"""Formats whose time stamps of audio are computed from bytes."""


@dataclass(frozen=True, kw_only=True)
class AudioFacts:
    """Facts of the audio stream that is read.

    Args:
        codec: FFmpeg's name.
        rate: samples per second.
        channels: of the stream; more than 8 are mixed to stereo on reading.
        layout: FFmpeg's name of the channel layout of what is read.
        seconds: length, as decoded to the end.
        notices: what is changed on reading, a sentence each.
    """

    codec: str
    rate: int
    channels: int
    layout: str
    seconds: float
    notices: tuple[str, ...]


def read_audio(path: Path | str) -> Audio:
    """The whole audio of an audio or video file, that of a video from its first frame on.

    Raises:
        MediaError: the file is missing, empty, not audio, broken, or a video without audio.
    """
    file = check_file(path, "audio")
    check_complete(file)
    return _decode_audio(file, None)


def audio_of_frames(path: Path | str, fps: Fraction, start: int, frames: int) -> Audio:
    """The audio of some frames of a video.

    Args:
        path: of a video with audio.
        fps: frames per second of the video.
        start: first frame.
        frames: number of frames.

    Raises:
        MediaError: as `read_audio`.
    """
    audio = _decode_audio(Path(path).resolve(), (start + frames) / fps)
    first = samples_at(start, audio.rate, fps)
    last = samples_at(start + frames, audio.rate, fps)
    return replace(audio, samples=audio.samples[first:last])


def audio_facts(path: Path) -> AudioFacts | None:
    """Facts of the audio of a checked file; None if it has none, or only streams without a sample.

    All of it is decoded once; the facts of the files that were read last are kept.

    Raises:
        MediaError: the file does not open.
    """
    return _read_facts(path, file_version(path))


@lru_cache(maxsize=64)
def _read_facts(path: Path, version: tuple[int, ...]) -> AudioFacts | None:  # noqa: ARG001 - the key of the cache
    links = [facts for link in _links(path) if (facts := _facts_of_link(path, link)) is not None]
    if not links:
        return None
    notices = dict.fromkeys(notice for facts in links for notice in facts.notices)
    return replace(links[0], seconds=sum(facts.seconds for facts in links), notices=tuple(notices))


def _facts_of_link(path: Path, link: _Link) -> AudioFacts | None:
    number = 0
    while True:
        with _open(path, link) as opened:
            if number == len(streams := audio_streams(opened)):
                return None
            blocks = _Blocks(opened, streams[number])
            counts: Counter[int] = Counter()
            layout = ""
            for frame in blocks.frames():
                counts[frame.sample_rate] += frame.samples
                layout = layout or read_as(frame.layout)
            if seconds := sum(samples / rate for rate, samples in counts.items()):
                context = blocks.stream.codec_context
                notices = tuple(_notices(opened, blocks, path, seconds))
                return AudioFacts(
                    codec=context.codec.canonical_name, rate=context.sample_rate, layout=layout,
                    channels=context.channels, seconds=seconds, notices=notices,
                )  # fmt: skip
        number += 1


def _decode_audio(path: Path, seconds: Fraction | None) -> Audio:
    """The audio of a file, aligned to the start of the video; at most `seconds` of it."""
    pieces: list[Audio] = []
    for link in _links(path):
        pieces += _decode_link(path, link, seconds)
        _check_values(sum(piece.samples.size for piece in pieces), path)
    if not pieces:
        raise MediaError(f"{path.name!r} has no audio")
    audio = concatenate(pieces)
    limit = len(audio.samples) if seconds is None else int(seconds * audio.rate) + 1
    return fit_samples(audio, min(len(audio.samples), limit))


def _decode_link(path: Path, link: _Link, seconds: Fraction | None) -> list[Audio]:
    number = 0
    while True:
        with _open(path, link) as opened:
            if number == len(streams := audio_streams(opened)):
                return []
            if pieces := list(_in_place(opened, streams[number], path, seconds)):
                return pieces
        number += 1


def _links(path: Path) -> list[_Link]:
    """The parts that are decoded one by one: FFmpeg takes all links of a chain for streams like the first."""
    if len(links := chain_links(path)) < 2:
        return [None]
    with open_container(path, "audio") as opened:
        return [None] if has_video(opened) else [*links]


def _open(path: Path, link: _Link) -> AbstractContextManager[InputContainer]:
    options = {"ignore_length": "1"} if states_wrong_length(path) else {}
    return open_container(path, "audio", options, part=link)


def _in_place(opened: InputContainer, stream: Any, path: Path, seconds: Fraction | None) -> Iterator[Audio]:
    """The blocks of a stream with silence where time stamps leave a gap, from the first frame on."""
    index = _index_of_video(opened, path)
    zero = None if index is None else index.times.start
    timed = index is not None and opened.format.name not in _UNTIMED
    earliest = latest = _MAX_GAP
    if opened.format.name in _RESTARTING:
        earliest, latest = _MAX_OVERLAP, index.longest_gap if index else _MAX_CLOCK_STEP
    position, values = Fraction(0), 0
    for begin, block in _Blocks(opened, stream):
        audio = block
        if zero is None:
            zero = begin or Fraction(0)
        drift = Fraction(0) if begin is None else begin - zero - position
        if position and not -earliest <= drift <= latest:
            # The time stamps start again.
            zero, drift = zero + drift, Fraction(0)
        elif abs(drift) > _MAX_GAP:
            raise MediaError(f"the audio of {path.name!r} starts {float(drift):.0f} seconds after its frames")
        if not position or (timed and abs(drift) > _MAX_DRIFT):
            lacking = round(drift * audio.rate)
            audio = replace(audio, samples=audio.samples[max(-lacking, 0) :])
            if lacking > 0:
                values += lacking * audio.samples.shape[1]
                _check_values(values, path)
                yield silence(lacking, layout_of(audio), audio.rate)
                position += Fraction(lacking, audio.rate)
        values += audio.samples.size
        _check_values(values, path)
        if len(audio.samples):
            yield audio
        position += Fraction(len(audio.samples), audio.rate)
        if seconds is not None and position > seconds:
            return


def _check_values(values: int, path: Path) -> None:
    if values > _MAX_VALUES:
        raise MediaError(f"the audio of {path.name!r} is too long: more than {_MAX_VALUES} samples")


class _Blocks:
    """The decoded audio of a stream in blocks, each with the time at which it begins, in seconds.

    Blocks may differ in rate and layout. Packets that do not decode are left out and counted. They end where
    the container is cut off.
    """

    def __init__(self, opened: InputContainer, stream: Any) -> None:
        self.stream, self.damaged = stream, 0
        self.broken: str | None = None
        self._opened = opened

    def __iter__(self) -> Iterator[tuple[Fraction | None, Audio]]:
        setup: tuple[str, str, int] | None = None
        for frame in self.frames():
            if setup != (setup := (frame.format.name, frame.layout.name, frame.sample_rate)):
                resampler = AudioResampler(format="flt")
            stamped = frame.pts is not None and frame.time_base is not None
            begin = frame.pts * frame.time_base if stamped else None
            for part in resampler.resample(frame):
                channels = part.layout.nb_channels
                samples = part.to_ndarray().reshape(-1, channels).astype(np.float32, copy=False)
                yield begin, _as_read(samples, part)

    def frames(self) -> Iterator[AudioFrame]:
        """The decoded frames of FFmpeg."""
        packets = self._opened.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self.broken = error.strerror
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self.damaged += 1


def _notices(opened: InputContainer, blocks: _Blocks, path: Path, seconds: float) -> Iterator[str]:
    stream: Any = blocks.stream
    if stream.codec_context.layout.name.startswith(AMBISONIC):
        yield "ambisonic audio, read as mono"
    elif (channels := stream.codec_context.channels) > MAX_CHANNELS:
        yield f"{channels} channels of audio, mixed to stereo"
    stated = stream.duration * stream.time_base if stream.duration else 0
    if is_cut_off(path) or (opened.format.name in _EXACT and stated > seconds + _MAX_DRIFT):
        yield f"audio ends after {seconds:.2f} s, where the file is cut off"
    if blocks.broken is not None:
        yield f"audio ends after {seconds:.2f} s, where the file is cut off or broken: {blocks.broken}"
    if blocks.damaged:
        yield f"packets of audio that do not decode are left out: {blocks.damaged}"


def _as_read(samples: NDArray[np.float32], frame: AudioFrame) -> Audio:
    """The samples of a frame, of at most 8 channels."""
    layout, name = read_as(frame.layout), frame.layout.name
    if layout == "mono":
        # The first channel of ambisonics is the sound from all around.
        return Audio(samples=samples[:, :1], rate=frame.sample_rate, layout=layout)
    if samples.shape[1] > MAX_CHANNELS:
        samples = fold(samples, name if is_known(name) else None)
    return Audio(samples=samples, rate=frame.sample_rate, layout=layout)


def _index_of_video(opened: InputContainer, path: Path) -> VideoIndex | None:
    """Where the frames of a video are; None for audio alone, and a video of which no frame decodes."""
    with suppress(MediaError):
        return video_index(path) if has_video(opened) else None
    return None
