# mypy: allow-untyped-decorators
"""Training batches for the denoiser: clips recoloured in latent space, with random given pixels."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor
from torch.nn import functional

from training.starter.autoencoder import CONTENT_CHANNELS, encode_clip
from training.starter.fast import to_tokens
from training.starter.world import COLOURS, FRAMES, SIDE, Scene, caption, coverage, is_withheld, sample_scene

_CELL = 8
HOLES = 0.6
"""Share of conditioned clips that are given except for a box."""
_MORE_STARS = 0.5
"""Probability of a second draw where the first scene has no star, the hardest shape."""
_MAX_BOXES = 3
"""Most boxes that are drawn to find one that cuts the shape."""
Grid = tuple[int, int, int]


@dataclass(frozen=True)
class Batch:
    """The clips of one training step as tokens."""

    latents: Tensor
    """float32 [B, N, 4 * content channels], normalised."""
    control: Tensor
    """float32 [B, N, 4 * (2 * latent channels + 64)]."""
    captions: list[str]
    unconditional: Tensor
    """bool [B]: clips without given pixels."""
    known: Tensor
    """float32 [B, N, 1]: share of each token's pixels that are given."""
    keep: Tensor
    """float32 [B, T, H, W]: 1 at given pixels."""
    clips: Tensor
    """float32 [G, 3, T, H, W] in [-1, 1]: the clips with given pixels, in order."""


