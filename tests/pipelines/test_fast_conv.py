"""3D convolutions as sums of 2D ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from wangp_cli.pipelines.fast_conv import speed_up


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": (0, 1, 1)},
        {"kernel_size": 1},
        {"kernel_size": (3, 1, 1), "stride": (2, 1, 1), "bias": False},
        {"kernel_size": (1, 2, 2), "stride": (1, 2, 2)},
    ],
    ids=["cube", "point", "time", "patch"],
)
def test_results_are_equal_but_for_rounding(options: dict[str, Any]) -> None:
    plain = torch.nn.Conv3d(6, 8, **options)
    fast = copy.deepcopy(plain)
    assert speed_up(fast) == 1
    clips = torch.randn(2, 6, 5, 8, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(fast(clips), plain(clips), atol=1e-5)
        half = fast.to(torch.bfloat16), plain.to(torch.bfloat16)
        assert torch.equal(*(layer(clips.bfloat16()) for layer in half))


@pytest.mark.parametrize("options", [{"padding": 1}, {"groups": 2}, {"dilation": 2}])
def test_layers_of_other_kinds_stay_as_they_are(options: dict[str, Any]) -> None:
    assert speed_up(torch.nn.Conv3d(6, 8, 3, **options)) == 0
