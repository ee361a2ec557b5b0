"""Mattes without weights on moving scenes of known alpha, compared with simpler ways.

    python -m benchmarks.matting [--seeds N ...] [--frames N]

Overlap is intersection over union, the mean over all frames: of the first mask held, of the first mask
carried by optical flow alone, and of the engine `classic` from the first mask, and from that of the last
frame too.
Exits with 1 if the engine's mean overlap is below 0.8, or if on any clip another way is better.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch

from benchmarks.rows import Rows
from tests.support.matting_clips import MattingClip, matting_clip, mean_overlap, warped_mattes
from wangp_cli.matting.classic import ClassicMatter
from wangp_cli.matting.matter import Alpha

LEAST_OVERLAP = 0.8


def classic(clip: MattingClip, keys: list[int]) -> Alpha:
    """Mattes of the engine from the true masks of some frames."""
    masks = {index: clip.mask(index) for index in keys}
    return np.concatenate(list(ClassicMatter().mattes([clip.frames], masks)))


def main() -> int:
    """Print a row per clip; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(12)))
    parser.add_argument("--frames", type=int, default=48)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows("clip", "held", "warped", "classic", "two keys", "alpha MAE", "warped MAE", "s/frame")
    overlaps, losses = [], 0
    for seed in chosen.seeds:
        clip = matting_clip(seed, chosen.frames, layers=2 + seed % 2)
        held, warped = np.broadcast_to(clip.alpha[:1], clip.alpha.shape), warped_mattes(clip)
        began = time.process_time()
        matte = classic(clip, [0])
        seconds = (time.process_time() - began) / chosen.frames
        both = classic(clip, [0, chosen.frames - 1])
        figures = [mean_overlap(way, clip.alpha) for way in (held, warped, matte, both)]
        errors = [float(np.abs(way - clip.alpha).mean()) for way in (matte, warped)]
        rows.add(
            f"seed {seed}",
            *(f"{figure:.3f}" for figure in figures),
            *(f"{error:.4f}" for error in errors),
            f"{seconds:.2f}",
        )
        overlaps.append(figures[2])
        losses += figures[2] < max(figures[:2])
    mean = float(np.mean(overlaps))
    rows.add("mean", "", "", f"{mean:.3f}", "", "", "", "")
    return int(mean < LEAST_OVERLAP or losses > 0)


if __name__ == "__main__":
    sys.exit(main())
