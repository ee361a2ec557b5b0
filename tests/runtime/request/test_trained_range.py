"""What a model was not trained on is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.support.media_facts import video
from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.models import ModelSpec
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.runtime.request.trained_range import trained_range_notices
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.generate import Generate

PROMPT = "a red circle moves right on a blue background"
FILE = Path("/in.mp4")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(presets_dir() / "models")


def told(spec: ModelSpec, task: str = "generate", *, size: str = "96x96", **values: Any) -> dict[str, str]:
    """The notices of a task by field, planned as `settle` does."""
    kind: Any = TASKS[task]
    made = kind(model=spec.name, **{"prompt": PROMPT, "size": size, **values})
    width, height = map(int, size.split("x"))
    own = video(frames=17, width=width, height=height, fps=Fraction(8))
    fields = [name for name in made.inputs() if getattr(made, name)]
    facts = InputFacts(dict.fromkeys(fields, ((FILE, own),)))
    plan = made.plan({name: (17, 17) if name == "clips" else (17,) for name in fields}, spec, Fraction(8))
    frames = plan.total if plan else int(made.frames)
    found = trained_range_notices(made, spec, facts, frames, plan)
    return {str(notice.field): notice.text for notice in found}


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        ({"frames": 49}, "frames", "one run makes 49, but starter was trained on clips of 17; shorter"),
        (
            {"frames": 49, "sliding_window_size": 17},
            "frames",
            "4 runs make 49, starter was trained on clips of 17",
        ),
        ({"task": "travel", "images": (FILE, FILE), "frames": 21}, "frames", "one run makes 21, but"),
        ({"task": "join", "clips": (FILE, FILE), "gap": 53}, "frames", "one run makes 69, but starter"),
        ({"size": "192x192"}, "size", "192x192, but starter was trained on 96x96"),
        ({"size": "160x96"}, "size", "160x96, but starter was trained on 96x96"),
        ({"video_guide": FILE}, "video_guide", "has little effect, starter was not trained with such"),
        ({"prompt": "a circle"}, "prompt", "'a circle' lacks words, and starter needs colours of the shape"),
        (
            {"prompt": "red on blue"},
            "prompt",
            "'red on blue' lacks words, and starter needs a shape",
        ),
        (
            {"prompt": "red circles on blue"},
            "None",
            "on: circles; it knows circle, one at a time",
        ),
        ({"prompt": "a red cat on blue"}, "None", "not trained on: cat; for anything else use a real model"),
        (
            {"task": "edit", "video": FILE, "portions": ("5-9",), "prompt": "smooth transition"},
            "prompt",
            "there is none, and starter needs a shape and colours of",
        ),
        (
            {"task": "travel", "images": (FILE, FILE, FILE), "prompt": (PROMPT, "a star")},
            "prompt",
            "'a star' lacks words",
        ),
    ],
)
def test_what_the_starter_was_not_trained_on_is_told(
    catalogue: Catalogue, values: dict[str, Any], field: str, text: str
) -> None:
    assert text in told(catalogue.get("starter"), **values)[field]


@pytest.mark.parametrize(
    "values",
    [
        {"frames": 17},
        {"frames": 1, "prompt": "a red circle on a blue background"},
        {"frames": 17, "image_start": FILE, "image_end": FILE},
        {"frames": 17, "video_guide": FILE, "image_mask": FILE},
        {"task": "edit", "video": FILE, "portions": ("5-9",), "context": 4},
    ],
)
def test_nothing_is_told_of_what_it_was_trained_on(catalogue: Catalogue, values: dict[str, Any]) -> None:
    assert told(catalogue.get("starter"), **values) == {}


def test_models_that_generalise_are_given_anything(catalogue: Catalogue) -> None:
    spec = catalogue.get("vace_14B")
    assert told(spec, frames=161, size="192x192", prompt="circles", video_guide=FILE) == {}


def test_an_input_of_another_size_is_told(catalogue: Catalogue) -> None:
    spec = catalogue.get("starter")
    task = Generate(model="starter", prompt=PROMPT, size="96x96", image_start=FILE)
    photo = video(width=1920, height=1080, kind="image", fps=None)
    [notice] = trained_range_notices(task, spec, InputFacts({"image_start": ((FILE, photo),)}), 17, None)
    content = "one flat shape on a plain background"
    assert str(notice) == f"image_start: 1920x1080 is fitted to 96x96; starter was trained on {content}"


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("generate", {"frames": 17, "sliding_window_size": 17}),
        ("travel", {"frames": 17, "overlap": 0}),
        ("join", {"gap": 9, "context": 4, "sliding_window_size": 17}),
        ("edit", {"context": 4, "sliding_window_size": 17}),
        ("inpaint", {"frames": 17, "context": 4}),
    ],
)
def test_defaults_fill_runs_of_the_length_of_the_training(
    catalogue: Catalogue, task: str, wanted: dict[str, int]
) -> None:
    defaults = TASKS[task].model_defaults(catalogue.get("starter"))
    assert {name: defaults[name] for name in wanted} == wanted
    large = catalogue.get("vace_14B")
    assert TASKS[task].model_defaults(large) == large.defaults
