"""Procedural scenes of moving layers, of which motion, visibility and alpha are known exactly.

A scene has a background and layers above it. Each is a texture of dead leaves (discs, boxes and lines whose
sizes follow r^-3, over 1/f noise) that moves with the camera and by itself: it shifts, turns, scales,
speeds up and bends. Where a point of a layer is at any time is a closed formula, and its inverse converges
in a few steps, so frames of any times and the flow between any two of them come without estimation.

Source: Madhusudana et al. 2022, Revisiting Dead Leaves Model (arXiv:2203.10748), for the textures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from wangp_cli.media.clip import Frames, as_uint8

_CONTROL_POINTS = 5
"""Along each side, of the field that bends a layer."""
_FIELD_SIDE = 33
_INVERSE_STEPS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One moving layer.

    Args:
        texture: `[1, 3, S, S]`, centred on the origin of the layer; it is mirrored beyond its sides.
        shape: `[1, 1, S, S]`, alpha at the same place, 0 beyond its sides; None is opaque everywhere.
        start: x and y of the origin at time 0, in pixels from the centre of the picture.
        velocity: x and y, pixels per frame at time 0.
        acceleration: x and y, pixels per frame and frame; it leaves the place at time 1 as it is.
        turn: radians per frame at time 0.
        growth: relative to the size, per frame at time 0.
        bend: `[1, 2, F, F]`, x and y of the pixels that points move in one frame at time 0.
        sway: frames of a whole swing to and fro; None moves on for ever.
    """

    texture: Tensor
    shape: Tensor | None
    start: Tensor
    velocity: Tensor
    acceleration: Tensor
    turn: float
    growth: float
    bend: Tensor
    sway: float | None

    def placed(self, points: Tensor, time: float) -> Tensor:
        """Where points of the layer are in the picture, both `[1, 2, H, W]` from the centre."""
        moved = self._phase(time)
        return self._turned(points + moved * self._bent(points), moved) + self._origin(moved)

    def found(self, places: Tensor, time: float) -> Tensor:
        """Which points of the layer are at places of the picture: the inverse of `placed`."""
        moved = self._phase(time)
        scale = (1 + self.growth * moved) ** 2
        straight = self._turned(places - self._origin(moved), moved, back=True) / scale
        points = straight
        for _ in range(_INVERSE_STEPS):
            points = straight - moved * self._bent(points)
        return points

    def colours(self, points: Tensor) -> Tensor:
        """`[1, 3, H, W]` at points of the layer."""
        return _sampled(self.texture, points, "reflection")

    def alpha(self, points: Tensor) -> Tensor:
        """`[1, 1, H, W]` at points of the layer."""
        if self.shape is None:
            return torch.ones_like(points[:, :1])
        return _sampled(self.shape, points, "zeros")

    def _phase(self, time: float) -> float:
        if self.sway is None:
            return time
        return self.sway / (2 * np.pi) * float(np.sin(2 * np.pi * time / self.sway))

    def _origin(self, moved: float) -> Tensor:
        place = self.start + self.velocity * moved + self.acceleration * (moved * (moved - 1))
        return place[None, :, None, None]

    def _turned(self, points: Tensor, moved: float, *, back: bool = False) -> Tensor:
        angle, scale = self.turn * moved * (-1 if back else 1), 1 + self.growth * moved
        cosine, sine = scale * float(np.cos(angle)), scale * float(np.sin(angle))
        x, y = points[:, 0], points[:, 1]
        return torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=1)

    def _bent(self, points: Tensor) -> Tensor:
        grid = (points / (self.texture.shape[-1] / 2)).permute(0, 2, 3, 1)
        return functional.grid_sample(self.bend, grid, padding_mode="border", align_corners=True)


