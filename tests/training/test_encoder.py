from __future__ import annotations

import random

import pytest
import torch
from diffusers import AutoencoderKLWan

from training.starter.autoencoder import CONTENT_CHANNELS, decode_clip, encode_clip
from training.starter.data import LinearEncoder, ScenePool, known_part, pack_mask, random_keep
from training.starter.encoder import build_autoencoder
from training.starter.fast import FastDenoiser, to_latents, to_tokens
from training.starter.networks import make_denoiser, pad_bias
from training.starter.world import draw, sample_scene


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    rng = random.Random(3)
    return draw([sample_scene(rng, spread=0.6) for _ in range(16)])


@pytest.fixture(scope="module")
def vae(clips: torch.Tensor) -> AutoencoderKLWan:
    return build_autoencoder(clips).requires_grad_(False).eval()


@pytest.mark.slow
def test_encoding_at_once_equals_the_chunked_path(vae: AutoencoderKLWan, clips: torch.Tensor) -> None:
    chunked = vae.encode(clips[:2]).latent_dist.mode()
    assert (encode_clip(vae, clips[:2]) - chunked).abs().max() < 1e-4


@pytest.mark.slow
def test_decoding_at_once_equals_the_chunked_path(vae: AutoencoderKLWan, clips: torch.Tensor) -> None:
    latents = encode_clip(vae, clips[:1])
    chunked = vae.decode(latents).sample
    assert (decode_clip(vae, latents).clamp(-1, 1) - chunked).abs().max() < 1e-4


def test_a_gray_clip_holds_position_and_nothing_else(vae: AutoencoderKLWan) -> None:
    code = encode_clip(vae, torch.zeros(1, 3, 17, 96, 96))[0]
    assert code[:CONTENT_CHANNELS].abs().max() == 0
    across, down, time = code[CONTENT_CHANNELS:]
    ramp = torch.linspace(-1.5, 1.5, 12)
    assert torch.allclose(across[2, 5], ramp, atol=0.01)
    assert torch.allclose(down[2, :, 5], ramp, atol=0.01)
    assert torch.allclose(time[:, 5, 5], torch.linspace(-1.5, 1.5, 5), atol=0.01)


def test_position_is_the_same_in_every_clip(vae: AutoencoderKLWan, clips: torch.Tensor) -> None:
    code = encode_clip(vae, clips[:4])[:, CONTENT_CHANNELS:]
    gray = encode_clip(vae, torch.zeros(1, 3, 17, 96, 96))[:, CONTENT_CHANNELS:]
    assert (code - gray).abs().max() < 0.01


def test_the_encoder_is_two_matrices(vae: AutoencoderKLWan, clips: torch.Tensor) -> None:
    deviation = torch.tensor(vae.config.latents_std).view(-1, 1, 1, 1)
    wanted = (encode_clip(vae, clips[:2]) / deviation)[:, :CONTENT_CHANNELS]
    assert (LinearEncoder(vae)(clips[:2]) - wanted).abs().max() < 0.01


def test_a_latent_is_what_its_pixels_account_for_together(vae: AutoencoderKLWan) -> None:
    encode = LinearEncoder(vae)
    codes = torch.randn(2, CONTENT_CHANNELS, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    keep = (torch.rand(2, 17, 16, 16, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    keep[:, :, :8, 8:] = 1
    part, rest = encode.given_part(codes, keep), encode.given_part(codes, 1 - keep)
    assert (part + rest - codes).abs().max() < 1e-3
    assert (rest[..., 0, 1] == 0).all()
    assert (part[..., 1, 0] - codes[..., 1, 0]).abs().mean() > 0.1


def test_most_holes_cut_the_shape() -> None:
    drawn = torch.zeros(17, 48, 48)
    drawn[:, 4:16, 4:16] = 1
    rng = random.Random(0)
    kept = [random_keep(rng, drawn, holes=0.7) for _ in range(400)]
    holes = [keep for keep in kept if (keep == keep[0]).all()]
    assert 250 < len(holes) < 310
    cut = [keep for keep in holes if 0 < float((drawn * keep).sum()) < float(drawn.sum())]
    assert len(cut) > 0.65 * len(holes)


def test_stars_come_more_often_than_they_were_drawn(vae: AutoencoderKLWan) -> None:
    pool = ScenePool(vae, near=40, wide=0, side=16, rng=random.Random(0))
    stars = sum(scene.shape == "star" for scene in pool.scenes) / 40
    met = sum(pool.scenes[pool._draw(40)].shape == "star" for _ in range(4000)) / 4000
    assert 1.2 * stars < met < 1.5 * stars


def test_errors_count_at_given_pixels_alone(vae: AutoencoderKLWan) -> None:
    encode = LinearEncoder(vae)
    keep = torch.ones(1, 17, 16, 16)
    errors = torch.randn(1, CONTENT_CHANNELS, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    assert (encode.given_error(errors, keep * 0) == 0).all()
    everything = encode.given_error(errors, keep)
    assert everything.shape == (1, 5, 2, 2)
    assert 0.3 < everything.mean() < 3
    last = keep.clone()
    last[:, 1:16] = 0
    at_last = encode.given_error(errors, last)
    assert (at_last[:, 1:4] == 0).all()
    assert (at_last[:, 4] > 0).all()
    assert (at_last[:, 4] < everything[:, 4]).all()


def test_part_of_a_token_is_known() -> None:
    keep = torch.zeros(1, 5, 32, 16)
    keep[:, 0, :16] = 1
    keep[:, 4] = 1
    assert known_part(keep).flatten().tolist() == [1.0, 0.0, 0.25, 0.25]


def test_masks_are_packed_into_64_channels_of_the_nearest_frames() -> None:
    mask = torch.zeros(1, 17, 16, 16)
    mask[:, 5:] = 1
    packed = pack_mask(mask)
    assert packed.shape == (1, 64, 5, 2, 2)
    assert packed[0, :, :, 0, 0].mean(0).tolist() == [0, 1, 1, 1, 1]


def test_tokens_and_latents_are_the_same_numbers() -> None:
    latents = torch.randn(2, 13, 3, 4, 6)
    assert torch.equal(to_latents(to_tokens(latents), (3, 4, 6)), latents)


def test_the_fast_pass_equals_the_model() -> None:
    torch.manual_seed(0)
    model = make_denoiser().eval()
    with torch.no_grad():
        model.proj_out.weight.view(4, 16, -1)[:, :13] = 0.1 * torch.randn(4, 13, model.proj_out.in_features)
    noisy, control = torch.randn(1, 16, 3, 4, 4), torch.randn(1, 96, 3, 4, 4)
    words = torch.zeros(1, 20, 128)
    words[:, :7] = torch.randn(1, 7, 128)
    sigma = torch.tensor([0.7])
    padded = torch.cat([words, torch.zeros(1, 80, 128)], dim=1)
    with torch.no_grad():
        wanted = model(noisy, sigma * 1000, padded, control_hidden_states=control, return_dict=False)[0]
        fast = FastDenoiser(model, (3, 4, 4), compiled=False)
        padding = pad_bias(torch.tensor([7]), torch.tensor([100.0]))
        velocity = fast(to_tokens(noisy[:, :13]), sigma, words, padding, to_tokens(control))
    wanted = to_tokens(wanted[:, :13])
    assert float((velocity - wanted).norm() / wanted.norm()) < 0.03
