"""FantasyTalking's networks: wav2vec 2.0 features as keys and values for each block of a Wan network.

B batch, t latent frames, N tokens of the video, L audio features, W audio features of a latent frame,
H heads, D width of a token.
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

from wangp_cli.media.audio import resample
from wangp_cli.media.channels import remix

if TYPE_CHECKING:
    from wangp_cli.media.clip import Audio

RATE = 16_000
"""Samples per second of the input of wav2vec 2.0."""
TOKEN_WIDTH = 2048
"""Width of a projected audio feature."""
CONTEXT_FEATURES = 4
"""Audio features that a latent frame also gets from each side of its own."""


class AudioEncoder:
    """Computes audio features with wav2vec 2.0.

    Args:
        model: `Wav2Vec2Model` in evaluation mode.
        processor: its feature extractor, which normalises samples.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self._processor = processor

    def embed(self, audio: Audio) -> torch.Tensor:
        """The last hidden states `[1, L, features]`, about 50 per second."""
        samples = remix(resample(audio, RATE), "mono").samples[:, 0]
        values = self._processor(samples, sampling_rate=RATE, return_tensors="pt").input_values
        with torch.inference_mode():
            states: torch.Tensor = self.model(values.to(self.model.device)).last_hidden_state
        return states


@dataclass(frozen=True, kw_only=True, eq=False)
class AudioTokens:
    """Keys and values of the audio cross-attention.

    Args:
        blocks: keys and values, `[t, W, D]` each, for each block of the network.
        mask: bool `[t, W]`, false for padding beyond the ends of the recording.
    """

    blocks: list[tuple[torch.Tensor, torch.Tensor]]
    mask: torch.Tensor


class SpeechModule(nn.Module):  # type: ignore[misc] # torch has no types here
    """FantasyTalking's speech module: projects audio features to keys and values for each block.

    Args:
        features: width of wav2vec's hidden states.
        width: of the network's tokens.
        blocks: number of blocks of the network.

    Source: Wang et al. 2025, arXiv:2504.04842, and its reference code.
    """

    def __init__(self, features: int, width: int, blocks: int) -> None:
        super().__init__()
        self.proj = nn.Linear(features, TOKEN_WIDTH, bias=False)
        self.norm = nn.LayerNorm(TOKEN_WIDTH)
        self.blocks = nn.ModuleList(_KeysAndValues(width) for _ in range(blocks))

    def forward(self, features: torch.Tensor, frames: int) -> AudioTokens:
        """Audio tokens for a video of `frames` frames, from audio features `[1, L, features]`."""
        tokens = self.norm(self.proj(features.to(self.proj.weight.dtype)))[0]
        spans = audio_windows(len(tokens), frames)
        windows = torch.stack([_cut(tokens, first, end) for first, end in spans])
        lengths = [min(end, len(tokens)) - max(first, 0) for first, end in spans]
        mask = torch.arange(windows.shape[1]) < torch.tensor(lengths)[:, None]
        return AudioTokens(blocks=[block(windows) for block in self.blocks], mask=mask.to(windows.device))


class _KeysAndValues(nn.Module):  # type: ignore[misc] # torch has no types here
    def __init__(self, width: int) -> None:
        super().__init__()
        self.k_proj = nn.Linear(TOKEN_WIDTH, width, bias=False)
        self.v_proj = nn.Linear(TOKEN_WIDTH, width, bias=False)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.k_proj(tokens), self.v_proj(tokens)


def original_name(parameter: str) -> str:
    """The name of a parameter of `SpeechModule` in FantasyTalking's own checkpoints."""
    return re.sub(r"^(blocks\.\d+)\.", r"\1.cross_attn.processor.", parameter)


def audio_windows(features: int, frames: int) -> list[tuple[int, int]]:
    """The range of audio features of each latent frame, as first and end index; may exceed the recording.

    A window holds the features of the four frames of its latent frame and `CONTEXT_FEATURES` more on each
    side. The first latent frame holds one frame; before that context is added, its window ends where the
    second one begins.

    Args:
        features: number of audio features of a recording as long as the video.
        frames: number of frames of the video.

    Source: the FantasyTalking reference code.
    """
    half = 2 * features // frames
    latent_frames = (frames - 1) // 4 + 1
    centres = [features * (4 * index - 1) // frames - 1 for index in range(1, max(2, latent_frames))]
    begin = centres[0] - half
    spans = [(begin - 2 * half, begin), *((centre - half, centre + half) for centre in centres)]
    return [(first - CONTEXT_FEATURES, last + CONTEXT_FEATURES + 1) for first, last in spans[:latent_frames]]


def _cut(tokens: torch.Tensor, first: int, end: int) -> torch.Tensor:
    """A window of tokens `[L, D]`, padded with zeros at its end where it exceeds the recording."""
    window = tokens[max(first, 0) : max(end, 0)]
    return pad(window, (0, 0, 0, end - first - len(window)))


@contextmanager
def attend_to_audio(network: Any, audio: AudioTokens, scale: float) -> Iterator[None]:
    """A context in which the cross-attention of a Wan transformer's blocks also attends to audio.

    The audio attention is added to the text attention before the shared output projection.

    Args:
        network: a transformer.
        audio: keys and values for its blocks.
        scale: weight of the audio attention; 0 leaves it out.
    """
    if not scale:
        yield
        return
    with ExitStack() as stack:
        for block, (key, value) in zip(network.blocks, audio.blocks, strict=True):
            hook = _AudioCrossAttentionHook(block.attn2.heads, key, value, audio.mask, scale)
            stack.callback(block.attn2.norm_q.register_forward_hook(hook.keep_query).remove)
            stack.callback(block.attn2.to_out[0].register_forward_pre_hook(hook.add_attention).remove)
        yield


class _AudioCrossAttentionHook:
    """Hooks on one block's cross-attention that attend to audio with the queries of the text attention."""

    def __init__(
        self, heads: int, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float
    ) -> None:
        self._heads, self._key, self._value = heads, key, value
        self._mask, self._scale = mask[:, None], scale
        self._query: torch.Tensor

    def keep_query(self, _norm: Any, _inputs: Any, query: torch.Tensor) -> None:
        self._query = query

    def add_attention(self, _layer: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        (attended,) = inputs
        query, batch = self._query, len(attended)
        del self._query
        by_frame = query.reshape(batch * len(self._key), -1, query.shape[-1])
        key, value, mask = (part.repeat(batch, 1, 1) for part in (self._key, self._value, self._mask))
        q, k, v = (self._split_heads(part.to(query.dtype)) for part in (by_frame, key, value))
        audio = scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])
        audio = audio.transpose(1, 2).reshape(query.shape)
        return (attended + self._scale * audio.to(attended.dtype),)

    def _split_heads(self, tokens: torch.Tensor) -> torch.Tensor:
        """`[B, N, D]` as `[B, H, N, D / H]`."""
        return tokens.unflatten(2, (self._heads, -1)).transpose(1, 2)
