"""The kinds of control pictures: one table for every task that makes some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float, single_frames
from wangp_cli.preprocess.canny import canny
from wangp_cli.preprocess.depth import DepthRange, depth_pictures
from wangp_cli.preprocess.flow import FlowBetween, flow_pictures
from wangp_cli.preprocess.pose.draw import PosePart, draw_people
from wangp_cli.preprocess.pose.keypoints import People

Pictures = Iterator[NDArray[np.uint8]]
"""uint8 RGB `[t, H, W, 3]`, in pieces."""


class DepthNetwork(Protocol):
    """Estimates depth."""

    def depth(self, frames: Frames) -> NDArray[np.float32]:
        """The inverse depth of RGB frames `[t, H, W, 3]` in any unit, `[t, H, W]`; larger is nearer."""


class PoseNetwork(Protocol):
    """Finds people and their keypoints."""

    def people(self, frame: Frames) -> People:
        """The people in an RGB frame `[H, W, 3]`."""


class LineNetwork(Protocol):
    """Draws lines."""

    def lines(self, frames: Frames) -> NDArray[np.float32]:
        """The lines of RGB frames `[t, H, W, 3]`: `[t, H, W]` in [0, 1], 0 is a line, 1 is paper."""


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    """How control pictures look.

    Args:
        canny_low: least gradient of a pixel of an edge.
        canny_high: least gradient of one pixel of each edge.
        canny_intensity: factor on the brightness of edges.
        depth_range: what black and white stand for.
        depth_contrast: factor on the distance from middle grey.
        motion_strength: factor on vectors of motion.
        pose_parts: parts of people that are drawn.
    """

    canny_low: float = 100
    canny_high: float = 200
    canny_intensity: float = 1
    depth_range: DepthRange = "clip"
    depth_contrast: float = 1
    motion_strength: float = 1
    pose_parts: tuple[PosePart, ...] = ("body", "face")


Make = Callable[[Iterator[Frames], PictureSettings, Any, Path | None], Pictures]
"""`make(pieces, settings, network, scratch)`: as many pictures as frames, of their size; `network` is None
for the method without weights, `scratch` a folder for what must wait until the whole clip is known."""


def control_pictures(
    kind: str,
    pieces: Iterator[Frames],
    settings: PictureSettings,
    network: Any = None,
    scratch: Path | None = None,
) -> Pictures:
    """The control pictures of a clip.

    Args:
        kind: a key of `KINDS`.
        pieces: RGB `[t, H, W, 3]` each, any dtype of `Frames`.
        settings: how they look.
        network: that the kind needs; None for its method without weights.
        scratch: folder for temporary files; None for the usual one.

    Returns:
        uint8 `[1, H, W, 3]`, one for each frame, of its size.
    """
    # One by one, so that a caller is asked for each frame, and can report it or stop.
    return KINDS[kind](single_frames(pieces), settings, network, scratch)


def needs_whole_clip(kind: str, settings: PictureSettings) -> bool:
    """Whether all frames are read before the first picture is drawn."""
    return kind == "flow" or (kind == "depth" and settings.depth_range == "clip")


def _canny(
    pieces: Iterator[Frames], settings: PictureSettings, network: LineNetwork | None, _: Path | None
) -> Pictures:
    for frames in pieces:
        if network is None:
            edges = canny(frames, low=settings.canny_low, high=settings.canny_high)[..., 0] > 0
        else:
            # VACE learned from edges that were made so.
            edges = network.lines(frames) < 0.5
        yield _grey(edges * np.float32(settings.canny_intensity))


def _depth(
    pieces: Iterator[Frames], settings: PictureSettings, network: DepthNetwork, scratch: Path | None
) -> Pictures:
    return depth_pictures(
        pieces,
        network.depth,
        contrast=settings.depth_contrast,
        range_of=settings.depth_range,
        scratch=scratch,
    )


def _flow(
    pieces: Iterator[Frames], settings: PictureSettings, network: FlowBetween | None, scratch: Path | None
) -> Pictures:
    return flow_pictures(pieces, network or _classic_flow, strength=settings.motion_strength, scratch=scratch)


def _classic_flow(first: Frames, second: Frames) -> NDArray[np.float32]:
    import torch

    from wangp_cli.media.tensors import from_batch, to_batch
    from wangp_cli.motion.flow import flow_between

    with torch.inference_mode():
        flow: NDArray[np.float32] = from_batch(flow_between(to_batch(first[None]), to_batch(second[None])))[0]
    return flow


def _gray(pieces: Iterator[Frames], _settings: PictureSettings, _network: None, _: Path | None) -> Pictures:
    for frames in pieces:
        yield _grey(as_float(frames) @ _LUMA)


def _pose(
    pieces: Iterator[Frames], settings: PictureSettings, network: PoseNetwork, _: Path | None
) -> Pictures:
    for frame in (frame for frames in pieces for frame in frames):
        size = frame.shape[1], frame.shape[0]
        yield draw_people(network.people(frame), size, settings.pose_parts)[None]


def _scribble(
    pieces: Iterator[Frames], _settings: PictureSettings, network: LineNetwork, _: Path | None
) -> Pictures:
    for frames in pieces:
        yield _grey(network.lines(frames))


_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
"""Of BT.601, as in the pictures that VACE was trained on."""


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values `[t, H, W]` in [0, 1] as RGB; larger ones are white."""
    pictures = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return np.repeat(pictures[..., None], 3, axis=3)


KINDS: Mapping[str, Make] = {
    "canny": _canny,
    "depth": _depth,
    "flow": _flow,
    "pose": _pose,
    "scribble": _scribble,
    "gray": _gray,
}
"""What makes each kind."""
