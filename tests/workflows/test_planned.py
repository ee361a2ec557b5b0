"""Videos made by a plan, with tiny models."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make, Run
from tests.support.echo import Negative, use_echo
from tests.support.planned_videos import clip, plan_of, unchanged
from wangp_cli.media.clip import as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.runtime.intake.settings_file import load_settings_file


def join(make: Make, clips: list[Path], **said: Any) -> Any:
    return make("tiny_vace", type="join", clips=clips, **({"gap": 5, "context": 2} | said))


@pytest.mark.parametrize(("mode", "total"), [("insert", 25), ("replace", 20)])
def test_a_join_has_the_planned_length_and_leaves_what_it_keeps(
    make: Make, tmp_path: Path, mode: str, total: int
) -> None:
    clips = [clip(tmp_path, "a", 11, sound=True), clip(tmp_path, "b", 9, sound=True)]
    made = join(make, clips, mode=mode)
    assert (plan_of(made)["total"], len(made.frames), probe(made.path).frames) == (total, total, total)
    assert len(read_audio(made.path).samples) == total * 1000
    count, equal = unchanged(made, clips)
    assert equal == count == 20 - 4 - (5 if mode == "replace" else 0)


def test_a_join_draws_the_gap_and_crossfades_its_context(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, "a", 11), clip(tmp_path, "b", 9)]
    frames = as_uint8(join(make, clips).frames).astype(int)
    given = as_uint8(read_video(clips[0]).frames).astype(int)
    changes = [np.abs(frames[index] - given[index]).mean() for index in (8, 9, 10)]
    assert changes[0] == 0 < changes[1] < changes[2]


def test_many_clips_loop_and_each_join_has_its_own_numbers(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, name, frames) for name, frames in (("a", 9), ("b", 10), ("c", 11))]
    prompt = ["a red circle", "a blue square", "the red square"]
    made = join(make, clips, gap=[3, 5, 7], context=[1, 2, 3], loop=True, prompt=prompt)
    plan = plan_of(made)
    assert [s["frames"] for s in plan["segments"]] == [3, 5, 7]
    assert plan["total"] == len(made.frames) == 9 + 10 + 11 + 15
    count, equal = unchanged(made, clips)
    assert equal == count > 0


def test_the_first_clip_gives_rate_and_size_and_others_are_fitted(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, "a", 9), clip(tmp_path, "b", 9, fps=8, size=64, height=48)]
    made = join(make, clips, fit="crop")
    facts = probe(made.path)
    assert (facts.width, facts.height, facts.fps) == (32, 32, Fraction(16))
    # Nine frames at half the rate last as long as seventeen.
    assert facts.frames == plan_of(made)["total"] == 9 + 5 + 17
    asked = join(make, clips, size="48x32", fps="8", fit="pad", name="other")
    facts = probe(asked.path)
    assert (facts.width, facts.height, facts.fps, facts.frames) == (48, 32, Fraction(8), 5 + 5 + 9)
    # Four to three in three to two, shown whole, leaves bars at both sides.
    assert not as_uint8(asked.frames)[-1, :, [0, -1]].any()


def test_clips_keep_a_size_off_the_grid_of_the_model(
    make: Make, tmp_path: Path, adapters: dict[str, Any]
) -> None:
    use_echo(adapters, Negative)
    clips = [clip(tmp_path, "a", 11, size=46, height=30)] * 2
    made = join(make, clips, gap=3)
    assert made.frames.shape[1:3] == (30, 46)
    assert unchanged(made, clips) == (18, 18)
    # A codec of even sizes takes that of the model.
    odd = [clip(tmp_path, "odd", 11, size=47, height=31)] * 2
    made = make("tiny_vace", type="join", clips=odd, gap=3, context=2, codec="h264", name="odd")
    assert made.frames.shape[1:3] == (16, 32)


Kept = dict[int, tuple[int, range]]
"""By the first output frame of a kept range: clip, and its frames."""
PROMISES: list[tuple[str, dict[str, Any], Kept]] = [
    ("edit", {"portions": ["10-12"], "context": 2}, {0: (0, range(8)), 15: (0, range(15, 24))}),
    (
        "edit",
        {"portions": ["6-11", "12-16"], "keep_ends": True},
        {0: (0, range(7)), 11: (0, range(11, 13)), 16: (0, range(16, 24))},
    ),
    (
        # The context of the second gap reaches over the first, into frames that stay.
        "join",
        {"clips": [0, 2, 1], "gap": [1, 3], "context": [1, 8]},
        {0: (0, range(23)), 41: (1, range(8, 11))},
    ),
    ("travel", {"video_source": 0, "frames": 9, "longest": 17, "overlap": 6}, {0: (0, range(24))}),
    ("travel svi", {"video_source": 0, "frames": 5, "mode": "svi"}, {0: (0, range(24))}),
]
MORE_PROMISES: list[tuple[str, dict[str, Any], Kept]] = [
    ("edit", {"portions": ["20-23"], "context": 3}, {0: (0, range(17))}),
    ("edit", {"portions": ["0-2"], "context": 3}, {6: (0, range(6, 24))}),
    (
        "edit",
        {"portions": ["6-11"], "keep_ends": True, "gap": 9},
        {0: (0, range(7)), 16: (0, range(11, 24))},
    ),
    (
        "edit",
        {"portions": ["3-20"], "keep_ends": True, "sliding_window_size": 13},
        {0: (0, range(4)), 20: (0, range(20, 24))},
    ),
    ("join", {"gap": 3, "context": 2}, {0: (0, range(22)), 29: (1, range(2, 11))}),
    ("join", {"gap": 4, "context": 2, "mode": "replace"}, {0: (0, range(20)), 28: (1, range(4, 11))}),
    ("join", {"gap": 3, "context": 2, "loop": True}, {0: (0, range(22)), 29: (1, range(2, 9))}),
    ("inpaint", {"portion": "8-12", "context": 2, "frames": 9}, {0: (0, range(8)), 13: (0, range(13, 24))}),
    ("travel", {"video_source": 0, "frames": [5, 5]}, {0: (0, range(24))}),
    ("travel", {"video_source": 0, "frames": 5, "mode": "independent"}, {0: (0, range(24))}),
]
SLOW_PROMISES = [pytest.param(*case, marks=pytest.mark.slow) for case in MORE_PROMISES]


@pytest.mark.parametrize(("kind", "values", "kept"), [*PROMISES, *SLOW_PROMISES], ids=str)
def test_what_is_promised_to_stay_is_the_same_bit_for_bit(
    make: Make, tmp_path: Path, adapters: dict[str, Any], kind: str, values: dict[str, Any], kept: Kept
) -> None:
    use_echo(adapters, Negative)
    clips = [clip(tmp_path, name, frames) for name, frames in (("a", 24), ("b", 11), ("c", 5))]
    task, _, svi = kind.partition(" ")
    values = {"colour_match": 0, **values}
    if task == "join":
        values["clips"] = [clips[number] for number in values.get("clips", (0, 1))]
    elif task == "travel":
        values["video_source"] = clips[values["video_source"]]
    else:
        values["video"] = clips[0]
    made = make("tiny_i2v" if svi else "tiny_vace", type=task, **values)
    frames, given = as_uint8(made.frames), [as_uint8(read_video(path).frames) for path in clips]
    for at, (number, numbers) in kept.items():
        same = [np.array_equal(frames[at + place], given[number][f]) for place, f in enumerate(numbers)]
        assert all(same)
    promised = {at + place for at, (_, numbers) in kept.items() for place in range(len(numbers))}
    new = set(range(len(frames))) - promised
    everything = np.concatenate(given)
    generated = [at for at in new if not (frames[at] == everything).all(axis=(1, 2, 3)).any()]
    # A crossfade ends with a frame of the clip that follows.
    assert len(generated) >= len(new) - 2


def test_colours_are_matched_unless_told_not_to(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, "a", 9), clip(tmp_path, "b", 9)]
    half, full, none = (
        as_uint8(join(make, clips, colour_match=strength, name=f"c{strength}").frames)[9:14].astype(int)
        for strength in (0.5, 1.0, 0.0)
    )
    assert np.abs(full - none).mean() > np.abs(half - none).mean() > 0


def test_a_result_makes_itself_again(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, "a", 9, sound=True), clip(tmp_path, "b", 9)]
    first = join(make, clips, seed=-1)
    again = make(None, layers=(load_settings_file(first.path),), name="again", type="join")
    assert np.array_equal(first.frames, again.frames)
    assert np.array_equal(read_audio(first.path).samples, read_audio(again.path).samples)


@pytest.mark.slow
def test_a_batch_joins_clips(run: Run, tiny_env: dict[str, str], tmp_path: Path) -> None:
    clip(tmp_path, "a", 9)
    clip(tmp_path, "b", 9)
    lines = [
        {"type": "join", "clips": ["a.mkv", "b.mkv"], "gap": 5, "context": 2, "task_id": "j", "seed": 1},
        {"type": "join", "clips": ["a.mkv", "gone.mkv"], "task_id": "k"},
        {"prompt": "a red circle", "task_id": "g", "frames": 1},
    ]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ("--model", "tiny_vace", "--frames", 5, "--codec", "ffv1", "--output-dir", "out")
    result = run("batch", "tasks.jsonl", *flags, env=tiny_env, code=1)
    ends = {e["task"]: e["type"] for e in result.events if e["type"] in ("task.completed", "task.rejected")}
    assert ends == {"j": "task.completed", "k": "task.rejected", "g": "task.completed"}
    [manifest] = [
        e["data"]["manifest"] for e in result.events if e["type"] == "task.completed" and e["task"] == "j"
    ]
    assert probe(manifest["artifacts"][0]["path"]).frames == manifest["plan"]["total"] == 23


def test_a_start_from_a_video_is_the_frames_that_are_replaced(
    make: Make, tmp_path: Path, adapters: dict[str, Any]
) -> None:
    seen = use_echo(adapters).inputs
    clips = [clip(tmp_path, "a", 11), clip(tmp_path, "b", 9)]
    a, b = (as_uint8(read_video(path).frames) for path in clips)
    said: dict[str, Any] = {"context": 2, "denoising_strength": 0.5}
    join(make, clips, mode="replace", gap=5, **said)
    join(make, clips[:1], mode="replace", gap=4, loop=True, name="loop", **said)
    video = {"type": "edit", "video": clips[0]}
    make("tiny_vace", portions=["3-6"], name="same", **video, **said)
    make("tiny_vace", portions=["6-10"], gap=3, name="tail", **video, **said)
    make("tiny_vace", type="inpaint", video=clips[0], portion="0-5", frames=9, name="inpaint", **said)
    # Join, loop, edit, shorter tail, inpaint; each with context, and what the grid asks for.
    wanted = [
        np.concatenate([a[7:], b[:5]]),
        np.concatenate([a[7:], a[:4]]),
        a[1:9],
        a[[6, 8, 10]],
        a[:8],
    ]
    for inputs, frames in zip(seen, wanted, strict=True):
        assert inputs.initial is not None
        assert inputs.control is not None
        assert len(inputs.initial) == len(inputs.control)
        found = as_uint8(inputs.initial.frames)
        places = range(len(found) - len(frames) + 1)
        assert any(np.array_equal(found[at : at + len(frames)], frames) for at in places)


def test_less_noise_stays_nearer_to_what_was_there(make: Make, tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 17)
    given = as_uint8(read_video(video).frames)[5:12].astype(int)
    said = {"type": "edit", "video": video, "portions": ["5-11"], "context": 2, "steps": 8, "colour_match": 0}
    far, near = (
        np.abs(as_uint8(make("tiny_vace", denoising_strength=x, name=f"d{x}", **said).frames)[5:12] - given)
        for x in (1, 0.25)
    )
    assert near.mean() < far.mean()
