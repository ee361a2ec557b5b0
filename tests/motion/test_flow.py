"""Optical flow between two pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from wangp_cli.motion.flow import blur, flow_between, flows_between, reliability, warp


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    smooth = blur(noise, 2.0)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-7, 5), (16, -11)])
def test_a_shifted_picture_gives_its_shift(right: int, down: int) -> None:
    large = texture(97 + 40, 121 + 40)
    first = large[..., 20:117, 20:141]
    second = large[..., 20 - down : 117 - down, 20 - right : 141 - right]
    flow = flow_between(first, second)[..., 20:-20, 20:-20]
    wanted = torch.tensor([right, down], dtype=torch.float32)[None, :, None, None]
    assert (flow - wanted).norm(dim=1).mean() < 0.05


def test_equal_pictures_do_not_move() -> None:
    first = texture(64, 80)
    forward, backward = flows_between(first, first.clone())
    assert torch.cat([forward, backward]).abs().max() < 1e-4


def test_flat_pictures_do_not_move() -> None:
    flow = flow_between(torch.full((1, 3, 40, 40), 0.2), torch.full((1, 3, 40, 40), 0.8))
    assert flow.abs().max() < 1e-4


def test_both_directions_are_those_of_two_calls() -> None:
    large = texture(64, 90)
    first, second = large[..., 5:85], large[..., :80]
    forward, backward = flows_between(first, second)
    assert torch.allclose(forward, flow_between(first, second), atol=1e-4)
    assert torch.allclose(backward, flow_between(second, first), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 9), (13, 5), (49, 101)])
def test_pictures_of_any_size_have_a_flow(height: int, width: int) -> None:
    flow = flow_between(texture(height, width), texture(height, width, seed=1))
    assert flow.shape == (1, 2, height, width)
    assert flow.isfinite().all()


def test_a_warped_picture_takes_pixels_from_where_the_flow_points_and_repeats_the_border() -> None:
    picture = torch.arange(4.0)[None, None, None] / 4
    assert warp(picture, torch.zeros(1, 2, 1, 4)).equal(picture)
    right = torch.tensor([1.5, 0.0])[None, :, None, None].expand(1, 2, 1, 4)
    assert warp(picture, right)[0, 0, 0].tolist() == pytest.approx([1.5 / 4, 2.5 / 4, 3 / 4, 3 / 4])


def test_what_is_hidden_in_the_other_picture_is_not_reliable() -> None:
    background = texture(96, 96)
    first, second = background.clone(), background.clone()
    square = texture(24, 24, seed=2)
    first[..., 36:60, 30:54] = square
    second[..., 36:60, 42:66] = square
    trusted = reliability(first, second, *flows_between(first, second))[0, 0]
    assert trusted[8:24, 8:88].mean() > 0.95
    assert trusted[40:56, 34:50].mean() > 0.9
    assert trusted[40:56, 57:63].mean() < 0.4