class LinearEncoder:
    """The encoder as two matrices: it is linear on blocks of 8 x 8 pixels and one or four frames."""

    @torch.no_grad()
    def __init__(self, vae: AutoencoderKLWan) -> None:
        scale = torch.tensor(vae.config.latents_std)[:CONTENT_CHANNELS]
        pixels = 3 * _CELL * _CELL
        single = torch.eye(pixels).view(pixels, 3, 1, _CELL, _CELL)
        self.first = encode_clip(vae, single)[:, :CONTENT_CHANNELS].reshape(pixels, -1) / scale
        block = torch.zeros(4 * pixels, 3, 5, _CELL, _CELL)
        block[:, :, 1:] = torch.eye(4 * pixels).view(-1, 3, 4, _CELL, _CELL)
        self.rest = encode_clip(vae, block)[:, :CONTENT_CHANNELS, 1].reshape(4 * pixels, -1) / scale
        self.first_inverse, self.rest_inverse = torch.linalg.pinv(self.first), torch.linalg.pinv(self.rest)

    def __call__(self, clips: Tensor) -> Tensor:
        """Encode colour clips.

        Args:
            clips: float32 [B, 3, T, H, W] in [-1, 1].

        Returns:
            float32 [B, content channels, T', H', W'], normalised.
        """
        first, rest = self._blocks(clips)
        return _join(first @ self.first, rest @ self.rest)

    def by_colour_channel(self, clips: Tensor) -> Tensor:
        """Latents of gray clips [B, 1, T, H, W] in one colour channel each: [B, 3, content channels, ...]."""
        first, rest = self._blocks(clips)
        firsts = self.first.view(3, -1, CONTENT_CHANNELS)
        rests = self.rest.view(3, -1, CONTENT_CHANNELS)
        return torch.stack([_join(first @ firsts[i], rest @ rests[i]) for i in range(3)], dim=1)

    def given_part(self, codes: Tensor, keep: Tensor) -> Tensor:
        """The latents of given pixels alone, by the inverse of the encoder.

        Args:
            codes: float32 [B, content channels, T', H', W'].
            keep: float32 [B, T, H, W], 1 at given pixels.

        Returns:
            Latents of the same shape: unchanged for blocks given as a whole, 0 for blocks not given.
        """
        first, rest = self._given_pixels(codes, keep)
        return _join((first @ self.first).squeeze(1), rest @ self.rest)

    def given_error(self, errors: Tensor, keep: Tensor) -> Tensor:
        """The errors at given pixels of errors in latents; arguments as in `given_part`.

        Returns:
            Squared errors per cell, float32 [B, T', H', W'], scaled like those of latents.
        """
        pixels = self._given_pixels(errors, keep)
        inverses = (self.first_inverse, self.rest_inverse)
        cells = [
            part.square().sum(-1) / inverse.square().sum()
            for part, inverse in zip(pixels, inverses, strict=True)
        ]
        return torch.cat(cells, dim=1)

    def _given_pixels(self, codes: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels of the blocks of the first frame and of the rest [B, T', H', W', pixels], 0 if not given."""
        first, rest = self._blocks(keep.unsqueeze(1))
        cells = codes.permute(0, 2, 3, 4, 1)
        return (
            cells[:, :1] @ self.first_inverse * first.unsqueeze(1).repeat(1, 1, 1, 1, 3),
            cells[:, 1:] @ self.rest_inverse * rest.repeat(1, 1, 1, 1, 3),
        )

    @staticmethod
    def _blocks(clips: Tensor) -> tuple[Tensor, Tensor]:
        batch, channels, frames, height, width = clips.shape
        rows, columns, groups = height // _CELL, width // _CELL, (frames - 1) // 4
        first = clips[:, :, 0].reshape(batch, channels, rows, _CELL, columns, _CELL)
        first = first.permute(0, 2, 4, 1, 3, 5).reshape(batch, rows, columns, -1)
        rest = clips[:, :, 1:].reshape(batch, channels, groups, 4, rows, _CELL, columns, _CELL)
        rest = rest.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(batch, groups, rows, columns, -1)
        return first, rest


class ScenePool:
    """Rendered scenes without colour, which get random colours in every batch.

    Args:
        near: number of scenes with a path close to the middle, used for clips without given pixels.
        wide: number of further scenes, anywhere in the frame.
    """

    @torch.no_grad()
    def __init__(self, vae: AutoencoderKLWan, *, near: int, wide: int, side: int, rng: random.Random) -> None:
        self.rng, self.side, self.near = rng, side, near
        self.grid: Grid = (1 + (FRAMES - 1) // 4, side // _CELL, side // _CELL)
        self.encode = LinearEncoder(vae)
        self.scenes = [sample_scene(rng) for _ in range(near)]
        self.scenes += [sample_scene(rng, spread=1.0) for _ in range(wide)]
        coverages, codes = [], []
        for begin in range(0, len(self.scenes), 50):
            drawn = coverage(self.scenes[begin : begin + 50], FRAMES, side)
            coverages.append((drawn * 255).round().byte())
            codes.append(to_tokens(self.encode.by_colour_channel(drawn.unsqueeze(1)).flatten(0, 1)).half())
        self.coverages = torch.cat(coverages)
        self.codes = torch.cat(codes).unflatten(0, (-1, 3))
        ones = torch.ones(1, 1, FRAMES, side, side)
        self.white = to_tokens(self.encode.by_colour_channel(ones)[0])
        self.position = position_code(vae, self.grid)
        self.all_unknown = to_tokens(pack_mask(torch.ones(1, FRAMES, side, side)))[0]

    def batch(
        self, size: int, *, conditional: float = 0.5, holes: float = HOLES, empty_captions: float = 0.1
    ) -> Batch:
        """Draw a batch.

        Args:
            size: number of clips.
            conditional: share of clips with given pixels.
            holes: share of those that are given except for a box.
            empty_captions: share of clips without caption, for guidance.
        """
        given = [self.rng.random() < conditional for _ in range(size)]
        indices = [self._draw(len(self.scenes) if known else self.near) for known in given]
        scenes = [self._recolour(self.scenes[index]) for index in indices]
        colours = torch.tensor([COLOURS[scene.colour] for scene in scenes])
        backs = torch.tensor([COLOURS[scene.background] for scene in scenes])
        base, change = (2 * backs - 1)[:, :, None, None], (2 * (colours - backs))[:, :, None, None]
        latents = (base * self.white + change * self.codes[indices].float()).sum(1)
        known = torch.tensor(given)
        content = torch.zeros_like(latents)
        mask = self.all_unknown.expand(size, -1, -1).clone()
        known_tokens = torch.zeros(size, latents.shape[1], 1)
        kept = torch.zeros(size, FRAMES, self.side, self.side)
        clips = torch.zeros(0, 3, FRAMES, self.side, self.side)
        if known.any():
            alpha = self.coverages[[i for i, flag in zip(indices, given, strict=True) if flag]].float() / 255
            keep = torch.stack([random_keep(self.rng, drawn, holes) for drawn in alpha])
            base, change = base[known].unsqueeze(-1), change[known].unsqueeze(-1)
            clips = base + change * alpha.unsqueeze(1)
            content[known] = to_tokens(self.encode(clips * keep.unsqueeze(1)))
            mask[known] = to_tokens(pack_mask(1 - keep))
            known_tokens[known] = known_part(keep)
            kept[known] = keep
        captions = [
            "" if self.rng.random() < (0.25 if known else empty_captions) else caption(scene, self.rng)
            for scene, known in zip(scenes, given, strict=True)
        ]
        return Batch(latents, self.control(content, mask), captions, ~known, known_tokens, kept, clips)

    def control(self, content: Tensor, mask: Tensor) -> Tensor:
        """Control tokens of known content; latents of the gray part to generate hold position only."""
        position = self.position.expand(len(content), -1, -1)
        gray = torch.zeros_like(content)
        return torch.cat([content, position, gray, position, mask], dim=2)

    def _draw(self, count: int) -> int:
        """A random index below `count`, of a star more often than of other shapes."""
        index = self.rng.randrange(count)
        if self.scenes[index].shape != "star" and self.rng.random() < _MORE_STARS:
            index = self.rng.randrange(count)
        return index

    def _recolour(self, scene: Scene) -> Scene:
        while True:
            colour, background = self.rng.sample(sorted(COLOURS), 2)
            if not is_withheld(scene.shape, colour, scene.motion):
                return Scene(**{**vars(scene), "colour": colour, "background": background})


@torch.no_grad()
def position_code(vae: AutoencoderKLWan, grid: Grid) -> Tensor:
    """The position channels as tokens, interpolated from the native size to `grid`."""
    native = encode_clip(vae, torch.zeros(1, 3, FRAMES, SIDE, SIDE))[:, CONTENT_CHANNELS:]
    return to_tokens(functional.interpolate(native, size=grid, mode="trilinear", align_corners=True))


def pack_mask(mask: Tensor) -> Tensor:
    """Mask channels of the control latents, as WanVACEPipeline packs them.

    Args:
        mask: float32 [B, T, H, W], 1 where pixels are to be generated.

    Returns:
        float32 [B, 64, T', H / 8, W / 8].
    """
    batch, frames, height, width = mask.shape
    cells = mask.view(batch, frames, height // _CELL, _CELL, width // _CELL, _CELL)
    cells = cells.permute(0, 3, 5, 1, 2, 4).flatten(1, 2)
    size = ((frames + 3) // 4, height // _CELL, width // _CELL)
    return functional.interpolate(cells, size=size, mode="nearest-exact")


def known_part(keep: Tensor) -> Tensor:
    """Share of given pixels of each token [B, N, 1], from given pixels [B, T, H, W]."""
    first, rest = keep[:, :1], keep[:, 1:].unflatten(1, (-1, 4)).mean(dim=2)
    return functional.avg_pool2d(torch.cat([first, rest], dim=1), 2 * _CELL).flatten(1).unsqueeze(-1)


def random_keep(rng: random.Random, drawn: Tensor, holes: float = HOLES) -> Tensor:
    """A random mask of given pixels: some frames, or all except for a box that cuts the shape if possible.

    Args:
        rng: random numbers.
        drawn: float32 [T, H, W], 1 inside the shape.
        holes: probability of a box; one in twenty boxes is given instead of left out.

    Returns:
        float32 [T, H, W], 1 at given pixels.
    """
    if rng.random() < holes:
        return _hole(rng, drawn)
    keep = torch.zeros_like(drawn)
    kind = rng.random()
    if kind < 0.13:
        keep[0] = 1
    elif kind < 0.54:
        keep[0] = keep[-1] = 1
    elif kind < 0.61:
        keep[-1] = 1
    elif kind < 0.74:
        keep[: rng.choice((5, 5, 9, 9, rng.randrange(2, 13)))] = 1
    else:
        keep[: rng.choice((4, 5, 8, rng.randrange(2, 9)))] = 1
        keep[-rng.choice((1, 1, 4, 5, 8, rng.randrange(2, 8))) :] = 1
    return keep


def _hole(rng: random.Random, drawn: Tensor) -> Tensor:
    inside = rng.random() < 0.95
    for _ in range(_MAX_BOXES):
        area = _box(rng, drawn.shape[1], largest=0.7 if inside else 0.85)
        if 0.05 < float(drawn[area].sum() / drawn.sum().clamp(min=1)) < 0.95:
            break
    keep = torch.full_like(drawn, float(inside))
    keep[area] = 1 - float(inside)
    return keep


def _box(rng: random.Random, side: int, *, largest: float) -> tuple[slice, slice, slice]:
    """A random box, the same in every frame."""
    height, width = (int(side * rng.uniform(0.25, largest)) for _ in range(2))
    top, left = rng.randrange(side - height + 1), rng.randrange(side - width + 1)
    return slice(None), slice(top, top + height), slice(left, left + width)


def _join(first: Tensor, rest: Tensor) -> Tensor:
    return torch.cat([first.unsqueeze(1), rest], dim=1).permute(0, 4, 1, 2, 3)
