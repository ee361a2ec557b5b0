"""The scenes that the starter is trained on: a flat shape that moves on a plain background, with captions."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SHAPES = ("circle", "square", "triangle", "star")
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.08, 0.08),
    "green": (0.08, 0.65, 0.15),
    "blue": (0.10, 0.20, 0.90),
    "yellow": (0.97, 0.90, 0.10),
    "cyan": (0.10, 0.85, 0.90),
    "pink": (0.98, 0.55, 0.80),
    "orange": (0.98, 0.48, 0.05),
    "purple": (0.50, 0.10, 0.65),
    "white": (0.97, 0.97, 0.97),
    "black": (0.03, 0.03, 0.03),
}
MOTIONS = ("right", "left", "up", "down", "stays", "grows", "shrinks")
SIZES = {"small": (0.14, 0.18), "big": (0.23, 0.28), "": (0.15, 0.27)}
SIZE_WORDS = {"small": ("small", "little"), "big": ("big", "large"), "": ("",)}
FRAMES = 17
SIDE = 96

_DIRECTIONS = {
    "right": ("right", "to the right", "rightwards"),
    "left": ("left", "to the left", "leftwards"),
    "up": ("up", "upwards", "upward"),
    "down": ("down", "downwards", "downward"),
}
_VERBS = (("moves", "moving"), ("moves", "moving"), ("goes", "going"), ("slides", "sliding"))
_OTHER_PHRASES = {
    "stays": (
        ("stays still", "staying still"),
        ("does not move", "not moving"),
        ("stays in place", "staying in place"),
        ("stands still", "standing still"),
        ("stays", "staying"),
    ),
    "grows": (
        ("grows", "growing"),
        ("gets bigger", "getting bigger"),
        ("gets larger", "getting larger"),
        ("expands", "expanding"),
    ),
    "shrinks": (("shrinks", "shrinking"), ("gets smaller", "getting smaller"), ("contracts", "contracting")),
}
_PLACES = (
    "on a {background} background",
    "over a {background} background",
    "against a {background} background",
    "on {background}",
    "over {background}",
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The content of a clip; lengths are shares of the side of the frame."""

    shape: str
    colour: str
    background: str
    motion: str
    size: str
    radius: float
    across: float
    """Position of the path across its direction, between its limits, 0 to 1."""
    start: float
    """Start of the path between its limits, 0 to 1."""
    travel: float
    """Share of the free path that is used, 0 to 1."""


def is_withheld(shape: str, colour: str, motion: str) -> bool:
    """Whether a combination is withheld from training, on every background; about one in ten is."""
    return zlib.crc32(f"{colour} {shape} {motion}".encode()) % 10 == 0


def sample_scene(rng: random.Random, *, withheld: bool = False, spread: float = 0.3) -> Scene:
    """A random scene.

    Args:
        withheld: draw only withheld combinations; otherwise never one of them.
        spread: largest deviation of the path from the middle, 0 to 1.
    """
    while True:
        shape, motion = rng.choice(SHAPES), rng.choice(MOTIONS)
        colour, background = rng.sample(sorted(COLOURS), 2)
        if is_withheld(shape, colour, motion) == withheld:
            break
    size = rng.choice(("", "small", "big"))
    return Scene(
        shape=shape,
        colour=colour,
        background=background,
        motion=motion,
        size=size,
        radius=rng.uniform(*SIZES[size]),
        across=0.5 + (rng.random() - 0.5) * spread,
        start=0.5 + (rng.random() - 0.5) * max(spread, 0.5),
        travel=rng.uniform(0.75, 1.0),
    )


def caption(scene: Scene, rng: random.Random) -> str:
    """A random caption of a scene; a few leave out the motion or the background."""
    omitted = rng.random()
    plain, continuous = ("", "") if omitted < 0.03 else _motion_phrases(scene.motion, rng)
    place = "" if 0.03 <= omitted < 0.06 else rng.choice(_PLACES).format(background=scene.background)
    place = place.replace("a orange", "an orange")
    thing = f"{rng.choice(SIZE_WORDS[scene.size])} {scene.colour} {scene.shape}".strip()
    article = "the" if rng.random() < 0.1 else "an" if thing[0] in "aeiou" else "a"
    style = rng.random()
    if style < 0.50:
        text = f"{article} {thing} {plain} {place}"
    elif style < 0.65:
        text = f"{article} {thing} {continuous} {place}"
    elif style < 0.80:
        text = f"{thing} {continuous}, {scene.background} background" if place else f"{thing} {continuous}"
    elif style < 0.90:
        text = f"{place}, {article} {thing} {plain}" if place else f"{article} {thing} {plain}"
    else:
        text = f"{place} {article} {thing} {plain}"
    text = " ".join(text.replace(" ,", ",").split())
    return text + "." if rng.random() < 0.1 else text


