"""Noise levels of a run and its guidance phases."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from wangp_cli.errors import RequestError

TRAINING_STEPS = 1000
"""Sigma 1 is timestep 1000 in every Wan model."""
CAUSVID = (1000, 934, 862, 756, 603, 410, 250, 140, 74)
"""The timesteps that CausVid's student was distilled for."""
MOST_STEPS = {"causvid": len(CAUSVID), "lcm": 8}
"""Samplers for models that were distilled to few steps."""


def shift_sigma(sigma: float, shift: float) -> float:
    """Move a noise level towards high noise; a shift of 1 leaves it unchanged.

    Source: Esser et al. 2024, arXiv:2403.03206, resolution-dependent shift.
    """
    return shift * sigma / (1 + (shift - 1) * sigma)


def sigmas_of(sampler: str, steps: int, shift: float) -> list[float]:
    """The noise levels of the steps of a run, falling from about 1.

    `euler` ends close to 0 and thus repeats almost clean latents once; the others divide the range into one
    more part and leave out the last; `causvid` has its own, whatever the shift. Source: the schedules of the
    Wan 2.1 reference code and WanGP.

    Raises:
        RequestError: the sampler is for fewer steps.
    """
    check_steps(sampler, steps)
    least = 1 / TRAINING_STEPS
    if sampler == "causvid":
        return [timestep / TRAINING_STEPS for timestep in CAUSVID[:steps]]
    if sampler == "euler":
        levels = _linear(1.0, least, steps)
    elif sampler == "unipc":
        levels = _linear(1.0, least, steps + 1)[:-1]
    else:
        levels = _linear(1.0, 0.0, steps + 1)[:-1]
    return [shift_sigma(level, shift) for level in levels]


def check_steps(sampler: str, steps: int) -> None:
    """Refuse more steps than a sampler has.

    Raises:
        RequestError: naming the most.
    """
    if steps > (most := MOST_STEPS.get(sampler, steps)):
        raise RequestError(
            "steps", f"{steps}, but the sampler {sampler} has at most {most}", hint=f"--steps {most}"
        )


def timesteps_of(sampler: str, steps: int, shift: float) -> list[float]:
    """The noise levels as timesteps, 0 to 1000."""
    return [sigma * TRAINING_STEPS for sigma in sigmas_of(sampler, steps, shift)]


def phase_lengths(timesteps: Sequence[float], thresholds: Sequence[float]) -> list[int]:
    """Steps in each phase: the first step at or below a threshold begins the next phase.

    Args:
        timesteps: falling.
        thresholds: falling, one fewer than phases.
    """
    starts = [sum(timestep > threshold for timestep in timesteps) for threshold in thresholds]
    edges = [0, *starts, len(timesteps)]
    return [end - start for start, end in pairwise(edges)]


def thresholds_between(timesteps: Sequence[float], lengths: Sequence[int]) -> list[float]:
    """Thresholds that cut a run into phases of these lengths: each in the middle between two steps.

    Raises:
        RequestError: the lengths are not those of the run.
    """
    if sum(lengths) != len(timesteps):
        raise RequestError("steps_per_phase", f"{list(lengths)} are not {len(timesteps)} steps in all")
    thresholds, begin = [], 0
    for length in lengths[:-1]:
        begin += length
        after = timesteps[begin] if begin < len(timesteps) else 0.0
        before = timesteps[begin - 1] if begin else float(TRAINING_STEPS)
        thresholds.append((before + after) / 2)
    return thresholds


def start_step(steps: int, strength: float) -> int:
    """The first step of a run that begins with a clip rather than with noise.

    Args:
        steps: of a whole run.
        strength: 1 makes all of them, 0 none.

    Source: WanGP's `denoising_strength`.
    """
    return round(round(steps * (1 - strength), 4))


def _linear(first: float, last: float, count: int) -> list[float]:
    """Evenly spaced numbers; the very ones that numpy's `linspace` gives."""
    if count == 1:
        return [first]
    step = (last - first) / (count - 1)
    return [index * step + first for index in range(count - 1)] + [last]
