"""The denoising loop: noise, progress, cancellation and the check for finite latents."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support import tiny
from wangp_cli.errors import Cancelled, GenerationError
from wangp_cli.pipelines.denoise.loop import add_noise, check_finite, draw_noise, noise_generator, sample
from wangp_cli.pipelines.denoise.schedules import schedule

SHAPE = (1, 2, 1, 2, 2)


def test_a_seed_gives_the_same_noise_each_time_and_another_seed_other_noise() -> None:
    first, again, other = (draw_noise(SHAPE, noise_generator(seed), "cpu") for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.dtype == torch.float32


def test_noise_levels_lead_from_the_clean_sample_to_the_noise() -> None:
    clean, noise = torch.full(SHAPE, 2.0), torch.full(SHAPE, -1.0)
    mixed = [add_noise(clean, noise, torch.tensor(sigma)) for sigma in (0.0, 0.25, 1.0)]
    assert [float(each.mean()) for each in mixed] == [2.0, 1.25, -1.0]


def test_every_step_is_made_once_and_reported_after_it() -> None:
    events: list[Any] = []

    def denoiser(latents: torch.Tensor, step: Any) -> torch.Tensor:
        events.append(step.index)
        return torch.zeros_like(latents)

    latents = draw_noise(SHAPE, noise_generator(0), "cpu")
    run = schedule(tiny.shot(steps=3, sampler="euler"), "cpu")
    made = sample(denoiser, run, latents, lambda *event: events.append(event))
    assert events == [0, ("denoise", 1, 3), 1, ("denoise", 2, 3), 2, ("denoise", 3, 3)]
    assert torch.equal(made, latents)


def test_an_error_raised_by_progress_ends_the_loop() -> None:
    calls: list[int] = []

    def denoiser(latents: torch.Tensor, step: Any) -> torch.Tensor:
        calls.append(step.index)
        return latents

    def progress(stage: str, done: int, total: int) -> None:
        if done == 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        sample(denoiser, schedule(tiny.shot(steps=5), "cpu"), torch.zeros(SHAPE), progress)
    assert calls == [0, 1]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_are_not_finite_end_the_loop_at_the_next_check(value: float) -> None:
    latents = torch.zeros(SHAPE)
    with pytest.raises(GenerationError, match="not finite after step 4 of 6"):
        sample(
            lambda latents, _: torch.full_like(latents, value),
            schedule(tiny.shot(steps=6, sampler="euler"), "cpu"),
            latents,
            tiny.quiet,
        )
    check_finite(latents, "before decoding")
