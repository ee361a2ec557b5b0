"""VACE: control channels, references and given latents."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tests.support import tiny
from tests.support.wan import (
    run,
)
from wangp_cli.pipelines.base import Inputs
from wangp_cli.pipelines.wan.vace import latents_given


def test_control_strength_changes_the_result(loaded: Any) -> None:
    pipeline, shot = loaded("vace"), tiny.shot()
    assert not np.array_equal(run(pipeline, shot), run(pipeline, shot.replace(control_strength=0.5)))


def test_a_latent_is_given_where_any_of_its_pixels_is(loaded: Any) -> None:
    mask = torch.ones(1, 1, 9, 32, 32)
    mask[:, :, 8, 3, 31] = mask[:, :, 0, 20] = 0
    given = latents_given(mask, loaded("vace")._vae)
    assert given.shape == (1, 1, 3, 4, 4)
    assert given.nonzero()[:, 2:].tolist() == [[0, 2, column] for column in range(4)] + [[2, 0, 3]]


def test_latents_of_references_count_as_given(loaded: Any) -> None:
    pipeline, shot = loaded("vace"), tiny.shot(guide_given=False)
    given = pipeline.encode(shot, Inputs(references=(tiny.clip(1),)), tiny.quiet).condition.given_mask
    assert given.flatten(3).all(dim=3).flatten().tolist() == [True, False, False, False]
    assert not given[:, :, 1:].any()
