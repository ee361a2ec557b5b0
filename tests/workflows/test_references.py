"""Reference pictures: how they are shown, and what is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make
from tests.support.media_files import picture
from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.media.stills import write_image
from wangp_cli.runtime.request.check_inputs import check_inputs
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.inputs import read_inputs

PHANTOM = Catalogue(presets_dir() / "models").models["phantom_1.3B"]


def test_references_are_shown_whole_on_white(tmp_path: Path) -> None:
    wide = np.zeros((1, 16, 64, 4), np.uint8)
    wide[..., 0] = wide[:, :, :32, 3] = 255
    write_image(tmp_path / "half.png", wide)
    task = Generate(
        model="phantom_1.3B", prompt="a", size="32x32", frames=5, image_refs=(tmp_path / "half.png",)
    )
    [shown] = read_inputs(task, PHANTOM, check_inputs(task, [], {})).inputs.references
    assert shown.frames.shape == (1, 32, 32, 3)
    assert shown.frames[0, 16, 4].tolist() == pytest.approx([1, 0, 0], abs=0.01)
    for row, column in ((2, 4), (30, 4), (16, 28)):
        assert shown.frames[0, row, column].tolist() == pytest.approx([1, 1, 1], abs=0.01)


def test_phantom_shows_its_references_in_their_order(make: Make, tmp_path: Path) -> None:
    pictures = [picture(tmp_path, "a", 3), picture(tmp_path, "b", 4)]
    changes: list[dict[str, Any]] = [
        {"image_refs": pictures, "guidance_scale": 3.0},
        {"image_refs": pictures[::-1], "guidance_scale": 3.0},
        {"image_refs": pictures[:1], "guidance_scale": 3.0},
        {"image_refs": pictures, "guidance_scale": 3.0, "image_guidance_scale": 1.0},
        {"image_refs": pictures},
    ]
    made = [make("tiny_phantom", name=f"n{n}", **change) for n, change in enumerate(changes)]
    assert len({one.frames.tobytes() for one in made}) == len(changes)


@pytest.mark.parametrize(
    ("model", "count", "said", "message"),
    [
        ("phantom_1.3B", 0, {}, "--image-ref: model 'phantom_1.3B' needs a reference image"),
        ("phantom_1.3B", 5, {}, "--image-ref: 5 images, but model 'phantom_1.3B' takes at most 4"),
        ("phantom_1.3B", 1, {"apg": True}, "--apg: model 'phantom_1.3B' guides in passes of its own"),
        ("vace_1.3B", 1, {"image_guidance_scale": 4.0}, "--image-guidance-scale: 4.0, but model 'vace_1.3B'"),
    ],
)
def test_what_a_model_cannot_use_is_refused_without_its_weights(
    make: Make, tmp_path: Path, model: str, count: int, said: dict[str, Any], message: str
) -> None:
    pictures = [picture(tmp_path, f"p{n}", n) for n in range(count)]
    outcome = make(model, image_refs=pictures, **said).outcome
    assert outcome.exit_code == 2
    assert str(outcome.error).startswith(message)
