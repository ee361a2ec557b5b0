"""The generator of moving scenes tells the truth about them."""

from __future__ import annotations

import pytest
import torch

from tests.support.clips import psnr
from tests.support.moving_scenes import MovingScene
from wangp_cli.motion.flow import warp


@pytest.mark.parametrize("seed", range(4))
def test_a_frame_warped_by_the_exact_flow_is_the_other_frame_where_both_show_the_same(seed: int) -> None:
    scene = MovingScene(seed, layers=seed)
    warped = warp(scene.frame(1), scene.flow(0.5, 1))
    shared = scene.visible(0.5, 1).float()
    assert 0.5 < shared.mean() < 1
    middle = scene.frame(0.5)
    mixed = warped * shared + middle * (1 - shared)
    assert psnr(mixed.numpy(), middle.numpy()) > 33


def test_flow_there_and_back_ends_where_it_began() -> None:
    scene = MovingScene(7, layers=2)
    there = scene.flow(0, 1)
    error = (there + warp(scene.flow(1, 0), there)).norm(dim=1, keepdim=True)
    assert error[scene.visible(0, 1)].median() < 0.02


def test_alphas_of_all_layers_sum_to_one_and_move_with_the_layers() -> None:
    scene = MovingScene(3, layers=3, sway=40)
    for time in (0, 13):
        alphas = [scene.alpha(time, layer) for layer in range(4)]
        assert torch.allclose(sum(alphas[1:], alphas[0]), torch.ones(1))
    assert (scene.alpha(0, 3) - scene.alpha(13, 3)).abs().max() > 0.5


def test_a_swaying_scene_comes_back() -> None:
    scene = MovingScene(5, layers=2, sway=24)
    assert torch.allclose(scene.frame(0), scene.frame(24), atol=1e-3)
    assert (scene.frame(0) - scene.frame(6)).abs().mean() > 0.01
