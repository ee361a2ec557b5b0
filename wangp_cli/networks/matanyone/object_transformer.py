"""Object queries of MatAnyone: what the object looks like as a whole."""

# B batch, D channels, H height, W width, N pixels of a map, Q queries, S summaries (one for each query)

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wangp_cli.networks.matanyone.blocks import WIDTH, ChannelAttentionBlock, PositionalEncoding, shrink

QUERIES = 16
"""The first half stands for the object, the second for its surroundings."""
HEADS = 8


class ObjectSummarizer(nn.Module):
    """Pool the value of a frame into sums over the object and over its surroundings."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_enc = PositionalEncoding()
        self.input_proj = nn.Linear(WIDTH, WIDTH)
        self.feature_pred = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.weights_pred = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, QUERIES))

    def forward(self, alpha_B1HW: Tensor, value_BDHW: Tensor) -> Tensor:
        """Float32 `[B, S, D + 1]`: weighted sums of features, and the sums of the weights at the end."""
        height, width = value_BDHW.shape[2:]
        with torch.autocast(value_BDHW.device.type, enabled=False):
            inside_BN1 = shrink(alpha_B1HW.float(), height, width).flatten(1)[:, :, None]
            half = inside_BN1.expand(-1, -1, QUERIES // 2)
            value_BHWD = self.input_proj(value_BDHW.float().permute(0, 2, 3, 1)) + self.pos_enc(height, width)
            value_BND = value_BHWD.flatten(1, 2)
            weight_BNS = self.weights_pred(value_BND).sigmoid() * torch.cat([half, 1 - half], 2)
            sums_BSD = weight_BNS.transpose(1, 2) @ self.feature_pred(value_BND)
            return torch.cat([sums_BSD, weight_BNS.sum(1)[:, :, None]], 2)


class ReadFromPixels(nn.Module):
    """Queries attend to pixels, each to those of its own side."""

    def __init__(self) -> None:
        super().__init__()
        self.cross_attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(
        self, query_BQD: Tensor, query_pe: Tensor, pixel_BND: Tensor, pixel_pe: Tensor, blocked: Tensor
    ) -> Tensor:
        """Queries; the residual is the normalised input.

        Args:
            query_BQD: the queries.
            query_pe: their positional encoding.
            pixel_BND: the pixels.
            pixel_pe: their positional encoding.
            blocked: bool `[B * heads, Q, N]`, true where a query may not attend.
        """
        query_BQD = self.norm(query_BQD)
        read_BQD, _ = self.cross_attn(
            query_BQD + query_pe, pixel_BND + pixel_pe, pixel_BND, attn_mask=blocked, need_weights=False
        )
        return query_BQD + read_BQD


class SelfAttention(nn.Module):
    """Queries attend to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, query_BQD: Tensor, query_pe: Tensor) -> Tensor:
        """Queries; the residual is the normalised input."""
        query_BQD = self.norm(query_BQD)
        key_BQD = query_BQD + query_pe
        return query_BQD + self.self_attn(key_BQD, key_BQD, query_BQD, need_weights=False)[0]


class FeedForward(nn.Module):
    """Two linear layers on each query; the residual is the input as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(WIDTH, 8 * WIDTH)
        self.linear2 = nn.Linear(8 * WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, query_BQD: Tensor) -> Tensor:
        """Queries of the same shape."""
        return query_BQD + self.linear2(functional.relu(self.linear1(self.norm(query_BQD))))


class ReadFromQueries(nn.Module):
    """Pixels attend to all queries."""

    def __init__(self) -> None:
        super().__init__()
        self.cross_attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, pixel_BND: Tensor, pixel_pe: Tensor, query_BQD: Tensor, query_pe: Tensor) -> Tensor:
        """Pixels of the same shape."""
        read_BND, _ = self.cross_attn(
            pixel_BND + pixel_pe, query_BQD + query_pe, query_BQD, need_weights=False
        )
        return pixel_BND + read_BND


class PixelFeedForward(nn.Module):
    """A convolutional block on the map of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ChannelAttentionBlock()

    def forward(self, pixel_BND: Tensor, height: int, width: int) -> Tensor:
        """The map `[B, D, height, width]`."""
        return self.conv(pixel_BND.transpose(1, 2).unflatten(2, (height, width)))


