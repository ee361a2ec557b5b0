"""Schedules: sigmas, phases, experts and the scheduler of each sampler."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support import tiny
from wangp_cli.pipelines.denoise.loop import noise_generator
from wangp_cli.pipelines.denoise.schedules import schedule
from wangp_cli.plan.phases import sigmas_of

SAMPLERS = ["unipc", "euler", "euler_ancestral", "dpm++", "causvid", "lcm"]


def made(steps: int, shift: float, sampler: str, *, experts: int = 1, **changes: Any) -> Any:
    shot = tiny.shot(steps=steps, flow_shift=shift, sampler=sampler, **changes)
    return schedule(shot, "cpu", experts=experts, generator=noise_generator(7))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_scheduler_follows_our_sigmas_to_zero(sampler: str) -> None:
    run = made(6, 5.0, sampler)
    assert len(run) == 6
    assert run.sigmas[:-1].tolist() == pytest.approx(sigmas_of(sampler, 6, 5.0), abs=2e-6)
    assert run.sigmas[-1] == 0
    assert (run.sigmas.diff() < 0).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_velocity_that_is_known_leads_to_its_clean_sample(sampler: str) -> None:
    """The field of one picture points from any noisy sample straight at it."""
    clean = torch.linspace(-1, 1, 32).view(1, 1, 2, 4, 4)
    for first in (1.0, 0.5):
        run = made(6, 5.0, sampler, denoising_strength=first)
        noise = torch.randn(clean.shape, generator=noise_generator(1))
        latents = run.sigmas[0] * noise + (1 - run.sigmas[0]) * clean
        scheduler = run.new_scheduler()
        for step, sigma in zip(run.steps, run.sigmas, strict=False):
            latents = scheduler.step((latents - clean) / sigma, step.timestep, latents, return_dict=False)[0]
        assert torch.allclose(latents, clean, atol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_sample_keeps_its_precision_whatever_the_network_has(sampler: str) -> None:
    run = made(4, 5.0, sampler)
    latents = torch.randn(1, 1, 1, 4, 4, generator=noise_generator(2))
    velocity = torch.ones_like(latents, dtype=torch.bfloat16)
    scheduler = run.new_scheduler()
    for step in run.steps:
        latents = scheduler.step(velocity, step.timestep, latents, return_dict=False)[0]
        assert latents.dtype == torch.float32


@pytest.mark.parametrize("sampler", ["euler_ancestral", "lcm"])
def test_noise_is_drawn_from_the_generator_of_the_run(sampler: str) -> None:
    def walked(seed: int) -> torch.Tensor:
        run = schedule(tiny.shot(sampler=sampler, steps=4), "cpu", generator=noise_generator(seed))
        latents = torch.zeros(1, 1, 1, 4, 4)
        step = run.steps[0]
        return run.new_scheduler().step(latents, step.timestep, latents, return_dict=False)[0]

    assert torch.equal(walked(1), walked(1))
    assert not torch.equal(walked(1), walked(2))


def test_ancestral_steps_keep_the_noise_at_the_level_of_the_schedule() -> None:
    """Of Gaussian data of standard deviation 2 the best prediction is known, and so is the spread."""
    run = made(300, 3.0, "euler_ancestral")
    latents = torch.randn(1, 1, 1, 100, 100, generator=noise_generator(4))
    scheduler = run.new_scheduler()
    for step, (sigma, following) in zip(run.steps, run.sigmas.unfold(0, 2, 1), strict=True):
        clean = latents * 4 * (1 - sigma) / (4 * (1 - sigma) ** 2 + sigma**2)
        latents = scheduler.step((latents - clean) / sigma, step.timestep, latents, return_dict=False)[0]
        wanted = (4 * (1 - following) ** 2 + following**2) ** 0.5
        assert latents.std() == pytest.approx(float(wanted), rel=0.06)


def test_steps_know_their_phase_and_its_guidance() -> None:
    phases = {"guidance_phases": 3, "switch_threshold": 883, "switch_threshold2": 558}
    scales = {"guidance_scale": 3.0, "guidance2_scale": 1.0}
    run = made(6, 5.0, "euler", experts=2, model_switch_phase=2, **phases, **scales)
    told = [(step.index, step.phase, step.phase_index, step.phase_steps, step.expert) for step in run.steps]
    assert told == [
        (0, 0, 0, 2, 0),
        (1, 0, 1, 2, 0),
        (2, 1, 0, 2, 0),
        (3, 1, 1, 2, 0),
        (4, 2, 0, 2, 1),
        (5, 2, 1, 2, 1),
    ]
    assert [step.guidance_scale for step in run.steps] == [3.0, 3.0, 1.0, 1.0, 1.0, 1.0]
    switched = made(6, 5.0, "euler", experts=2, model_switch_phase=1, **phases)
    assert [step.expert for step in switched.steps] == [0, 0, 1, 1, 1, 1]


def test_each_of_two_phases_has_its_expert() -> None:
    phases = {"guidance_phases": 2, "switch_threshold": 876, "model_switch_phase": 2}
    assert [step.expert for step in made(4, 3.0, "unipc", experts=2, **phases).steps] == [0, 0, 1, 1]
    assert [step.expert for step in made(4, 3.0, "unipc", **phases).steps] == [0, 0, 0, 0]


def test_a_run_that_starts_from_a_clip_keeps_the_numbers_of_its_steps() -> None:
    run = made(4, 3.0, "euler", denoising_strength=0.5)
    assert [(step.index, step.steps) for step in run.steps] == [(2, 4), (3, 4)]
    assert run.sigmas.tolist() == made(4, 3.0, "euler").sigmas[2:].tolist()
    assert len(made(4, 3.0, "euler", denoising_strength=0.0)) == 0


def test_many_steps_with_equal_timesteps_start_at_the_first() -> None:
    run = made(500, 50.0, "unipc")
    assert run.timesteps[0] == run.timesteps[1]
    sample = run.timesteps.new_zeros((1, 1)).float()
    scheduler = run.new_scheduler()
    scheduler.step(sample, run.timesteps[0], sample, return_dict=False)
    assert scheduler.step_index == 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_schedulers_of_one_run_are_independent(sampler: str) -> None:
    run = made(4, 5.0, sampler)
    noise = torch.randn(1, 1, 4, 4, generator=noise_generator(3))

    def sampled(*schedulers: Any) -> list[torch.Tensor]:
        latents = [noise] * len(schedulers)
        for step in run.steps:
            for index, scheduler in enumerate(schedulers):
                sample = latents[index]
                latents[index] = scheduler.step(0.3 * sample, step.timestep, sample, return_dict=False)[0]
        return latents

    [alone] = sampled(run.new_scheduler())
    if sampler not in ("euler_ancestral", "lcm"):  # which add noise, new to each
        assert all(torch.equal(alone, found) for found in sampled(run.new_scheduler(), run.new_scheduler()))
