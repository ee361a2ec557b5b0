"""Wan's video VAE, which encodes and decodes latent frame by latent frame."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify, unpatchify

from wangp_cli.errors import GenerationError
from wangp_cli.pipelines.memory import meter
from wangp_cli.pipelines.wan.vae_cpu_kernels import speed_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wangp_cli.media.clip import Frames

CACHED_GRAY_CLIPS = 4


class Vae:
    """A Wan VAE that encodes and decodes one latent frame at a time.

    The first latent frame holds one frame of pixels, every further one `temporal`. Each call has its own
    cache of past frames for the causal convolutions, so calls may interleave and may be abandoned.

    Args:
        model: `AutoencoderKLWan` in evaluation mode.
        exact: use the stock kernels, bit for bit.
    """

    def __init__(self, model: Any, *, exact: bool) -> None:
        self.model = model
        self.temporal: int = 2 ** sum(model.temperal_downsample)
        """Frames of pixels in a latent frame."""
        self.spatial: int = 2 ** (len(model.config.dim_mult) - 1) * (model.config.patch_size or 1)
        """Pixels of a latent pixel in height and in width."""
        self.channels: int = model.config.z_dim
        self._gray: OrderedDict[tuple[int, ...], torch.Tensor] = OrderedDict()
        if not exact:
            speed_up(model)

    def latent_frames(self, frames: int) -> int:
        """Number of latent frames that hold `frames` frames."""
        return (frames - 1) // self.temporal + 1

    def decoding_bytes(self, height: int, width: int) -> int:
        """Bytes that decoding one latent frame of frames of this size takes."""
        patch, config = self.model.config.patch_size or 1, self.model.config
        channels = config.get("decoder_base_dim") or config.base_dim
        pixels = (height // patch) * (width // patch)
        return meter.decoding_bytes(self.temporal, pixels, channels, self.model.dtype.itemsize)

    def encode(self, clip: torch.Tensor, tick: Callable[[int], None]) -> torch.Tensor:
        """Normalised latents of a clip.

        Args:
            clip: float32 `[1, 3, T, H, W]` in [-1, 1].
            tick: called with the number of latent frames just done; an exception it raises ends the call.

        Returns:
            float32 `[1, C, t, h, w]` on the VAE's device. Latents of all-gray clips are cached.
        """
        shape = tuple(clip.shape)
        if clip.any():
            return self._encode(clip, tick)
        if shape in self._gray:
            tick(self._gray[shape].shape[2])
        else:
            self._gray[shape] = self._encode(clip, tick)
            if len(self._gray) > CACHED_GRAY_CLIPS:
                self._gray.popitem(last=False)
        return self._gray[shape]

    def _encode(self, clip: torch.Tensor, tick: Callable[[int], None]) -> torch.Tensor:
        model = self.model
        clip = clip.to(model.device, model.dtype)
        starts = range(1, clip.shape[2], self.temporal)
        groups = [clip[:, :, :1], *(clip[:, :, start : start + self.temporal] for start in starts)]
        cache = _empty_cache(model.encoder)
        encoded = []
        for group in groups:
            with torch.inference_mode():
                group = _patched(group, model.config.patch_size)  # noqa: PLW2901
                encoded.append(model.encoder(group, feat_cache=cache, feat_idx=[0]))
            tick(1)
        with torch.inference_mode():
            latents = model.quant_conv(torch.cat(encoded, dim=2))[:, : self.channels].float()
            mean, scale = self._statistics(latents)
            return (latents - mean) * scale

    def decode(self, latents: torch.Tensor, tick: Callable[[int], None]) -> Iterator[Frames]:
        """Frames of normalised latents, one latent frame at a time.

        Args:
            latents: `[1, C, t, h, w]`.
            tick: called with the number of latent frames just done; an exception it raises ends the call.

        Yields:
            float32 `[1 or 4, H, W, 3]` in [0, 1].

        Raises:
            GenerationError: a frame holds values that are not finite.
        """
        with torch.inference_mode():
            codes = self.model.post_quant_conv(self._denormalised(latents))
        cache = _empty_cache(self.model.decoder)
        for index in range(codes.shape[2]):
            with torch.inference_mode():
                code = codes[:, :, index : index + 1]
                frames = self._pixels(self._decode_group(code, cache, first=index == 0))
            tick(1)
            yield frames

    def decode_tiled(self, latents: torch.Tensor, tick: Callable[[int], None]) -> Iterator[Frames]:
        """`decode` tile by tile, for less memory; the first frames come when all tiles are decoded.

        `tick` is called for every latent frame of every tile. Call `tiles` before, which sets the tile size.
        """
        codes = self._denormalised(latents)
        rows = [
            [self._decode_tile(codes[..., top, left], tick) for left in self._cuts(codes.shape[4], "width")]
            for top in self._cuts(codes.shape[3], "height")
        ]
        with torch.inference_mode():
            clip = self._blend(rows)[..., : self._side(codes.shape[3]), : self._side(codes.shape[4])]
        ends = range(1, clip.shape[2] + 1, self.temporal)
        for end in ends:
            with torch.inference_mode():
                yield self._pixels(clip[:, :, max(0, end - self.temporal) : end])

    def tiles(self, latents: torch.Tensor, side: int) -> int:
        """Set the tile size to `side` pixels, a quarter of it overlapping with each neighbour.

        Returns:
            Number of tiles that `decode_tiled` decodes; 1 where one tile holds the whole frame.
        """
        self.model.enable_tiling(side, side, side * 3 // 4, side * 3 // 4)
        if all(
            side <= least // self.model.spatial_compression_ratio
            for side, least in zip(
                latents.shape[3:],
                (self.model.tile_sample_min_height, self.model.tile_sample_min_width),
                strict=True,
            )
        ):
            return 1
        return len(self._cuts(latents.shape[3], "height")) * len(self._cuts(latents.shape[4], "width"))

    def _decode_group(self, code: torch.Tensor, cache: list[Any], *, first: bool) -> torch.Tensor:
        return self.model.decoder(code, feat_cache=cache, feat_idx=[0], first_chunk=first)

    def _decode_tile(self, codes: torch.Tensor, tick: Callable[[int], None]) -> torch.Tensor:
        cache = _empty_cache(self.model.decoder)
        decoded = []
        for index in range(codes.shape[2]):
            with torch.inference_mode():
                code = self.model.post_quant_conv(codes[:, :, index : index + 1])
                decoded.append(self._decode_group(code, cache, first=index == 0))
            tick(1)
        return torch.cat(decoded, dim=2)

    def _cuts(self, length: int, side: str) -> list[slice]:
        ratio = self.model.spatial_compression_ratio
        stride = getattr(self.model, f"tile_sample_stride_{side}") // ratio
        size = getattr(self.model, f"tile_sample_min_{side}") // ratio
        return [slice(start, start + size) for start in range(0, length, stride)]

    def _side(self, latent_side: int) -> int:
        ratio: int = self.model.spatial_compression_ratio
        return latent_side * ratio // (self.model.config.patch_size or 1)

    def _blend(self, rows: list[list[torch.Tensor]]) -> torch.Tensor:
        """Tiles joined to whole frames, mixed linearly where they overlap."""
        model, patch = self.model, self.model.config.patch_size or 1
        height, width = model.tile_sample_stride_height // patch, model.tile_sample_stride_width // patch
        overlap_height = model.tile_sample_min_height // patch - height
        overlap_width = model.tile_sample_min_width // patch - width
        joined = []
        for i, row in enumerate(rows):
            for j, tile in enumerate(row):
                if i > 0:
                    model.blend_v(rows[i - 1][j], tile, overlap_height)
                if j > 0:
                    model.blend_h(row[j - 1], tile, overlap_width)
            joined.append(torch.cat([tile[..., :height, :width] for tile in row], dim=-1))
        return torch.cat(joined, dim=3)

    def _denormalised(self, latents: torch.Tensor) -> torch.Tensor:
        latents = latents.to(self.model.device, self.model.dtype)
        mean, scale = self._statistics(latents)
        return latents / scale + mean

    def _pixels(self, decoded: torch.Tensor) -> Frames:
        clip = _unpatched(decoded, self.model.config.patch_size).clamp(-1.0, 1.0)
        clip = (clip * 0.5 + 0.5).clamp(0, 1)
        frames = clip[0].permute(1, 2, 3, 0).float().contiguous().cpu().numpy()
        if not np.isfinite(frames).all():
            raise GenerationError("the decoded frames are not finite", hint="try the VAE in float32")
        return frames  # type: ignore[no-any-return]

    def _statistics(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and inverse standard deviation of each latent channel, `[1, C, 1, 1, 1]`."""
        config = self.model.config
        mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1, 1).to(like.device, like.dtype)
        scale = 1.0 / torch.tensor(config.latents_std).view(1, -1, 1, 1, 1).to(like.device, like.dtype)
        return mean, scale


def _empty_cache(network: Any) -> list[Any]:
    """The feature cache of an encoder or decoder before its first frame: one entry per convolution."""
    return [None] * sum(isinstance(layer, torch.nn.Conv3d) for layer in network.modules())


def _patched(clip: torch.Tensor, patch_size: int | None) -> torch.Tensor:
    return clip if patch_size is None else patchify(clip, patch_size=patch_size)


def _unpatched(clip: torch.Tensor, patch_size: int | None) -> torch.Tensor:
    return clip if patch_size is None else unpatchify(clip, patch_size=patch_size)
