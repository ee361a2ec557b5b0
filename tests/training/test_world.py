from __future__ import annotations

import random
import re

import pytest
import torch

from training.starter.networks import make_tokenizer
from training.starter.world import (
    COLOURS,
    MOTIONS,
    SHAPES,
    caption,
    draw,
    is_withheld,
    paths,
    sample_scene,
    vocabulary,
)


def test_training_never_draws_a_withheld_combination() -> None:
    rng = random.Random(0)
    scenes = [sample_scene(rng) for _ in range(3000)]
    assert not any(is_withheld(scene.shape, scene.colour, scene.motion) for scene in scenes)


def test_every_word_is_seen_in_training_although_combinations_are_withheld() -> None:
    rng = random.Random(0)
    scenes = [sample_scene(rng) for _ in range(3000)]
    assert {scene.shape for scene in scenes} == set(SHAPES)
    assert {scene.colour for scene in scenes} == {scene.background for scene in scenes} == set(COLOURS)
    assert {scene.motion for scene in scenes} == set(MOTIONS)


def test_withheld_scenes_are_all_withheld() -> None:
    rng = random.Random(0)
    scenes = [sample_scene(rng, withheld=True) for _ in range(200)]
    assert all(is_withheld(scene.shape, scene.colour, scene.motion) for scene in scenes)


def test_shapes_stay_inside_the_picture() -> None:
    rng = random.Random(0)
    for _ in range(500):
        x, y, radius = paths(sample_scene(rng, spread=1.0))
        assert all(r <= c <= 1 - r for path in (x, y) for c, r in zip(path, radius, strict=True))


def test_captions_use_words_of_the_vocabulary_alone() -> None:
    rng = random.Random(0)
    texts = [caption(sample_scene(rng), rng) for _ in range(5000)]
    words = {word for text in texts for word in re.findall(r"\w+|[^\w\s]", text)}
    assert words == set(vocabulary())


def test_captions_differ_and_fit_into_training() -> None:
    rng = random.Random(0)
    tokenizer = make_tokenizer()
    scene = sample_scene(rng)
    texts = {caption(scene, rng) for _ in range(200)}
    assert len(texts) > 50
    assert max(len(tokenizer(text).input_ids) for text in texts) <= 20


@pytest.mark.parametrize(
    "prompt", ["", "  ", "Eine Kathedrale!? 🚀", "RED Circle, moves... RIGHT", "a" * 3000]
)
def test_the_tokenizer_takes_any_prompt(prompt: str) -> None:
    tokenizer = make_tokenizer()
    ids = tokenizer(prompt).input_ids
    assert ids[-1] == tokenizer.eos_token_id
    assert all(0 <= token < len(tokenizer) for token in ids)


def test_the_tokenizer_tells_unknown_words_and_ignores_capitals() -> None:
    tokenizer = make_tokenizer()
    assert tokenizer("A Red CIRCLE.").input_ids == tokenizer("a red circle.").input_ids
    assert tokenizer("a red cathedral").input_ids.count(tokenizer.unk_token_id) == 1


def test_clips_are_drawn_between_the_two_colours() -> None:
    scene = sample_scene(random.Random(1))
    clip = draw([scene], frames=5, side=32)
    assert clip.shape == (1, 3, 5, 32, 32)
    corner = torch.tensor(COLOURS[scene.background]) * 2 - 1
    assert torch.allclose(clip[0, :, 0, 0, 0], corner)
