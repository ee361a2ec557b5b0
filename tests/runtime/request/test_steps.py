"""Steps of settling a task, each on a draft alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny
from tests.support.media_facts import video
from wangp_cli.errors import RequestError
from wangp_cli.runtime.request import steps
from wangp_cli.runtime.request.draft import Draft
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.runtime.request.steps import (
    DRAWN,
    settle_dtypes,
    settle_frames,
    settle_rate,
    settle_seed,
    settle_size,
)
from wangp_cli.tasks.edit import Edit
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.inpaint import Inpaint
from wangp_cli.tasks.join import Join
from wangp_cli.tasks.travel import Travel
from wangp_cli.value_layers import DEFAULT, Origin

FLAG = Origin("flag", "flag")


VIDEO = Path("/video.mp4")


def draft(
    spec: str = "vace", *, given: tuple[str, ...] = (), facts: dict[str, Any] | None = None, **values: Any
) -> Draft:
    """A draft of a task with these values, of which those `given` come from flags."""
    task = Generate(model="x", prompt="x", **{"size": "64x32", **values})
    origin = dict.fromkeys(Generate.model_fields, DEFAULT) | dict.fromkeys(given, FLAG)
    files = {field: ((VIDEO, fact),) for field, fact in (facts or {}).items()}
    return Draft(task=task, spec=tiny.spec(spec), facts=InputFacts(files), origin=origin)


@pytest.mark.parametrize(("device", "settled"), [("cpu", "float32"), ("cuda", "bfloat16")])
def test_a_dtype_without_instructions_becomes_float32_with_a_notice(
    device: str, settled: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(steps, "is_slow", lambda dtype: dtype == "bfloat16")
    task = draft(device=device, dtype="bfloat16", vae_dtype="bfloat16", given=("dtype",))
    found = settle_dtypes(task)
    assert (found.settled_task.dtype, found.settled_task.vae_dtype) == (settled, settled)
    if settled == "float32":
        assert str(found.origin["vae_dtype"]) == "in place of bfloat16"
        assert notices(found)[1].startswith("vae_dtype: float32, this CPU has no instructions for bfloat16")
        with pytest.raises(RequestError, match="vae_dtype: this CPU"):
            settle_dtypes(draft(device="cpu", vae_dtype="bfloat16", exact=True))


def notices(settled: Draft) -> list[str]:
    return [str(notice) for notice in settled.notices]


def test_the_rate_is_that_of_the_continued_video_unless_one_is_given() -> None:
    settled = settle_rate(draft(facts={"video_source": video()}, fps="16"))
    assert (settled.rate, settled.values["fps"]) == (Fraction(12), "12")
    assert settled.origin["fps"] == Origin("input", "rate of video_source")
    assert notices(settled) == ["fps: rate of video_source, makes 12"]
    kept = settle_rate(draft(facts={"video_source": video()}, fps="16", given=("fps",)))
    assert (kept.rate, kept.origin["fps"], kept.notices) == (Fraction(16), FLAG, ())


def test_a_rate_out_of_range_names_the_file_that_has_it() -> None:
    with pytest.raises(RequestError, match="frames a second") as caught:
        settle_rate(draft(facts={"video_source": video(fps=Fraction(1, 2))}))
    assert caught.value.field == "video_source"


@pytest.mark.parametrize(
    ("frames", "made", "text"), [(9, 9, "default"), (12, 13, "snapped from 12"), ("1s", 17, "1s at 16 fps")]
)
def test_frames_are_set_on_the_grid(frames: Any, made: int, text: str) -> None:
    settled = settle_frames(settle_rate(draft(frames=frames, fps="16")))
    assert (settled.frames, settled.values["frames"], str(settled.origin["frames"])) == (made, made, text)
    assert notices(settled) == ([] if made == frames else [f"frames: {text}, makes {made}"])


def test_a_plan_settles_the_frames_and_leaves_the_field() -> None:
    task = Edit(model="x", video=VIDEO, portions=("4-8",), prompt="x", context=2)
    facts = InputFacts({"video": ((VIDEO, video()),)})
    origin = dict.fromkeys(Edit.model_fields, DEFAULT)
    settled = settle_frames(Draft(task=task, spec=tiny.spec("vace"), facts=facts, origin=origin))
    assert settled.plan is not None
    assert (settled.frames, settled.plan.total, settled.values) == (31, 31, {})


@pytest.mark.parametrize("given", [(), ("context", "overlap")])
@pytest.mark.parametrize("task", [Edit, Inpaint, Join, Travel])
def test_less_context_than_the_default_is_told_where_one_was_given(
    task: type[Edit | Inpaint | Join | Travel], given: tuple[str, ...]
) -> None:
    values: dict[type, dict[str, Any]] = {
        Edit: {"video": VIDEO, "portions": ("4-8",)},
        Inpaint: {"video": VIDEO, "portion": "4-8"},
        Join: {"clips": (VIDEO, VIDEO), "gap": 5},
        Travel: {"video_source": VIDEO, "images": (VIDEO,), "frames": 9, "overlap": 8},
    }
    field = {Edit: "video", Inpaint: "video", Join: "clips", Travel: "video_source"}[task]
    one = (VIDEO, video(frames=3 if task in (Join, Travel) else 12))
    drafted = Draft(
        task=task(model="x", prompt="x", **values[task]),
        spec=tiny.spec("vace"),
        facts=InputFacts({field: (one, one)[: len(values[task].get("clips", "x"))]}),
        origin=dict.fromkeys(task.model_fields, DEFAULT) | dict.fromkeys(given, FLAG),
    )
    settled = settle_frames(drafted)
    told = [text for text in notices(settled) if text.startswith(("context", "overlap"))]
    assert bool(told) == bool(given)
    assert settled.plan is not None
    assert [str(notice) for notice in settled.plan.notices] == notices(settled)


def test_the_size_has_the_shape_of_an_input_unless_one_is_given() -> None:
    facts = {"image_start": video(width=64, height=128, fps=None, kind="image")}
    settled = settle_size(draft(facts=facts))
    assert (settled.values["size"], str(settled.origin["size"])) == ("32x64", "shape of image_start")
    kept = settle_size(draft(facts=facts, given=("size",), size="70x32"))
    assert (kept.values["size"], str(kept.origin["size"])) == ("64x32", "snapped from 70x32")
    assert notices(kept) == ["size: snapped from 70x32, makes 64x32"]


def test_a_seed_is_drawn_only_where_none_is_given() -> None:
    drawn = settle_seed(draft(seed=-1))
    assert drawn.origin["seed"] == DRAWN
    assert 0 <= drawn.settled_task.seed < 2**32
    given = draft(seed=7)
    assert settle_seed(given) is given


def test_a_drawn_seed_is_told_where_no_file_name_shows_it() -> None:
    assert notices(settle_seed(draft(seed=-1))) == []
    drawn = settle_seed(draft(seed=-1, output=Path("a.mp4")))
    assert notices(drawn) == [f"seed: drawn, makes {drawn.values['seed']}"]
