"""Speech as a Wan network hears it: what wav2vec 2.0 makes of a recording, shown to every block's attention.

B batch, t latent frames, N tokens of the video, L features of the recording, W features that a latent frame
hears, H heads, D width of a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.functional import pad, scaled_dot_product_attention

from wangp_cli.media.audio import mix, resample

if TYPE_CHECKING:
    from wangp_cli.media.clip import Audio

RATE = 16_000
"""Samples per second that wav2vec 2.0 listens to."""
TOKEN_WIDTH = 2048
"""Of a feature of the recording, as the blocks are shown it."""
BESIDE = 4
"""Features that a latent frame hears on each side of its own."""


class AudioEncoder:
    """The features of a recording.

    Args:
        model: `Wav2Vec2Model` in evaluation mode.
        processor: normalises for it.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self._processor = processor

    def embed(self, audio: Audio) -> torch.Tensor:
        """The last hidden states, `[1, L, features]`, about 50 a second."""
        samples = mix(resample(audio, RATE), 1).samples[:, 0]
        values = self._processor(samples, sampling_rate=RATE, return_tensors="pt").input_values
        with torch.inference_mode():
            states: torch.Tensor = self.model(values.to(self.model.device)).last_hidden_state
        return states


@dataclass(frozen=True, kw_only=True, eq=False)
class AudioTokens:
    """What the blocks of a network are shown of a recording.

    Args:
        blocks: keys and values `[t, W, D]` for each of them.
        mask: bool `[t, W]`, false for places beyond the recording.
    """

    blocks: list[tuple[torch.Tensor, torch.Tensor]]
    mask: torch.Tensor


class SpeechModule(nn.Module):  # type: ignore[misc] # torch has no types here
    """FantasyTalking's own weights: features of a recording as keys and values for each block.

    Args:
        features: width of what wav2vec gives.
        width: of the network's tokens.
        blocks: of the network.

    Source: Wang et al. 2025, arXiv:2504.04842, and its reference code.
    """

    def __init__(self, features: int, width: int, blocks: int) -> None:
        super().__init__()
        self.proj = nn.Linear(features, TOKEN_WIDTH, bias=False)
        self.norm = nn.LayerNorm(TOKEN_WIDTH)
        self.blocks = nn.ModuleList(_KeysAndValues(width) for _ in range(blocks))

    def forward(self, features: torch.Tensor, frames: int) -> AudioTokens:
        """What each latent frame of a video of so many frames hears of features `[1, L, features]`."""
        tokens = self.norm(self.proj(features.to(self.proj.weight.dtype)))[0]
        spans = windows(len(tokens), frames)
        heard = torch.stack([_cut(tokens, first, end) for first, end in spans])
        lengths = [min(end, len(tokens)) - max(first, 0) for first, end in spans]
        mask = torch.arange(heard.shape[1]) < torch.tensor(lengths)[:, None]
        return AudioTokens(blocks=[block(heard) for block in self.blocks], mask=mask.to(heard.device))


class _KeysAndValues(nn.Module):  # type: ignore[misc] # torch has no types here
    def __init__(self, width: int) -> None:
        super().__init__()
        self.k_proj = nn.Linear(TOKEN_WIDTH, width, bias=False)
        self.v_proj = nn.Linear(TOKEN_WIDTH, width, bias=False)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.k_proj(tokens), self.v_proj(tokens)


def original(parameter: str) -> str:
    """What FantasyTalking's own code calls a parameter of `SpeechModule`."""
    return re.sub(r"^(blocks\.\d+)\.", r"\1.cross_attn.processor.", parameter)


def windows(features: int, frames: int) -> list[tuple[int, int]]:
    """The features that each latent frame hears: first, and first after them; some lie beyond the ends.

    A window holds the features of the four frames of its latent frame, which its centre lies in, and
    `BESIDE` more on each side. The first latent frame is one frame; its window ends where the second's
    begins.

    Args:
        features: of a recording as long as the video.
        frames: of the video.

    Source: the FantasyTalking reference code.
    """
    half = 2 * features // frames
    latent_frames = (frames - 1) // 4 + 1
    centres = [features * (4 * index - 1) // frames - 1 for index in range(1, max(2, latent_frames))]
    begin = centres[0] - half
    spans = [(begin - 2 * half, begin), *((centre - half, centre + half) for centre in centres)]
    return [(first - BESIDE, last + BESIDE + 1) for first, last in spans[:latent_frames]]


def _cut(tokens: torch.Tensor, first: int, end: int) -> torch.Tensor:
    """A window of `[L, D]`; what it lacks comes as zeros behind it."""
    found = tokens[max(first, 0) : max(end, 0)]
    return pad(found, (0, 0, 0, end - first - len(found)))


@contextmanager
def attend_to_audio(network: Any, heard: AudioTokens, scale: float) -> Iterator[None]:
    """A context in which a Wan transformer's attention to text also attends to a recording.

    What it finds there is added to what it finds in the text, before the layer that both pass.

    Args:
        network: a transformer.
        heard: for its blocks.
        scale: weight of what is added; 0 adds nothing.
    """
    if not scale:
        yield
        return
    with ExitStack() as stack:
        for block, (key, value) in zip(network.blocks, heard.blocks, strict=True):
            hook = _AudioCrossAttentionHook(block.attn2.heads, key, value, heard.mask, scale)
            stack.callback(block.attn2.norm_q.register_forward_hook(hook.keep_query).remove)
            stack.callback(block.attn2.to_out[0].register_forward_pre_hook(hook.add_attention).remove)
        yield


class _AudioCrossAttentionHook:
    """One block's attention to a recording; asks what the attention to text asks."""

    def __init__(
        self, heads: int, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float
    ) -> None:
        self._heads, self._key, self._value = heads, key, value
        self._mask, self._scale = mask[:, None], scale
        self._query: torch.Tensor

    def keep_query(self, _norm: Any, _inputs: Any, query: torch.Tensor) -> None:
        self._query = query

    def add_attention(self, _layer: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        (found,) = inputs
        query, times = self._query, len(found)
        del self._query
        by_frame = query.reshape(times * len(self._key), -1, query.shape[-1])
        key, value, mask = (part.repeat(times, 1, 1) for part in (self._key, self._value, self._mask))
        q, k, v = (self._apart(part.to(query.dtype)) for part in (by_frame, key, value))
        heard = scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])
        heard = heard.transpose(1, 2).reshape(query.shape)
        return (found + self._scale * heard.to(found.dtype),)

    def _apart(self, tokens: torch.Tensor) -> torch.Tensor:
        """`[B, N, D]` as `[B, H, N, D / H]`."""
        return tokens.unflatten(2, (self._heads, -1)).transpose(1, 2)
