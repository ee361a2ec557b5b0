from __future__ import annotations

import torch

from wangp_cli.networks.rife.warp import pad_to_multiple, resize, warp


def test_a_warp_samples_at_the_pixel_plus_its_flow_and_repeats_the_border() -> None:
    picture = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0], flow[:, 1] = 1.5, 1
    assert warp(picture, flow)[0, 0].tolist() == [[5.5, 6.5, 7, 7], [9.5, 10.5, 11, 11], [9.5, 10.5, 11, 11]]


def test_a_warp_in_half_precision_moves_by_the_exact_flow() -> None:
    picture = torch.rand(1, 3, 8, 4096)
    flow = torch.zeros(1, 2, 8, 4096)
    flow[:, 0] = 1
    half = warp(picture.half(), flow)
    assert half.dtype == torch.float16
    assert torch.allclose(half[..., :-1], picture.half()[..., 1:], atol=2e-3)


def test_padding_adds_zeros_at_the_right_and_at_the_bottom() -> None:
    padded = pad_to_multiple(torch.ones(1, 3, 5, 8), 4)
    assert padded.shape == (1, 3, 8, 8)
    assert padded[:, :, :5].eq(1).all()
    assert padded[:, :, 5:].eq(0).all()


def test_resizing_by_one_is_nothing() -> None:
    picture = torch.rand(1, 1, 4, 4)
    assert resize(picture, 1.0) is picture
    assert resize(picture, 0.5).shape == (1, 1, 2, 2)
