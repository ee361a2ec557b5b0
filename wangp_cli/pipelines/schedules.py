"""Noise schedules: the sigmas each sampler walks through, and the solver that walks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from wangp_cli.pipelines.sampling import Step

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from wangp_cli.tasks.shot import Sampler

TRAINING_STEPS = 1000
"""Sigma 1 is timestep 1000 in every Wan model."""


class Solver(Protocol):
    """The part of a diffusers scheduler that a sampling loop needs."""

    def step(
        self, model_output: torch.Tensor, timestep: torch.Tensor, sample: torch.Tensor, *, return_dict: bool
    ) -> tuple[torch.Tensor, ...]:
        """The sample at the next sigma."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """The steps of one run.

    Args:
        timesteps: `[N]`, falling, 0 to 1000; what the model is told.
        sigmas: float32 `[N + 1]`, falling to 0; what the solver computes with.
        solver: holds the run's history, so it serves one run only.
        guidance_scale: of the run.
    """

    timesteps: torch.Tensor
    sigmas: torch.Tensor
    solver: Solver
    guidance_scale: float = 1.0

    def __len__(self) -> int:
        return len(self.timesteps)

    @property
    def steps(self) -> list[Step]:
        """The steps in order."""
        count = len(self)
        return [
            Step(
                index=index,
                steps=count,
                phase=0,
                phase_index=index,
                phase_steps=count,
                expert=0,
                timestep=timestep,
                guidance_scale=self.guidance_scale,
            )
            for index, timestep in enumerate(self.timesteps)
        ]


def shift_sigmas(sigmas: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Move a noise schedule towards high noise.

    Args:
        sigmas: float64 `[N]`, falling from 1 to 0.
        shift: 1 leaves the schedule unchanged.

    Source: Esser et al. 2024, arXiv:2403.03206, resolution-dependent shift.
    """
    return shift * sigmas / (1 + (shift - 1) * sigmas)


def sigmas_of(sampler: Sampler, steps: int, shift: float) -> NDArray[np.float64]:
    """The sigmas at which the model is asked, float64 `[steps]`, falling.

    `euler` ends close to 0 and thus repeats almost clean latents once; `unipc` and `dpm++` divide the range
    into one more part and leave out the last. Source: the schedules of the Wan 2.1 reference code and WanGP.
    """
    if sampler == "euler":
        return shift_sigmas(np.linspace(1, 1 / TRAINING_STEPS, steps), shift)
    if sampler == "unipc":
        return shift_sigmas(np.linspace(1, 1 / TRAINING_STEPS, steps + 1)[:-1], shift)
    return shift_sigmas(np.linspace(1 - 1 / TRAINING_STEPS, 0, steps + 1)[:-1], shift)


def schedule(
    sampler: Sampler, steps: int, shift: float, device: str, *, guidance_scale: float = 1.0
) -> Schedule:
    """A fresh schedule and solver for one run.

    Args:
        sampler: which solver.
        steps: model steps, 1 or more.
        shift: as in `shift_sigmas`.
        device: where the timesteps lie.
        guidance_scale: of the run.
    """
    sigmas = sigmas_of(sampler, steps, shift)
    solver: Any
    if sampler == "euler":
        solver = FlowMatchEulerDiscreteScheduler(num_train_timesteps=TRAINING_STEPS, shift=1.0)
        solver.set_timesteps(sigmas=sigmas, device=device)
    elif sampler == "unipc":
        solver = UniPCMultistepScheduler(**_flow(), flow_shift=1.0)
        solver.set_timesteps(sigmas=sigmas, device=device)
    else:
        # This solver takes no sigmas, only the shift; a test holds that it walks the same ones.
        solver = DPMSolverMultistepScheduler(**_flow(), flow_shift=shift)
        solver.set_timesteps(steps, device=device)
    # Without it the solver looks its position up by timestep and may take the second of two equal ones.
    solver.set_begin_index(0)
    return Schedule(
        timesteps=solver.timesteps, sigmas=solver.sigmas, solver=solver, guidance_scale=guidance_scale
    )


def _flow() -> dict[str, Any]:
    return {
        "num_train_timesteps": TRAINING_STEPS,
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
    }