class MovingScene:
    """A background and layers above it, all moving; frames and the truth about them at any time.

    Args:
        seed: of everything; scenes of the same arguments are equal.
        width: in pixels.
        height: in pixels.
        layers: above the background.
        speed: most pixels that a layer moves by itself in one frame; slow layers are more frequent.
        sway: frames of a whole swing to and fro, which keeps layers in the picture; None moves on for ever.
        sizes: smallest and largest radius of the shapes of layers, relative to the smaller side.
        noise: standard deviation of the noise of `frame`, different at every time.
    """

    def __init__(
        self,
        seed: int,
        *,
        width: int = 128,
        height: int = 128,
        layers: int = 3,
        speed: float = 10.0,
        sway: float | None = None,
        sizes: tuple[float, float] = (0.1, 0.4),
        noise: float = 0.0,
    ) -> None:
        self.seed, self.noise = seed, noise
        across = torch.arange(width) - (width - 1) / 2
        down = torch.arange(height) - (height - 1) / 2
        self._places = torch.stack(torch.meshgrid(across, down, indexing="xy"))[None].float()
        random = np.random.default_rng(seed)
        camera = _vector(random, 0.5 * speed)
        side = int(1.75 * max(width, height))
        self.layers = [
            _layer(
                random,
                side,
                radii=None if number == 0 else (sizes[0] * min(width, height), sizes[1] * min(width, height)),
                start=(0, 0) if number == 0 else random.uniform(-0.3, 0.3, 2) * (width, height),
                velocity=camera + _vector(random, speed * (0.3 if number == 0 else 1)),
                sway=sway,
            )
            for number in range(layers + 1)
        ]

    def frame(self, time: float) -> Tensor:
        """float32 `[1, 3, H, W]` in [0, 1], the picture at a time in frames."""
        picture = torch.zeros(1, 3, *self._places.shape[2:])
        for layer in self.layers:
            points = layer.found(self._places, time)
            alpha = layer.alpha(points)
            picture = picture * (1 - alpha) + layer.colours(points) * alpha
        if self.noise:
            random = np.random.default_rng([self.seed, round(time * 1_000_000)])
            picture = picture + torch.from_numpy(random.normal(0, self.noise, picture.shape)).float()
        return picture.clamp(0, 1)

    def clip(self, count: int) -> Frames:
        """uint8 `[count, H, W, 3]`, the pictures at the times 0, 1, 2 and so on."""
        pictures = torch.cat([self.frame(time) for time in range(count)])
        return as_uint8(pictures.permute(0, 2, 3, 1).numpy())

    def flow(self, time: float, to: float) -> Tensor:
        """float32 `[1, 2, H, W]`: how far what is seen at each pixel at a time has moved at another."""
        flow = torch.zeros_like(self._places)
        for number, layer in enumerate(self.layers):
            moved = layer.placed(layer.found(self._places, time), to) - self._places
            flow = torch.where(self._seen(time) == number, moved, flow)
        return flow

    def visible(self, time: float, to: float) -> Tensor:
        """bool `[1, 1, H, W]`: whether what each pixel shows at a time is seen at another, too."""
        there = self._places + self.flow(time, to)
        height, width = there.shape[2:]
        inside = (there[:, :1].abs() <= (width - 1) / 2) & (there[:, 1:].abs() <= (height - 1) / 2)
        return inside & (self._seen(to, at=there) == self._seen(time))

    def alpha(self, time: float, layer: int) -> Tensor:
        """float32 `[1, 1, H, W]` in [0, 1]: how much of each pixel is of a layer; 0 is the background.

        What layers above it hide does not count, so that the alphas of all layers sum to 1.
        """
        alpha = torch.zeros(1, 1, *self._places.shape[2:])
        for number, part in enumerate(self.layers):
            own = part.alpha(part.found(self._places, time))
            alpha = own if number == layer else alpha * (1 - own)
        return alpha

    def _seen(self, time: float, at: Tensor | None = None) -> Tensor:
        """`[1, 1, H, W]`, the number of the topmost layer that is mostly opaque."""
        places = self._places if at is None else at
        seen = torch.zeros(1, 1, *places.shape[2:], dtype=torch.long)
        for number, layer in enumerate(self.layers):
            seen[layer.alpha(layer.found(places, time)) > 0.5] = number
        return seen


def _sampled(pictures: Tensor, points: Tensor, beyond: str) -> Tensor:
    grid = (points / (pictures.shape[-1] / 2)).permute(0, 2, 3, 1)
    return functional.grid_sample(pictures, grid, padding_mode=beyond, align_corners=False)


