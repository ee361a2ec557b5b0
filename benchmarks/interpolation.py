"""Frames in between: mixing both, the classic interpolator, and OpenCV's DIS flow with the same fusion.

    python -m benchmarks.interpolation [--scenes N] [--clips FILE ...] [--width PIXELS --height PIXELS]

Moving scenes are those of tests/support/moving_scenes.py, whose middle frames are known; of a clip every
second frame is made from its neighbours. Figures are PSNR in dB and CPU seconds per middle frame on one core.
DIS needs opencv-python-headless, which wangp does not use; it is left out where that is missing. Exits with 1
if the classic interpolator gains less than 5 dB over mixing on moving scenes, less than 1.5 dB on those with
noise and compression, or loses more than 0.8 dB on any frame.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.rows import Rows
from tests.support.clips import psnr
from tests.support.moving_scenes import MovingScene
from wangp_cli.media.clip import Frames, as_uint8, single_frames, to_rgb
from wangp_cli.media.read_video import stream_video
from wangp_cli.media.tensors import from_batch, to_batch
from wangp_cli.media.write import write_video
from wangp_cli.motion.interpolate import Motion

Make = Callable[[Tensor, Tensor], Tensor]
"""Makes the frame in the middle of two: `[1, 3, H, W]` in [0, 1]."""
MOST_DB = 68.0
"""Of equal frames, and of frames that differ by one level in a hundred pixels."""
WANTED = {"scenes": 5.0, "noisy scenes": 1.5}
MOST_LOSS = 0.8


class Triple(NamedTuple):
    """Two frames and the true one between them, uint8 `[1, H, W, 3]`."""

    first: Frames
    middle: Frames
    second: Frames


def scenes(count: int, width: int, height: int) -> Iterator[Triple]:
    """Frames of moving scenes without noise: up to three layers, slow and fast."""
    for seed in range(count):
        scene = MovingScene(
            10_000 + seed,
            width=width,
            height=height,
            layers=seed % 4,
            speed=(4, 10, 18)[seed % 3] * width / 128,
        )
        yield Triple(*(_frames(scene.frame(at)) for at in (0, 0.5, 1)))


def noisy_scenes(count: int, width: int, height: int) -> Iterator[Triple]:
    """Frames of slow scenes with noise, read back from an H.264 file, as footage of a camera is."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            speed, layers = 3 * width / 128, 1 + seed % 3
            scene = MovingScene(
                20_000 + seed, width=width, height=height, layers=layers, speed=speed, noise=0.02
            )
            path = Path(folder) / f"{seed}.mp4"
            write_video(path, [scene.clip(5)], fps=Fraction(24), crf=24)
            yield from triples(path)


def triples(path: Path) -> Iterator[Triple]:
    """Of a video every second frame between its neighbours."""
    frames = list(single_frames(to_rgb(piece) for piece in stream_video(path)))
    for at in range(1, len(frames) - 1, 2):
        yield Triple(*(as_uint8(frame) for frame in frames[at - 1 : at + 2]))


def mixed(first: Tensor, second: Tensor) -> Tensor:
    """The mean of both frames."""
    return (first + second) / 2


def classic(first: Tensor, second: Tensor) -> Tensor:
    """The classic interpolator of wangp."""
    return Motion(first, second).at(0.5)


def dis() -> Make | None:
    """The classic interpolator with flow of OpenCV's DIS; None without OpenCV."""
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        return None
    cv2.setNumThreads(1)
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def flows(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        grey = [cv2.cvtColor(_frames(picture)[0], cv2.COLOR_RGB2GRAY) for picture in (first, second)]
        both = [estimator.calc(grey[at], grey[1 - at], None) for at in (0, 1)]
        forward, backward = (torch.from_numpy(flow).permute(2, 0, 1)[None] for flow in both)
        return forward, backward

    return lambda first, second: Motion(first, second, scale=1, flows=flows).at(0.5)


class Score:
    """PSNR and time of one method over many frames."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.seconds = 0.0

    def add(self, make: Make, triple: Triple) -> None:
        """Make the middle frame, and hold it against the true one."""
        first, second = to_batch(triple.first), to_batch(triple.second)
        began = time.process_time()
        with torch.inference_mode():
            made = make(first, second)
        self.seconds += time.process_time() - began
        self.values.append(min(psnr(_frames(made), triple.middle), MOST_DB))

    def least_gain(self, other: Score) -> float:
        """The gain over another on the frame where it is least."""
        return min(own - theirs for own, theirs in zip(self.values, other.values, strict=True))

    @property
    def mean(self) -> float:
        """Mean PSNR."""
        return float(np.mean(self.values))


def compare(name: str, found: Iterable[Triple], methods: dict[str, Make], rows: Rows) -> dict[str, Score]:
    """Run all methods on the same frames and add a row for each."""
    scores = {method: Score() for method in methods}
    for triple in found:
        for method, make in methods.items():
            scores[method].add(make, triple)
    base = scores["mixed"]
    for method, score in scores.items():
        count = len(score.values)
        figures = (score.mean, score.mean - base.mean, score.least_gain(base), score.seconds / count)
        rows.add(f"{name}, {method}", str(count), *(f"{figure:.2f}" for figure in figures))
    return scores


def _frames(picture: Tensor) -> Frames:
    return as_uint8(from_batch(picture))


def _is_met(name: str, scores: dict[str, Score]) -> bool:
    classic_score, base = scores["classic"], scores["mixed"]
    gain = classic_score.mean - base.mean
    return gain >= WANTED.get(name, 0) and classic_score.least_gain(base) >= -MOST_LOSS


def main() -> int:
    """Measure and print; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--height", type=int, default=128)
    given = parser.parse_args()
    torch.set_num_threads(1)
    methods: dict[str, Make] = {"mixed": mixed, "classic": classic}
    if with_dis := dis():
        methods["DIS"] = with_dis
    else:
        print("DIS is left out: pip install opencv-python-headless")
    rows = Rows("", "frames", "PSNR", "gain", "least gain", "CPU s")
    sources: dict[str, Iterable[Triple]] = {
        "scenes": scenes(given.scenes, given.width, given.height),
        "noisy scenes": noisy_scenes(max(given.scenes // 2, 1), given.width, given.height),
        **{path.name: triples(path) for path in given.clips},
    }
    met = [_is_met(name, compare(name, found, methods, rows)) for name, found in sources.items()]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
