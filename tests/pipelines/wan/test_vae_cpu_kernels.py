"""Layers of a video VAE that compute faster."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, WanRMS_norm

from wangp_cli.pipelines.wan.vae_cpu_kernels import speed_up


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
@pytest.mark.parametrize(("batch", "frames"), [(1, 3), (1, 4), (1, 6), (1, 7), (2, 6)])
def test_results_are_equal_but_for_rounding(options: dict[str, Any], batch: int, frames: int) -> None:
    plain = torch.nn.Conv3d(6, 8, **options)
    fast = copy.deepcopy(plain)
    assert speed_up(fast) == 1
    clips = torch.randn(batch, 6, frames, 8, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(fast(clips), plain(clips), atol=1e-5)
        half = fast.to(torch.bfloat16), plain.to(torch.bfloat16)
        assert torch.equal(*(layer(clips.bfloat16()) for layer in half))


@pytest.mark.parametrize("options", [{"padding": 1}, {"groups": 2}, {"dilation": 2}])
def test_unsupported_layers_are_unchanged(options: dict[str, Any]) -> None:
    assert speed_up(torch.nn.Conv3d(6, 8, 3, **options)) == 0


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_causal_layers_see_the_frames_before(frames: int, before: int) -> None:
    plain = WanCausalConv3d(6, 8, 3, padding=1)
    fast = copy.deepcopy(plain)
    speed_up(fast)
    generator = torch.Generator().manual_seed(0)
    clip = torch.randn(1, 6, frames, 8, 10, generator=generator)
    past = torch.randn(1, 6, before, 8, 10, generator=generator) if before else None
    with torch.inference_mode():
        assert torch.allclose(fast(clip, past), plain(clip, past), atol=1e-5)


def test_norm_and_activation_do_not_change_their_input() -> None:
    norm = WanRMS_norm(6, images=False)
    torch.nn.init.normal_(norm.gamma)
    plain = torch.nn.Sequential(norm, torch.nn.SiLU())
    fast = copy.deepcopy(plain)
    speed_up(fast)
    clip = torch.randn(1, 6, 4, 8, 10, generator=torch.Generator().manual_seed(0))
    kept = clip.clone()
    with torch.inference_mode():
        assert torch.allclose(fast(clip), plain(clip), atol=1e-6)
    assert torch.equal(clip, kept)
