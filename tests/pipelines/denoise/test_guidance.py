"""Guidance formulas against plain computations, and what each does to a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.wan import MINIMAL_INPUTS, denoised
from wangp_cli.errors import RequestError
from wangp_cli.pipelines.base import Inputs, Placement
from wangp_cli.pipelines.denoise import guidance
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.pipelines.wan import nag


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (1, 4, 3, 2, 5)), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", MINIMAL_INPUTS)
@pytest.mark.parametrize(
    "how",
    [
        {"cfg_zero": True},
        {"cfg_zero": True, "zero_init_steps": 1},
        {"apg": True},
        {"apg": True, "apg_momentum": 0.5},
        {"apg": True, "apg_norm_threshold": 0.01},
        {"skip_layers": (1,)},
        {"skip_layers": (0, 1), "skip_layer_start": 0.0, "skip_layer_stop": 1.0},
        {"nag_scale": 5.0},
        {"nag_scale": 20.0, "nag_tau": 1.0},
        {"nag_scale": 5.0, "nag_alpha": 1.0},
    ],
    ids=str,
)
def test_every_kind_of_guidance_changes_the_result_and_leaves_the_network_unchanged(
    loaded: Any, name: str, how: dict[str, Any]
) -> None:
    pipeline, inputs = loaded(name), MINIMAL_INPUTS[name]
    shot = tiny.shot_for(name, steps=3)
    plain = denoised(pipeline, shot, inputs)
    guided = denoised(pipeline, shot.replace(**how), inputs)
    assert torch.isfinite(guided).all()
    assert not torch.equal(plain, guided)
    first = dict(list(how.items())[:1])
    assert how == first or not torch.equal(guided, denoised(pipeline, shot.replace(**first), inputs))
    assert torch.equal(plain, denoised(pipeline, shot, inputs))


def kept(*first_and_last: int) -> Inputs:
    """A control video of nine frames of which these alone are given."""
    mask = tiny.clip(9, channels=1)
    frames = np.full_like(mask.frames, 255)
    frames[list(first_and_last)] = 0
    return Inputs(control=tiny.clip(9), mask=replace(mask, frames=frames))


@pytest.mark.parametrize("how", [{}, {"apg": True}, {"cfg_zero": True}], ids=str)
def test_given_pixels_can_be_left_out_of_guidance(loaded: Any, how: dict[str, Any]) -> None:
    pipeline, shot = loaded("vace"), tiny.shot(guide_given=False, **how)
    everywhere, unguided = shot.replace(guide_given=True), shot.replace(guidance_scale=1.0)
    for inputs, same in ((kept(*range(9)), unguided), (kept(), everywhere)):
        assert torch.equal(denoised(pipeline, shot, inputs), denoised(pipeline, same, inputs))
    partly = denoised(pipeline, shot, kept(0, 8))
    assert not torch.equal(partly, denoised(pipeline, everywhere, kept(0, 8)))
    assert not torch.equal(partly, denoised(pipeline, unguided, kept(0, 8)))


def test_only_vace_has_guidance_without_given_pixels(loaded: Any) -> None:
    with pytest.raises(RequestError, match="guide_given: false, but model 'tiny_t2v' has no such guidance"):
        loaded("t2v").encode(tiny.shot(guide_given=False), Inputs(), tiny.quiet)


def test_without_guidance_its_variants_do_nothing(loaded: Any) -> None:
    pipeline, shot = loaded("t2v"), tiny.shot(guidance_scale=1.0)
    plain = denoised(pipeline, shot, Inputs())
    for how in ({"cfg_zero": True, "zero_init_steps": 1}, {"apg": True}, {"skip_layers": (1,)}):
        assert torch.equal(plain, denoised(pipeline, shot.replace(**how), Inputs()))


def test_skipped_layers_have_a_window_of_steps(loaded: Any) -> None:
    pipeline, shot = loaded("t2v"), tiny.shot(steps=4, skip_layers=(1,))
    asked: list[int] = []
    hook = pipeline._networks[0].blocks[1].register_forward_hook(lambda *_: asked.append(1))
    try:
        counts = {}
        for window in ((0.0, 1.0), (0.0, 0.5), (0.5, 0.75), (0.1, 0.9)):
            asked.clear()
            denoised(pipeline, shot.replace(skip_layer_start=window[0], skip_layer_stop=window[1]), Inputs())
            counts[window] = len(asked)
    finally:
        hook.remove()
    assert counts == {(0.0, 1.0): 4, (0.0, 0.5): 6, (0.5, 0.75): 7, (0.1, 0.9): 5}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("phantom", {"cfg_zero": True}),
        ("phantom", {"apg": True}),
        ("phantom", {"skip_layers": (1,)}),
        ("t2v", {"image_guidance_scale": 4.0}),
    ],
)
def test_guidance_that_a_model_does_not_support_is_refused(
    loaded: Any, name: str, how: dict[str, Any]
) -> None:
    with pytest.raises(RequestError) as caught:
        loaded(name).encode(tiny.shot(**how), Inputs(), tiny.quiet)
    assert caught.value.field == next(iter(how))


def test_skipped_layers_beyond_the_last_are_refused(loaded: Any) -> None:
    with pytest.raises(RequestError, match="skip_layers: 9, but tiny_t2v has layers 0 to 1"):
        loaded("t2v").encode(tiny.shot(skip_layers=(1, 9)), Inputs(), tiny.quiet)


def test_a_network_is_restored_after_an_error_in_a_guided_pass(loaded: Any) -> None:
    network = loaded("t2v")._networks[0]
    before = list(network.blocks), [block.attn2.processor for block in network.blocks]
    with pytest.raises(RuntimeError, match="stop"), guidance.without_layers(network, (0,)):
        raise RuntimeError("stop")
    with pytest.raises(RuntimeError, match="stop"), nag.guiding(network, random(1, 1, 24, 32), 5, 3, 0.5):
        raise RuntimeError("stop")
    assert (list(network.blocks), [block.attn2.processor for block in network.blocks]) == before


@pytest.mark.parametrize("how", [{"nag_scale": 5.0}, {"skip_layers": (1,)}], ids=str)
def test_offloading_changes_nothing(checkpoint: Any, tmp_path: Path, how: dict[str, Any]) -> None:
    shot = tiny.shot_for("t2v_2_2", steps=3, **how)
    made = []
    for profile in ("1", "3", "5"):
        placement = Placement(profile=profile, work_dir=tmp_path)
        spec, folder = tiny.spec("t2v_2_2"), checkpoint("t2v_2_2")
        pipeline = wan_load.load(spec, folder, placement, [], tiny.Parts(), tiny.quiet)
        made.append(denoised(pipeline, shot, Inputs()))
    assert all(torch.equal(made[0], latents) for latents in made[1:])


def test_cfg_zero_star_scales_by_the_least_squares_factor() -> None:
    positive, negative = random(1), random(2) + 0.3
    c, u = (tensor.double().numpy().ravel() for tensor in (positive, negative))
    fit = guidance.cfg_zero_scale(positive, negative)
    assert fit.shape == (1, 1, 1, 1, 1)
    assert fit.item() == pytest.approx(c @ u / (u @ u), rel=1e-5)


def test_projected_guidance_is_that_of_a_plain_computation() -> None:
    positive, shot = random(3), tiny.shot(apg=True, apg_momentum=-0.75, apg_norm_threshold=5.0)
    guider = guidance.ClassifierFreeGuider(shot, positive, positive, nag=nag.guiding)
    average = np.zeros(positive.shape)
    for seed in (4, 5, 6):
        negative = random(seed)
        c, u = positive.double().numpy(), negative.double().numpy()
        average = (c - u) - 0.75 * average
        wanted = np.empty_like(c)
        for frame in range(c.shape[2]):
            away, along = average[:, :, frame].copy(), c[:, :, frame]
            away *= min(1.0, 5.0 / np.linalg.norm(away))
            away -= (away * along).sum() / (along * along).sum() * along
            wanted[:, :, frame] = along + (7.0 - 1) * away
        found = guider._adaptive_projected_guidance(positive, negative, 7.0)
        assert np.allclose(found.numpy(), wanted, atol=1e-4)


def test_projected_guidance_has_no_part_along_the_positive_velocity() -> None:
    away, positive = random(1), random(2)
    update = guidance.orthogonal_part(away, positive)
    assert (update * positive).sum(dim=guidance.FRAME_AXES).abs().max() < 1e-4
    assert torch.equal(guidance.limit_norm(away, 0), away)
    lengths = torch.linalg.vector_norm(guidance.limit_norm(away, 2.0), dim=guidance.FRAME_AXES)
    assert lengths.tolist() == [pytest.approx([2.0] * 3)]
