"""The VAE against the stock one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan

import wangp_cli
from tests.support import tiny
from wangp_cli.errors import GenerationError
from wangp_cli.pipelines.wan.vae import Vae
from wangp_cli.pipelines.wan.vae_cpu_kernels import speed_up


def nothing(count: int) -> None:
    pass


def frames_of(model: Any, latents: torch.Tensor) -> Any:
    """What the stock pipelines make of latents."""
    mean = torch.tensor(model.config.latents_mean).view(1, -1, 1, 1, 1)
    scale = 1.0 / torch.tensor(model.config.latents_std).view(1, -1, 1, 1, 1)
    with torch.no_grad():
        clip = model.decode(latents / scale + mean, return_dict=False)[0]
    return (clip * 0.5 + 0.5).clamp(0, 1)[0].permute(1, 2, 3, 0).numpy()


@pytest.fixture
def latents() -> torch.Tensor:
    return torch.randn(1, 16, 3, 8, 12, generator=torch.Generator().manual_seed(0))


def test_pieces_joined_equal_the_stock_decoding(latents: torch.Tensor) -> None:
    model = tiny.vae()
    pieces = list(Vae(model, exact=True).decode(latents, nothing))
    assert [len(piece) for piece in pieces] == [1, 4, 4]
    assert np.array_equal(np.concatenate(pieces), frames_of(model, latents))


@pytest.mark.parametrize("patched", [False, True])
def test_tiles_joined_equal_the_stock_tiling(latents: torch.Tensor, patched: bool) -> None:
    model = patched_vae() if patched else tiny.vae()
    counts: list[int] = []
    vae = Vae(model, exact=True)
    assert vae.tiles(latents, 32) == 12
    pieces = list(vae.decode_tiled(latents, counts.append))
    assert sum(counts) == 12 * 3
    assert [len(piece) for piece in pieces] == [1, 4, 4]
    assert np.array_equal(np.concatenate(pieces), frames_of(model, latents))


def test_a_small_frame_is_one_tile(latents: torch.Tensor) -> None:
    assert Vae(tiny.vae(), exact=True).tiles(latents, 128) == 1


@pytest.mark.parametrize("frames", [1, 5, 9])
def test_encoding_equals_the_stock_encoding(frames: int) -> None:
    model = tiny.vae()
    clip = torch.rand(1, 3, frames, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        mode = model.encode(clip).latent_dist.mode()
    mean = torch.tensor(model.config.latents_mean).view(1, -1, 1, 1, 1)
    scale = 1.0 / torch.tensor(model.config.latents_std).view(1, -1, 1, 1, 1)
    assert torch.equal(Vae(model, exact=True).encode(clip, nothing), (mode - mean) * scale)


def test_a_gray_clip_is_encoded_once() -> None:
    counts: list[int] = []
    vae = Vae(tiny.vae(), exact=True)
    first = vae.encode(torch.zeros(1, 3, 9, 32, 32), counts.append)
    assert vae.encode(torch.zeros(1, 3, 9, 32, 32), counts.append) is first
    assert counts == [1, 1, 1, 3]
    assert vae.encode(torch.zeros(1, 3, 5, 32, 32), nothing).shape[2] == 2


def test_frames_that_are_not_finite_are_refused(latents: torch.Tensor) -> None:
    model = tiny.vae()
    with torch.no_grad():
        model.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(GenerationError, match="frames are not finite"):
        next(Vae(model, exact=True).decode(latents, nothing))


def test_faster_convolutions_change_one_module_only(latents: torch.Tensor) -> None:
    plain, fast = tiny.vae(), tiny.vae()
    assert speed_up(fast.decoder) > 0
    assert "_conv_forward" not in vars(plain.decoder.conv_in)
    with torch.inference_mode():
        assert (plain.decode(latents).sample - fast.decode(latents).sample).abs().max() < 1e-4


def patched_vae() -> Any:
    """A VAE that folds 2 x 2 pixels into channels before its first layer."""
    from diffusers import AutoencoderKLWan

    torch.manual_seed(0)
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=16,
        dim_mult=[1, 1, 2],
        num_res_blocks=1,
        temperal_downsample=[True, True],
        in_channels=12,
        out_channels=12,
        patch_size=2,
    ).eval()


def test_the_shipped_vae_gives_latents_of_the_size_it_names() -> None:
    folder = Path(wangp_cli.__file__).parent / "starter" / "vae"
    vae = Vae(AutoencoderKLWan.from_pretrained(folder).eval(), exact=True)
    latents = vae.encode(torch.rand(1, 3, 5, 32, 48), nothing)
    assert latents.shape == (1, vae.channels, vae.latent_frames(5), 32 // vae.spatial, 48 // vae.spatial)
    assert vae.spatial == 8