def _layer(
    random: np.random.Generator,
    side: int,
    *,
    radii: tuple[float, float] | None,
    start: NDArray[np.float64] | tuple[float, float],
    velocity: NDArray[np.float64],
    sway: float | None,
) -> Layer:
    shape = None if radii is None else torch.from_numpy(_shape(random, side, radii))[None, None]
    bend = torch.from_numpy(random.normal(0, 1, (1, 2, _CONTROL_POINTS, _CONTROL_POINTS))).float()
    bend = functional.interpolate(bend, size=(_FIELD_SIDE, _FIELD_SIDE), mode="bicubic", align_corners=True)
    # Over a swing the changes of one frame add up.
    gentle = 1.0 if sway is None else 8 / sway
    return Layer(
        texture=torch.from_numpy(texture(random, side)).permute(2, 0, 1)[None],
        shape=shape,
        start=torch.tensor(start, dtype=torch.float32),
        velocity=torch.tensor(velocity, dtype=torch.float32),
        acceleration=torch.from_numpy(random.normal(0, 1, 2) * _sometimes(random, 0.3)).float()
        * (1 if sway is None else 0),
        turn=random.uniform(-0.17, 0.17) * _sometimes(random, 0.6) * gentle,
        growth=random.uniform(-0.12, 0.12) * _sometimes(random, 0.6) * gentle,
        bend=bend * random.uniform(0, 3) * _sometimes(random, 0.5) * gentle,
        sway=sway,
    )


def texture(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Leaves of many sizes over noise, sometimes with stripes: float32 `[side, side, 3]` in [0, 1]."""
    colours = random.uniform(0.5, 1, 3)
    picture = random.uniform(0.1, 0.9, 3) + _noise(random, side)[..., None] * colours * random.uniform(
        0.02, 0.15
    )
    smallest, largest = random.uniform(2, 6), random.uniform(20, 70)
    for _ in range(random.integers(0, 160)):
        # The inverse of the distribution of a density of r^-3.
        part = random.random()
        radius = (smallest**-2 + part * (largest**-2 - smallest**-2)) ** -0.5
        _paint(random, picture, random.uniform(0.05, 0.95, 3), random.uniform(0, side, 2), radius)
    if random.random() < 0.25:
        angle, length = random.uniform(0, np.pi), random.uniform(4, 24)
        y, x = np.mgrid[:side, :side]
        waves = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / length)
        picture += random.uniform(0, 0.2) * waves[..., None]
    return picture.clip(0, 1).astype(np.float32)


def _shape(random: np.random.Generator, side: int, radii: tuple[float, float]) -> NDArray[np.float32]:
    """A solid shape around the centre and perhaps more: float32 `[side, side]` in [0, 1]."""
    alpha = np.zeros((side, side, 1))
    radius = random.uniform(*radii)
    for number in range(random.integers(1, 4)):
        centre = side / 2 + random.normal(0, 0.5, 2) * radius
        part = radius * random.uniform(0.5, 1)
        _paint(random, alpha, np.ones(1), centre, part, kinds=3 if number else 2)
    return alpha[..., 0].astype(np.float32)


def _paint(
    random: np.random.Generator,
    picture: NDArray[np.float64],
    colour: NDArray[np.float64],
    centre: NDArray[np.float64],
    radius: float,
    kinds: int = 3,
) -> None:
    """Paint an ellipse, a box or, of three kinds, a line, turned by any angle, with smooth edges."""
    kind = random.integers(0, kinds)
    angle = random.uniform(0, np.pi)
    across = radius * random.uniform(0.35, 1) if kind < 2 else random.uniform(0.7, 2)
    reach = int(np.ceil(radius * 1.5 + 2))
    left, top = (max(int(at) - reach, 0) for at in centre)
    right, bottom = (int(at) + reach + 1 for at in centre)
    part = picture[top:bottom, left:right]
    y, x = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]].astype(np.float64)
    x, y = x - centre[0], y - centre[1]
    along, beside = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if kind == 0:
        distance = (np.hypot(along / radius, beside / across) - 1) * across
    else:
        distance = np.maximum(np.abs(along) - radius, np.abs(beside) - across)
    cover = (0.5 - distance).clip(0, 1)[..., None]
    part += (colour - part) * cover


def _noise(random: np.random.Generator, side: int) -> NDArray[np.float64]:
    """1/f noise of mean 0 and deviation 1."""
    spectrum = np.fft.rfft2(random.normal(0, 1, (side, side)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency ** random.uniform(0.8, 2), s=(side, side))
    return np.asarray(noise / noise.std())


def _vector(random: np.random.Generator, largest: float) -> NDArray[np.float64]:
    length, angle = largest * random.random() ** 1.4, random.uniform(0, 2 * np.pi)
    return np.array([length * np.cos(angle), length * np.sin(angle)])


def _sometimes(random: np.random.Generator, share: float) -> float:
    return float(random.random() < share)
