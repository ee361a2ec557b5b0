# mypy: allow-untyped-decorators
"""The starter's tokenizer, its initialised text encoder and denoiser, and its sampler."""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, WanVACETransformer3DModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from training.starter.autoencoder import LATENT_CHANNELS
from training.starter.world import vocabulary

HEADS, HEAD_WIDTH = 5, 32
TEXT_WIDTH = 128
WORDS = 20
"""Most tokens of a caption in training."""

DENOISER_CONFIG: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": HEADS,
    "attention_head_dim": HEAD_WIDTH,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "text_dim": TEXT_WIDTH,
    "freq_dim": 128,
    "ffn_dim": 512,
    "num_layers": 6,
    "vace_layers": [0, 2],
    "vace_in_channels": 2 * LATENT_CHANNELS + 64,
    "rope_max_seq_len": 256,
}

# Buckets of UMT5's relative positions for the next word, the previous one, and those two away.
_NEIGHBOUR_BUCKETS = (17, 1, 18, 2)
_NEIGHBOURS = ((0, 0, 1), (0, 0, -1), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (1, 0, 0))


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one token per word of the captions; other words become <unk>."""
    words = ["<pad>", "</s>", "<unk>", *vocabulary()]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=512,
    )


@torch.no_grad()
def make_text_encoder(vocabulary_size: int) -> UMT5EncoderModel:
    """A UMT5 encoder whose heads attend to fixed neighbours.

    UMT5 does not scale attention scores, so with orthogonalised updates its softmax becomes one-hot and words
    stop mixing. So queries and keys are fixed, and scores come from relative positions only.
    """
    config = UMT5Config(
        vocab_size=vocabulary_size,
        d_model=TEXT_WIDTH,
        d_kv=TEXT_WIDTH // len(_NEIGHBOUR_BUCKETS),
        d_ff=2 * TEXT_WIDTH,
        num_layers=2,
        num_heads=len(_NEIGHBOUR_BUCKETS),
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        relative_attention_num_buckets=32,
    )
    encoder = UMT5EncoderModel(config)
    encoder.shared.weight.normal_(0, 1)
    for block in encoder.encoder.block:
        attention = block.layer[0].SelfAttention
        attention.relative_attention_bias.weight.zero_()
        for head, bucket in enumerate(_NEIGHBOUR_BUCKETS):
            attention.relative_attention_bias.weight[bucket, head] = 5.0
        attention.q.weight.zero_()
        attention.q.weight.requires_grad_(False)
        attention.k.weight.requires_grad_(False)
        attention.v.weight.normal_(0, TEXT_WIDTH**-0.5)
        attention.o.weight.normal_(0, TEXT_WIDTH**-0.5)
    return encoder


@torch.no_grad()
def make_denoiser() -> WanVACETransformer3DModel:
    """A denoiser that predicts zero, with gates of 1 and most self-attention heads biased to neighbours."""
    model = WanVACETransformer3DModel(**DENOISER_CONFIG)
    # Position channels of the noisy latents are ignored: the control latents hold them without noise.
    model.patch_embedding.weight[:, LATENT_CHANNELS - 3 :] = 0
    _zero(model.proj_out)
    model.scale_shift_table.zero_()
    model.condition_embedder.time_proj.weight.mul_(0.2)
    model.condition_embedder.time_proj.bias.zero_()
    for number, block in enumerate([*model.vace_blocks, *model.blocks]):
        block.scale_shift_table.zero_()
        block.scale_shift_table[:, 2] = 1.0
        block.scale_shift_table[:, 5] = 1.0
        for layer in (block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[2]):
            layer.weight.mul_(0.5)
            layer.bias.zero_()
        _bias_to_neighbours(block.attn1, first=number * (HEADS - 1))
    for block in model.vace_blocks:
        block.proj_out.weight.mul_(0.3)
        block.proj_out.bias.zero_()
    return model


def make_sampler(flow_shift: float) -> DPMSolverMultistepScheduler:
    """Ancestral Euler, whose noise corrects errors of earlier steps."""
    return DPMSolverMultistepScheduler(
        algorithm_type="sde-dpmsolver++",
        solver_order=1,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=flow_shift,
    )


def encode_words(encoder: UMT5EncoderModel, tokenizer: Any, captions: list[str]) -> tuple[Tensor, Tensor]:
    """Text encoder output [B, L, C], zero at padding as in the pipeline, and the number of tokens [B]."""
    tokens = tokenizer(captions, padding="max_length", max_length=WORDS, truncation=True, return_tensors="pt")
    hidden = encoder(tokens.input_ids, tokens.attention_mask).last_hidden_state
    return hidden * tokens.attention_mask.unsqueeze(-1), tokens.attention_mask.sum(1)


def pad_bias(words: Tensor, lengths: Tensor) -> Tensor:
    """Attention bias that makes prompts of `WORDS` tokens equal to ones padded to `lengths`.

    Args:
        words: [B], number of tokens of each caption.
        lengths: [B], length to which the pipeline would pad, more than `WORDS`.

    Returns:
        float32 [B, WORDS], the logarithm of the number of padding tokens that each position stands for.
    """
    weight = torch.log((lengths - words).float() / (WORDS - words).clamp(min=1))
    positions = torch.arange(WORDS)
    return torch.where(positions >= words.unsqueeze(1), weight.unsqueeze(1), 0.0)


def _bias_to_neighbours(attention: nn.Module, first: int) -> None:
    """Set biases of queries and keys so that rotary positions favour one neighbour for each head."""
    rows = 2 * (HEAD_WIDTH // 6)
    starts = (0, HEAD_WIDTH - 2 * rows, HEAD_WIDTH - rows)
    attention.to_q.bias.zero_()
    attention.to_k.bias.zero_()
    for head in range(HEADS - 1):
        offset = _NEIGHBOURS[(first + head) % len(_NEIGHBOURS)]
        for axis, start in enumerate(starts):
            place = head * HEAD_WIDTH + start
            attention.to_k.bias[place] = 2.0
            attention.to_q.bias[place] = 2.5 * math.cos(offset[axis])
            attention.to_q.bias[place + 1] = 2.5 * math.sin(offset[axis])
        attention.norm_q.weight[head * HEAD_WIDTH : (head + 1) * HEAD_WIDTH] = 2.0
        attention.norm_k.weight[head * HEAD_WIDTH : (head + 1) * HEAD_WIDTH] = 2.0


def _zero(layer: nn.Linear) -> None:
    layer.weight.zero_()
    layer.bias.zero_()
