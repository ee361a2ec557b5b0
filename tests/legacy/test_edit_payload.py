"""Payloads that regenerate portions of a video."""

from __future__ import annotations

from tests.support.payloads import EDIT, line, row, task_of


def test_portions_keep_their_prompts_and_their_length() -> None:
    found = line(row("edit_video_orchestrator", EDIT))
    assert found.values is not None
    assert found.values["portions"] == ["16-33:a dog: red", "49-66"]
    assert (found.values["fps"], "gap" in found.values) == (24, False)
    assert task_of(found)
    portions = [
        EDIT["portions_to_regenerate"][0] | {"gap_frame_count": 5},
        {"start_frame": 49, "end_frame": 66},
    ]
    more = line(
        row("edit_video_orchestrator", EDIT | {"portions_to_regenerate": portions, "replace_mode": True})
    )
    assert more.values is not None
    assert (more.values["gap"], more.values["keep_ends"]) == ([5, 16], True)


def test_a_range_to_fill_is_painted() -> None:
    given = {"video_path": "a.mp4", "inpaint_start_frame": 45, "inpaint_end_frame": 61, "prompt": "a dog"}
    found = line({"task_type": "inpaint_frames", "model": "x", **given}).values
    assert found is not None
    assert (found["type"], found["portion"], found["prompt"]) == ("inpaint", "45-60", "a dog")
