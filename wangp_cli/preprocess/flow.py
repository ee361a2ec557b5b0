"""Pictures of optical flow: the hue is the direction of the motion, the saturation its speed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames
from wangp_cli.preprocess.map_spool import MapSpool

Flow = NDArray[np.float32]
"""`[H, W, 2]`: pixels to the right and down."""
FlowBetween = Callable[[Frames, Frames], Flow]
"""The flow from one frame `[H, W, 3]` to the next."""
_HUES = (
    (15, (255, 0, 0), (255, 255, 0)),
    (6, (255, 255, 0), (0, 255, 0)),
    (4, (0, 255, 0), (0, 255, 255)),
    (11, (0, 255, 255), (0, 0, 255)),
    (13, (0, 0, 255), (255, 0, 255)),
    (6, (255, 0, 255), (255, 0, 0)),
)
"""Steps of the colour wheel from one colour to before the next: more where the eye tells more hues apart."""
FASTEST_SHARE = 99
"""Percentile of the speeds of a frame: single wrong vectors do not decide the range."""
SLOWEST_REFERENCE = 1.0
"""Pixels per frame: what moves less is drawn pale, and noise in a still clip stays invisible."""


def flow_pictures(
    pieces: Iterable[Frames], flow_between: FlowBetween, *, strength: float, scratch: Path | None = None
) -> Iterator[NDArray[np.uint8]]:
    """A picture of the flow to each frame from the one before it; the first is repeated.

    Saturation is relative to the fastest motion of the whole clip, so that the pictures do not flicker and
    `strength` changes them; motion that is faster than that is drawn as that.

    Args:
        pieces: `[t, H, W, 3]` each; a single frame has no motion.
        flow_between: gives the flow between two of them.
        strength: factor on every vector.
        scratch: folder for the flow of the clip.

    Yields:
        uint8 `[1, H, W, 3]`, one for each frame.
    """
    flows = MapSpool(scratch, np.float16)
    reference = SLOWEST_REFERENCE
    for flow in _flows(pieces, flow_between):
        speeds = np.hypot(flow[..., 0], flow[..., 1])
        reference = max(reference, float(np.percentile(speeds, FASTEST_SHARE)))
        flows.add(flow)
    for flow in flows:
        yield flow_colours(flow.astype(np.float32) * np.float32(strength / reference))[None]


def _flows(pieces: Iterable[Frames], flow_between: FlowBetween) -> Iterator[Flow]:
    """One flow for each frame: to it from the one before; that of the second also for the first."""
    before: Frames | None = None
    count = 0
    for frame in (frame for piece in pieces for frame in piece):
        if before is not None:
            still = np.array_equal(before, frame)
            flow = _no_flow(frame) if still else flow_between(before, frame)
            yield from [flow] * (2 if count == 1 else 1)
        before, count = frame, count + 1
    if before is not None and count == 1:
        yield _no_flow(before)


def _no_flow(frame: Frames) -> Flow:
    return np.zeros((*frame.shape[:2], 2), np.float32)


def flow_colours(flow: Flow) -> NDArray[np.uint8]:
    """The colours of vectors: white for no motion, the pure hue of their direction for a length of 1 or more.

    Args:
        flow: `[H, W, 2]`, to the right and down, in units of the length that has a pure hue.

    Returns:
        uint8 `[H, W, 3]`.

    Source: Baker et al. 2011, A Database and Evaluation Methodology for Optical Flow, colour coding.
    """
    wheel = colour_wheel()
    speed = np.minimum(np.hypot(flow[..., 0], flow[..., 1]), 1)[..., None]
    place = (np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi + 1) / 2 * (len(wheel) - 1)
    lower = np.floor(place).astype(np.intp)
    share = (place - lower)[..., None]
    hue = wheel[lower] * (1 - share) + wheel[(lower + 1) % len(wheel)] * share
    return np.asarray(np.floor(255 * (1 - speed * (1 - hue))), np.uint8)


def colour_wheel() -> NDArray[np.float32]:
    """The 55 hues of directions around the circle, float32 `[55, 3]` in [0, 1]."""
    sections = []
    for steps, first, second in _HUES:
        share = np.floor(255 * np.arange(steps) / steps)[:, None] / 255
        start, end = np.array(first, np.float32), np.array(second, np.float32)
        sections.append((start * (1 - share) + end * share) / 255)
    return np.concatenate(sections).astype(np.float32)
