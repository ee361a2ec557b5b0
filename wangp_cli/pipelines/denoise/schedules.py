"""Noise schedules: the steps of a run and the diffusers scheduler of each sampler."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchLCMScheduler,
    UniPCMultistepScheduler,
)

from wangp_cli.pipelines.denoise.steps import Step
from wangp_cli.plan.phases import TRAINING_STEPS, sigmas_of, start_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wangp_cli.tasks.shot import Sampler, Sampling


_NOISY = ("euler_ancestral", "lcm")
"""Samplers that add noise in each step."""


class Scheduler(Protocol):
    """The part of a diffusers scheduler that the denoising loop uses."""

    def step(
        self, model_output: torch.Tensor, timestep: torch.Tensor, sample: torch.Tensor, *, return_dict: bool
    ) -> tuple[torch.Tensor, ...]:
        """The sample at the next sigma."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """The steps of one run.

    Args:
        steps: to make, in order.
        sigmas: float32 `[len(steps) + 1]`, falling to 0.
        new_scheduler: makes a scheduler; each keeps a history of steps, so it serves one sample only.
        generator: of the noise that the sampler adds.
    """

    steps: Sequence[Step]
    sigmas: torch.Tensor
    new_scheduler: Callable[[], Scheduler]
    generator: torch.Generator | None = None

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def timesteps(self) -> torch.Tensor:
        """The timestep of each step, 0 to 1000."""
        return torch.stack([step.timestep for step in self.steps])


def schedule(
    shot: Sampling, device: str, *, experts: int = 1, generator: torch.Generator | None = None
) -> Schedule:
    """A fresh schedule for one run.

    Args:
        shot: sampler, steps and phases; a denoising strength below 1 leaves the first steps out.
        device: of the timesteps.
        experts: number of transformers of the model.
        generator: of the noise that the sampler adds.
    """
    first = start_step(shot.steps, shot.denoising_strength)

    def new_scheduler() -> Any:
        scheduler = _scheduler(shot.sampler, shot.steps, shot.flow_shift, device)
        # Otherwise the scheduler finds its position by timestep, and may take the second of two equal ones.
        scheduler.set_begin_index(first)
        if shot.sampler in _NOISY:
            scheduler.step = partial(scheduler.step, generator=generator)
        return scheduler

    scheduler = new_scheduler()
    steps = [
        Step(
            index=start + index,
            steps=shot.steps,
            phase=phase,
            phase_index=index,
            phase_steps=length,
            expert=shot.expert_of(phase) if experts > 1 else 0,
            timestep=scheduler.timesteps[start + index],
            guidance_scale=shot.guidance_of(phase),
        )
        for phase, (start, length) in enumerate(shot.phase_spans)
        for index in range(length)
    ]
    return Schedule(
        steps=steps[first:], sigmas=scheduler.sigmas[first:], new_scheduler=new_scheduler, generator=generator
    )


def _scheduler(sampler: Sampler, steps: int, shift: float, device: str) -> Any:
    """The diffusers scheduler of a sampler, with our sigmas set."""
    sigmas = np.array(sigmas_of(sampler, steps, shift))
    scheduler: Any
    if sampler in ("euler", "causvid", "lcm"):
        kind = FlowMatchLCMScheduler if sampler == "lcm" else FlowMatchEulerDiscreteScheduler
        scheduler = kind(num_train_timesteps=TRAINING_STEPS, shift=1.0)
        scheduler.set_timesteps(sigmas=sigmas, device=device)
        scheduler.step = _precise(scheduler.step)
    elif sampler == "unipc":
        scheduler = UniPCMultistepScheduler(**_flow(), flow_shift=1.0)
        scheduler.set_timesteps(sigmas=sigmas, device=device)
    else:
        # SDE-DPM-Solver++ of first order is ancestral Euler. Source: Lu et al. 2022, arXiv:2211.01095.
        noisy = {"algorithm_type": "sde-dpmsolver++", "solver_order": 1} if sampler in _NOISY else {}
        scheduler = DPMSolverMultistepScheduler(**_flow(), **noisy)
        scheduler.set_timesteps(steps, device=device)
        # This scheduler takes a number of steps and computes its own sigmas; ours replace them.
        scheduler.sigmas = torch.from_numpy(np.append(sigmas, 0)).float()
        scheduler.timesteps = torch.from_numpy(sigmas * TRAINING_STEPS).to(device, torch.int64)
    return scheduler


def _precise(step: Callable[..., Any]) -> Callable[..., Any]:
    """A scheduler's step that keeps the sample in float32 instead of rounding it to the network's dtype."""

    def precise(velocity: torch.Tensor, *more: Any, **options: Any) -> Any:
        return step(velocity.float(), *more, **options)

    return precise


def _flow() -> dict[str, Any]:
    return {
        "num_train_timesteps": TRAINING_STEPS,
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
    }
