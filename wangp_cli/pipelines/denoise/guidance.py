"""Guidance: how the passes of one step become one velocity."""

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
    """Asks a network under a prompt, and away from a negative one; serves one run.

    Args:
        shot: says how.
        prompt: `[1, L, D]`.
        negative: the same for the negative prompt; None where nothing needs it.
        nag: context in which a network's attention is guided away from a negative prompt, given the network,
            that prompt, and the scale, tau and alpha of the shot.
        boost: ask under both in one pass, where they ask the same network.
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
        """The guided velocity of one step, and the one under the prompt that it began with."""
        scale, shot, away_from = call.step.guidance_scale, self._shot, self.negative_prompt_at(call)
        if away_from is None:
            positive = self.predict_positive(call)
            return GuidedPrediction(velocity=positive, positive=positive)
        if shot.cfg_zero and call.step.index < shot.zero_init_steps:
            return GuidedPrediction(velocity=torch.zeros_like(call.latents))
        positive, negative = self.predict_both(call, away_from)
        velocity = self._guide(positive, negative, scale)
        if not shot.guide_given and call.condition.given is not None:
            velocity = torch.where(call.condition.given, positive, velocity)
        return GuidedPrediction(velocity=velocity, positive=positive)

    def negative_prompt_at(self, call: NetworkCall) -> torch.Tensor | None:
        """The negative prompt, in a step that is guided away from it."""
        return self.negative if call.step.guidance_scale > 1 else None

    def predict_both(self, call: NetworkCall, negative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocities under the prompt and under the negative one."""
        other = call.condition.negative_condition
        if self._boost and other is not call.condition:
            log.warning("boost: the negative prompt comes with other pictures, so each has its own pass")
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
        """The velocity under the prompt."""
        shot = self._shot
        if self.negative is None or shot.nag_scale <= 1:
            return call.predict(self.prompt)
        with self._nag(call.network, self.negative, shot.nag_scale, shot.nag_tau, shot.nag_alpha):
            return call.predict(self.prompt)

    def _skips_layers(self, call: NetworkCall) -> bool:
        """Whether the step leaves layers out under the negative prompt."""
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
        away = (positive - negative).float()
        if self._momentum is not None:
            away = away + self._shot.apg_momentum * self._momentum
        self._momentum = away
        update = orthogonal_part(limit_norm(away, self._shot.apg_norm_threshold), positive.float())
        return (positive + (scale - 1) * update).to(positive.dtype)


def classifier_free_guidance(positive: torch.Tensor, negative: torch.Tensor, scale: float) -> torch.Tensor:
    """Velocity moved away from the negative prompt's.

    Source: Ho and Salimans 2022, arXiv:2207.12598, classifier-free guidance.
    """
    return negative + scale * (positive - negative)


def cfg_zero_scale(positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
    """The factor that brings the negative velocity nearest to the positive one, `[1, 1, 1, 1, 1]`.

    Source: Fan et al. 2025, arXiv:2503.18886, CFG-Zero*.
    """
    c, u = positive.float().flatten(1), negative.float().flatten(1)
    factor = (c * u).sum(1) / (u * u).sum(1).clamp_min(1e-8)
    return factor.view(-1, *[1] * (positive.ndim - 1)).to(positive.dtype)


def limit_norm(away: torch.Tensor, longest: float) -> torch.Tensor:
    """A guidance direction, each latent frame of it no longer than `longest`; 0 leaves it as it is.

    Source: Sadat et al. 2024, arXiv:2410.02416, adaptive projected guidance, with the norm of each frame.
    """
    if longest <= 0:
        return away
    return away * (longest / _frame_norm(away)).clamp_max(1)


def orthogonal_part(away: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """The part of a guidance direction that is orthogonal to the positive velocity, frame by frame.

    Source: Sadat et al. 2024, arXiv:2410.02416; the parallel part is what oversaturates.
    """
    along = positive / _frame_norm(positive)
    return away - (away * along).sum(dim=FRAME_AXES, keepdim=True) * along


def _frame_norm(velocity: torch.Tensor) -> torch.Tensor:
    """The norm of each latent frame, never 0."""
    norm: torch.Tensor = torch.linalg.vector_norm(velocity, dim=FRAME_AXES, keepdim=True)
    return norm.clamp_min(1e-8)


class _SkippedBlock(torch.nn.Module):  # type: ignore[misc] # torch has no types here
    """Stands for a layer that is left out."""

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return hidden_states


@contextmanager
def without_layers(network: Any, layers: Collection[int]) -> Iterator[None]:
    """A context in which a transformer's layers of these numbers pass on what they get.

    Source: skip-layer guidance, as Stability AI's SD3.5 and WanGP have it: a negative pass that lacks what
    these layers know.
    """
    kept = {layer: network.blocks[layer] for layer in layers}
    try:
        for layer in layers:
            network.blocks[layer] = _SkippedBlock()
        yield
    finally:
        for layer, block in kept.items():
            network.blocks[layer] = block
