# mypy: allow-untyped-decorators, allow-subclassing-any
"""The Muon optimiser, a learning rate schedule, and the exponential moving average of weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class Muon(torch.optim.Optimizer):
    """Momentum SGD with orthogonalised updates, computed in one batch for parameters of one shape.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float = 0.02, momentum: float = 0.95) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # noqa: ARG002 (the signature of torch.optim.Optimizer)
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    rows = parameter.shape[0]
                    by_shape.setdefault((rows, parameter.numel() // rows), []).append(parameter)
            for (rows, columns), parameters in by_shape.items():
                updates = [
                    self._momentum(parameter, group["momentum"]).reshape(rows, columns)
                    for parameter in parameters
                ]
                scale = max(1.0, rows / columns) ** 0.5
                for parameter, update in zip(parameters, orthogonalise(torch.stack(updates)), strict=True):
                    parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * scale)

    def _momentum(self, parameter: Tensor, momentum: float) -> Tensor:
        state = self.state[parameter]
        if "average" not in state:
            state["average"] = torch.zeros_like(parameter)
        state["average"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(state["average"], momentum)


def orthogonalise(matrices: Tensor, rounds: int = 5) -> Tensor:
    """Approximately the nearest orthogonal matrices, by Newton-Schulz iteration in bfloat16.

    Args:
        matrices: float32 [N, rows, columns].
    """
    first, second, third = 3.4445, -4.7750, 2.0315
    result = (matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)).bfloat16()
    tall = result.shape[-2] > result.shape[-1]
    result = result.mT if tall else result
    for _ in range(rounds):
        gram = result @ result.mT
        result = first * result + (second * gram + third * gram @ gram) @ result
    return (result.mT if tall else result).float()


def rate(progress: float, step: int, *, warmup: int, hold: float) -> float:
    """Factor of the learning rate: linear warm-up, constant until `hold`, then a cosine to 0.02."""
    fall = (
        1.0 if progress < hold else 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - hold) / (1 - hold))))
    )
    return min(1.0, (step + 1) / warmup) * fall * 0.98 + 0.02


class Average:
    """Exponential moving average of parameters; its decay starts low, to forget initial values."""

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self.parameters = list(parameters)
        self.values = [parameter.detach().clone() for parameter in self.parameters]
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Update the average with the current values."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        torch._foreach_lerp_(self.values, [parameter.detach() for parameter in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average and the current values."""
        for value, parameter in zip(self.values, self.parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(kept)
