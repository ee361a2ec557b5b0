from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from training.starter.metric import psnr, read, score
from training.starter.world import draw, sample_scene


def test_the_metric_reads_drawn_clips() -> None:
    rng = random.Random(11)
    scenes = [sample_scene(rng, spread=rng.choice((0.3, 1.0))) for _ in range(60)]
    hits: Counter[str] = Counter()
    for scene, clip in zip(scenes, draw(scenes), strict=True):
        reading = read(((clip.permute(1, 2, 3, 0) + 1) / 2).numpy())
        hits.update(name for name, hit in score(scene, reading).items() if hit)
    assert all(hits[name] >= 0.95 * len(scenes) for name in ("background", "colour", "motion", "shape"))


def test_the_metric_finds_no_object_in_a_plain_clip() -> None:
    reading = read(np.full((5, 32, 32, 3), 0.97, dtype=np.float32))
    assert (reading.background, reading.colour, reading.motion, reading.shape) == ("white", "", "", "")


def test_psnr_of_a_tenth_is_twenty() -> None:
    black = np.zeros((2, 4, 4, 3), dtype=np.float32)
    assert psnr(black, black + np.float32(0.1)) == pytest.approx(20, abs=1e-3)
