"""Block-causal attention without a mask, against the network's own mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support import tiny
from tests.support.wan import load, run

NAME = "diffusion_forcing"


WAVES = {"ar_step": 2, "causal_block_size": 2}


@pytest.mark.parametrize("boost", [False, True])
@pytest.mark.parametrize(
    "how", [{}, {"nag_scale": 5.0, "guidance_scale": 1.0}, {"skip_layers": (1,)}], ids=str
)
def test_blockwise_attention_equals_masked_attention(
    checkpoint: Any, loaded: Any, how: dict[str, Any], boost: bool
) -> None:
    shot = tiny.shot(steps=3, frames=13, size="48x32", **WAVES, **how)
    pipeline = load(checkpoint(NAME), NAME, boost=boost, attention="_native_flash")  # which takes no mask
    mine, exact = (run(each, shot) for each in (pipeline, loaded(NAME)))
    assert 10 * np.log10(1 / np.mean((mine - exact).astype(np.float64) ** 2)) >= 60
    network = pipeline._networks[0]
    assert {type(block.attn1.processor).__name__ for block in network.blocks} == {"SkyReelsV2AttnProcessor"}
    assert network.config.num_frame_per_block == 1