class TransformerBlock(nn.Module):
    """Queries read from pixels and exchange, pixels read from queries."""

    def __init__(self) -> None:
        super().__init__()
        self.read_from_pixel = ReadFromPixels()
        self.self_attn = SelfAttention()
        self.ffn = FeedForward()
        self.read_from_query = ReadFromQueries()
        self.pixel_ffn = PixelFeedForward()

    def forward(
        self, query_BQD: Tensor, query_pe: Tensor, pixel_BDHW: Tensor, pixel_pe: Tensor, blocked: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Queries and the map of pixels; arguments as in `ReadFromPixels`, with pixels as a map."""
        pixel_BND = pixel_BDHW.flatten(2).transpose(1, 2)
        query_BQD = self.read_from_pixel(query_BQD, query_pe, pixel_BND, pixel_pe, blocked)
        query_BQD = self.ffn(self.self_attn(query_BQD, query_pe))
        pixel_BND = self.read_from_query(pixel_BND, pixel_pe, query_BQD, query_pe)
        return query_BQD, self.pixel_ffn(pixel_BND, *pixel_BDHW.shape[2:])


class ObjectTransformer(nn.Module):
    """Enrich a map of pixels by what the object memory knows of the whole object.

    Source: Cutie, arXiv:2310.12982, section 3.2.
    """

    def __init__(self) -> None:
        super().__init__()
        self.query_init = nn.Embedding(QUERIES, WIDTH)
        self.query_emb = nn.Embedding(QUERIES, WIDTH)
        self.summary_to_query_init = nn.Linear(WIDTH, WIDTH)
        self.summary_to_query_emb = nn.Linear(WIDTH, WIDTH)
        self.pixel_init_proj = nn.Conv2d(WIDTH, WIDTH, 1)
        self.pixel_emb_proj = nn.Conv2d(WIDTH, WIDTH, 1)
        self.spatial_pe = PositionalEncoding()
        self.blocks = nn.ModuleList(TransformerBlock() for _ in range(3))
        # The last one serves training only.
        self.mask_pred = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(WIDTH, 1, 1)) for _ in range(len(self.blocks) + 1)
        )

    def forward(self, pixel_BDHW: Tensor, object_BSE: Tensor) -> Tensor:
        """The map `[B, D, H, W]`.

        Args:
            pixel_BDHW: what was read from the memory, fused with the frame.
            object_BSE: the object memory, sums as `ObjectSummarizer` gives them.
        """
        summary_BSD = object_BSE[:, :, :-1] / (object_BSE[:, :, -1:] + 1e-4)
        query_BQD = self.query_init.weight + self.summary_to_query_init(summary_BSD)
        query_pe = self.query_emb.weight + self.summary_to_query_emb(summary_BSD)
        pixel_pe = self.pixel_emb_proj(pixel_BDHW).flatten(2).transpose(1, 2)
        pixel_pe = pixel_pe + self.spatial_pe(*pixel_BDHW.shape[2:]).flatten(0, 1)
        pixel_BDHW = self.pixel_init_proj(pixel_BDHW)
        for block, mask_pred in zip(self.blocks, self.mask_pred, strict=False):
            blocked = _blocked(mask_pred(pixel_BDHW))
            query_BQD, pixel_BDHW = block(query_BQD, query_pe, pixel_BDHW, pixel_pe, blocked)
        return pixel_BDHW


def _blocked(logit_B1HW: Tensor) -> Tensor:
    """Which query may not attend to which pixel: bool `[B * heads, Q, N]`.

    Queries of the object see its pixels, the others see the rest. A query that would see none sees all.
    """
    probability_B1N = logit_B1HW.float().sigmoid().flatten(2)
    inside_BQN = (probability_B1N >= 1 - probability_B1N).expand(-1, QUERIES // 2, -1)
    blocked_BQN = torch.cat([~inside_BQN, inside_BQN], 1)
    blocked_BQN = blocked_BQN & ~blocked_BQN.all(2, keepdim=True)
    return blocked_BQN.repeat_interleave(HEADS, 0)