def plain_caption(scene: Scene) -> str:
    """The standard caption of a scene: "a red circle moves right on a blue background"."""
    phrase = f"moves {scene.motion}" if scene.motion in _DIRECTIONS else _OTHER_PHRASES[scene.motion][0][0]
    thing = f"{scene.size} {scene.colour} {scene.shape}".strip()
    article = "an" if thing[0] in "aeiou" else "a"
    place = f"on a {scene.background} background".replace("a orange", "an orange")
    return f"{article} {thing} {phrase} {place}"


def vocabulary() -> tuple[str, ...]:
    """All words and punctuation of captions, sorted."""
    texts = [",", ".", "a an the", *SHAPES, *COLOURS, *(" ".join(words) for words in SIZE_WORDS.values())]
    texts += [place.format(background="") for place in _PLACES]
    texts += [" ".join(ways) for ways in _DIRECTIONS.values()]
    texts += [" ".join(pair) for pair in _VERBS]
    texts += [" ".join(pair) for pairs in _OTHER_PHRASES.values() for pair in pairs]
    return tuple(sorted({word for text in texts for word in text.split()}))


def paths(scene: Scene, frames: int = FRAMES) -> tuple[list[float], list[float], list[float]]:
    """X and y of the centre, and radius of the shape, per frame."""
    times = [i / (frames - 1) for i in range(frames)]
    if scene.motion in _DIRECTIONS:
        return _moving(scene, times)
    radius = scene.radius
    largest = radius
    radii = [radius] * frames
    if scene.motion != "stays":
        largest = radius * 1.45
        radii = [radius * (0.5 + 0.95 * t) for t in times]
        radii = radii[::-1] if scene.motion == "shrinks" else radii
    low, high = largest + 0.02, 1 - largest - 0.02
    x, y = low + (high - low) * scene.across, low + (high - low) * scene.start
    return [x] * frames, [y] * frames, radii


def draw(scenes: Sequence[Scene], frames: int = FRAMES, side: int = SIDE) -> Tensor:
    """Render clips of scenes.

    Returns:
        float32 [B, 3, T, H, W] in [-1, 1].
    """
    alpha = coverage(scenes, frames, side).unsqueeze(1)
    shape = (len(scenes), 3, 1, 1, 1)
    front = torch.tensor([COLOURS[scene.colour] for scene in scenes]).view(shape)
    back = torch.tensor([COLOURS[scene.background] for scene in scenes]).view(shape)
    return (back + (front - back) * alpha) * 2 - 1


def coverage(scenes: Sequence[Scene], frames: int = FRAMES, side: int = SIDE) -> Tensor:
    """Share of each pixel that the shape covers.

    Returns:
        float32 [B, T, H, W] in [0, 1].
    """
    grid = (torch.arange(side) + 0.5) / side
    x, y = grid.view(1, 1, -1), grid.view(1, -1, 1)
    clips = []
    for scene in scenes:
        centre_x, centre_y, radius = (torch.tensor(path).view(-1, 1, 1) for path in paths(scene, frames))
        distance = signed_distance(scene.shape, (x - centre_x) / radius, (y - centre_y) / radius)
        clips.append((0.5 - distance * radius * side).clamp(0, 1))
    return torch.stack(clips)


def signed_distance(shape: str, x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to the border of a shape of radius 1 at the origin; negative inside, y points down."""
    if shape == "circle":
        return torch.sqrt(x * x + y * y) - 1
    if shape == "square":
        return torch.maximum(x.abs(), y.abs()) - 0.87
    if shape == "triangle":
        return torch.maximum(y - 0.62, -0.5 * y + 0.866 * x.abs() - 0.58)
    return _star_distance(x, y)


def _star_distance(x: Tensor, y: Tensor) -> Tensor:
    """A star with five points: each tenth of the plane is folded onto one edge."""
    outer, inner, step = 1.2, 0.5, math.pi / 5
    angle = torch.remainder(torch.atan2(x, -y) + step, 2 * step) - step
    radius = torch.sqrt(x * x + y * y)
    folded_x, folded_y = radius * torch.cos(angle), radius * torch.sin(angle).abs()
    edge_x, edge_y = inner * math.cos(step) - outer, inner * math.sin(step)
    length = math.hypot(edge_x, edge_y)
    return (folded_x - outer) * (edge_y / length) - folded_y * (edge_x / length)


def _moving(scene: Scene, times: list[float]) -> tuple[list[float], list[float], list[float]]:
    low, high = scene.radius + 0.02, 1 - scene.radius - 0.02
    reach = (high - low) * scene.travel
    begin = low + (high - low - reach) * scene.start
    path = [begin + reach * t for t in times]
    path = path[::-1] if scene.motion in ("left", "up") else path
    across = [low + (high - low) * scene.across] * len(times)
    radii = [scene.radius] * len(times)
    return (path, across, radii) if scene.motion in ("left", "right") else (across, path, radii)


def _motion_phrases(motion: str, rng: random.Random) -> tuple[str, str]:
    if motion not in _DIRECTIONS:
        return rng.choice(_OTHER_PHRASES[motion])
    (plain, continuous), direction = rng.choice(_VERBS), rng.choice(_DIRECTIONS[motion])
    return f"{plain} {direction}", f"{continuous} {direction}"
