"""Classifier-free guidance and its variants: CFG-Zero*, APG, skip-layer guidance, NAG."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.pipelines.denoise.condition import GuidedPrediction, NetworkCall

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager

    from wangp_cli.tasks.guidance import Guidance

    NormalisedAttentionGuidance = Callable[
        [Any, torch.Tensor, float, float, float], AbstractContextManager[None]
    ]

log = logging.getLogger(__name__)

FRAME_AXES = (1, 3, 4)
"""The axes of one latent frame of `[1, C, t, h, w]`."""


class ClassifierFreeGuider:
    """Classifier-free guidance for the steps of one run.

    Args:
        shot: scales and variants of guidance.
        prompt: `[1, L, D]`.
        negative: `[1, L, D]`, the negative prompt; None where no step uses it.
        nag: makes a context with normalised attention guidance, from a network, the negative prompt, and the
            scale, tau and alpha of the shot.
        boost: compute both prompts in one batch, where both have the same condition.
    """

    def __init__(
        self,
        shot: Guidance,
        prompt: torch.Tensor,
        negative: torch.Tensor | None,
        *,
        nag: NormalisedAttentionGuidance,
        boost: bool = False,
    ) -> None:
        self._nag = nag
        self.prompt = prompt
        self.negative = negative
        self._shot = shot
        self._momentum: torch.Tensor | None = None
        self._boost = boost and shot.nag_scale <= 1
        if boost and not self._boost:
            log.warning("boost: NAG changes one branch alone, so each has its own pass")

    def __call__(self, call: NetworkCall) -> torch.Tensor:
        """The guided velocity of one step; one pass where the step's guidance is 1 or less."""
        return self.predict(call).velocity

    def predict(self, call: NetworkCall) -> GuidedPrediction:
        """The guided velocity of one step, with the velocity predicted for the prompt alone."""
        scale, shot, negative_prompt = call.step.guidance_scale, self._shot, self.negative_prompt_at(call)
        if negative_prompt is None:
            positive = self.predict_positive(call)
            return GuidedPrediction(velocity=positive, positive=positive)
        if shot.cfg_zero and call.step.index < shot.zero_init_steps:
            return GuidedPrediction(velocity=torch.zeros_like(call.latents))
        positive, negative = self.predict_both(call, negative_prompt)
        velocity = self._guide(positive, negative, scale)
        if not shot.guide_given and call.condition.given_mask is not None:
            velocity = torch.where(call.condition.given_mask, positive, velocity)
        return GuidedPrediction(velocity=velocity, positive=positive)

    def negative_prompt_at(self, call: NetworkCall) -> torch.Tensor | None:
        """The embedded negative prompt; None where the step's guidance is 1 or less."""
        return self.negative if call.step.guidance_scale > 1 else None

    def predict_both(self, call: NetworkCall, negative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocities predicted for the prompt and for the negative prompt."""
        other = call.condition.negative_condition
        if self._boost and other is not call.condition:
            log.warning("boost: the negative prompt is conditioned on other images, so each has its own pass")
            self._boost = False
        if self._boost and not self._skips_layers(call):
            return call.predict_pair(self.prompt, negative)
        positive = self.predict_positive(call)
        with (
            without_layers(call.network, self._shot.skip_layers)
            if self._skips_layers(call)
            else nullcontext()
        ):
            return positive, call.predict(negative, other)

    def predict_positive(self, call: NetworkCall) -> torch.Tensor:
        """The velocity predicted for the prompt, with NAG if the shot has it."""
        shot = self._shot
        if self.negative is None or shot.nag_scale <= 1:
            return call.predict(self.prompt)
        with self._nag(call.network, self.negative, shot.nag_scale, shot.nag_tau, shot.nag_alpha):
            return call.predict(self.prompt)

    def _skips_layers(self, call: NetworkCall) -> bool:
        """Whether the pass with the negative prompt leaves layers out in this step."""
        first, end = self._shot.skip_layer_span(call.step.steps)
        return bool(self._shot.skip_layers) and first <= call.step.index < end

    def _guide(self, positive: torch.Tensor, negative: torch.Tensor, scale: float) -> torch.Tensor:
        if self._shot.apg:
            return self._adaptive_projected_guidance(positive, negative, scale)
        if self._shot.cfg_zero:
            negative = cfg_zero_scale(positive, negative) * negative
        return classifier_free_guidance(positive, negative, scale)

    def _adaptive_projected_guidance(
        self, positive: torch.Tensor, negative: torch.Tensor, scale: float
    ) -> torch.Tensor:
        direction = (positive - negative).float()
        if self._momentum is not None:
            direction = direction + self._shot.apg_momentum * self._momentum
        self._momentum = direction
        update = orthogonal_part(limit_norm(direction, self._shot.apg_norm_threshold), positive.float())
        return (positive + (scale - 1) * update).to(positive.dtype)


def classifier_free_guidance(positive: torch.Tensor, negative: torch.Tensor, scale: float) -> torch.Tensor:
    """Classifier-free guidance: the negative velocity moved by `scale` towards the positive one.

    Source: Ho and Salimans 2022, arXiv:2207.12598, classifier-free guidance.
    """
    return negative + scale * (positive - negative)


def cfg_zero_scale(positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
    """The least-squares factor of the negative velocity to fit the positive one, `[1, 1, 1, 1, 1]`.

    Source: Fan et al. 2025, arXiv:2503.18886, CFG-Zero*.
    """
    c, u = positive.float().flatten(1), negative.float().flatten(1)
    factor = (c * u).sum(1) / (u * u).sum(1).clamp_min(1e-8)
    return factor.view(-1, *[1] * (positive.ndim - 1)).to(positive.dtype)


def limit_norm(direction: torch.Tensor, limit: float) -> torch.Tensor:
    """A guidance direction, scaled down so that no latent frame's norm is above `limit`; 0 is no limit.

    Source: Sadat et al. 2024, arXiv:2410.02416, adaptive projected guidance, with the norm of each frame.
    """
    if limit <= 0:
        return direction
    return direction * (limit / _frame_norm(direction)).clamp_max(1)


def orthogonal_part(direction: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """The part of a guidance direction that is orthogonal to the positive velocity, frame by frame.

    Source: Sadat et al. 2024, arXiv:2410.02416; the parallel part is what oversaturates.
    """
    unit = positive / _frame_norm(positive)
    return direction - (direction * unit).sum(dim=FRAME_AXES, keepdim=True) * unit


def _frame_norm(velocity: torch.Tensor) -> torch.Tensor:
    """The L2 norm of each latent frame, at least 1e-8."""
    norm: torch.Tensor = torch.linalg.vector_norm(velocity, dim=FRAME_AXES, keepdim=True)
    return norm.clamp_min(1e-8)


class _SkippedBlock(torch.nn.Module):  # type: ignore[misc] # torch has no types here
    """Replaces a transformer block by the identity."""

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return hidden_states


@contextmanager
def without_layers(network: Any, layers: Collection[int]) -> Iterator[None]:
    """A context in which a transformer's blocks of these indices are the identity.

    Source: skip-layer guidance of Stability AI's SD3.5 and of WanGP, which leave layers out of the pass with
    the negative prompt.
    """
    kept = {layer: network.blocks[layer] for layer in layers}
    try:
        for layer in layers:
            network.blocks[layer] = _SkippedBlock()
        yield
    finally:
        for layer, block in kept.items():
            network.blocks[layer] = block
