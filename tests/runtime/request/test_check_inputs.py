"""Checks of input files."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.media_facts import video
from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.plan.inpaint import plan_inpaint
from wangp_cli.plan.timeline import GuideSpan, Timing
from wangp_cli.plan.travel import plan_travel
from wangp_cli.runtime.request.check_inputs import (
    check_inputs,
    check_mask_length,
    rate_notices,
    speech_notices,
)
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.inpaint import Inpaint
from wangp_cli.tasks.travel import Travel


def test_speech_that_is_shorter_than_the_video_is_told() -> None:
    facts = InputFacts({"audio_guide": ((Path("/a.wav"), video(audio_seconds=2.0)),)})
    assert speech_notices(facts, None, 33, Fraction(16)) == []
    [notice] = speech_notices(facts, None, 49, Fraction(16))
    assert str(notice) == "audio_guide: 2.00 s, but 3.06 s are made, silence follows it"
    assert speech_notices(InputFacts({}), None, 49, Fraction(16)) == []


def test_a_lora_that_has_changed_is_refused(tmp_path: Path) -> None:
    lora, task = tmp_path / "a.safetensors", Generate(model="m", prompt="x")
    lora.write_bytes(b"abc")
    checksums = {str(lora): hashlib.sha256(b"abc").hexdigest()}
    assert check_inputs(task, [lora], checksums).by_field == {}
    lora.write_bytes(b"abd")
    with pytest.raises(RequestError, match="is not the file this request was made with") as caught:
        check_inputs(task, [lora], checksums)
    assert caught.value.field == "loras"


@pytest.mark.parametrize(
    ("mask", "fits"),
    [
        ((40, Fraction(30)), True),
        ((40, Fraction(25)), True),
        ((12, Fraction(30)), True),
        ((80, Fraction(60000, 1001)), True),
        ((39, Fraction(30)), False),
        ((20, Fraction(30)), False),
    ],
)
def test_a_mask_is_as_long_as_the_video_by_number_or_by_time(mask: tuple[int, Fraction], fits: bool) -> None:
    rate = Fraction(30000, 1001)
    source, masks = Path("v.mp4"), Path("m.mp4")
    task = Inpaint(model="m", prompt=("x",), video=source, video_mask=masks, portion="8-19")
    facts = InputFacts(
        {
            "video": ((source, video(frames=40, fps=rate)),),
            "video_mask": ((masks, video(frames=mask[0], fps=mask[1])),),
        }
    )
    plan = plan_inpaint(40, 8, 20, grid=Grid(), fps=rate)
    if fits:
        check_mask_length(task, facts, plan)
    else:
        with pytest.raises(RequestError, match="wanted 40 or 12, as the video or the portion"):
            check_mask_length(task, facts, plan)


@pytest.mark.parametrize(
    ("timing", "how"), [("fit", "is stretched over its range"), ("trim", "keeps its speed at 16 fps")]
)
def test_a_control_video_of_a_travel_at_another_rate_is_told(timing: Timing, how: str) -> None:
    path = Path("/g.mp4")
    task = Travel(model="m", prompt=("x",), images=(Path("a.png"), Path("b.png")), video_guide=(path,))
    plan = plan_travel(2, [17], grid=Grid(), fps=Fraction(16))
    guided = plan.model_copy(update={"guides": (GuideSpan(video=0, start=0, end=17, timing=timing),)})
    facts = InputFacts({"video_guide": ((path, video(fps=Fraction(30))),)})
    assert [str(notice) for notice in rate_notices(task, facts, guided, Fraction(16))] == [
        f"video_guide: 30 fps, {how}"
    ]


def test_a_control_video_at_another_rate_is_told() -> None:
    task, guide = Generate(model="m", prompt="x"), Path("/g.mp4")
    facts = InputFacts({"video_guide": ((guide, video(fps=Fraction(30))),)})
    [notice] = rate_notices(task, facts, None, Fraction(16))
    assert str(notice) == "video_guide: 30 fps, is used frame by frame at 16 fps, 0.53 times as fast"
    assert rate_notices(task, facts, None, Fraction(30000, 1001)) == []
