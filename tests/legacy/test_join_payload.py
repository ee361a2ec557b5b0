"""Payloads that join clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.payloads import JOIN, line, row, task_of
from wangp_cli.runtime.intake.json_tasks import LineContext, lines_of


def test_a_join_has_what_its_clips_share_and_what_one_join_says() -> None:
    found = line(row("join_clips_orchestrator", JOIN | {"per_join_settings": [{}, {"gap_frame_count": 9}]}))
    assert found.values is not None
    assert found.values["clips"] == ["/in/a.mp4", "/in/b.mp4", "/in/c.mp4"]
    assert (found.values["gap"], found.values["context"]) == ([23, 9], [4, 4])
    assert found.values["mode"] == ["replace", "replace"]
    assert (found.values["size"], found.values["fps"]) == ("832x480", 16)
    assert task_of(found)
    of_clips = JOIN | {"use_input_video_resolution": True, "use_input_video_fps": True}
    assert not (line(row("join_clips_orchestrator", of_clips)).values or {}).keys() & {"size", "fps"}


def test_one_join_may_replace_where_others_insert() -> None:
    own = [{"replace_mode": False, "negative_prompt": "blur"}, {}]
    found = line(row("join_clips_orchestrator", JOIN | {"per_join_settings": own})).values
    assert found is not None
    assert (found["mode"], found["negative_prompt"]) == (["insert", "replace"], ["blur", ""])


def test_a_join_that_names_no_model_has_the_older_worker_s_unless_a_flag_names_one() -> None:
    payload = row("join_clips_orchestrator", JOIN | {"model": None})
    assert (line(payload).values or {})["model"] == "wan_2_2_vace_lightning_baseline_2_2_2"
    (flagged,) = lines_of(payload, LineContext(source="t", folder=Path("/in"), given={"model"}))
    assert "model" not in (flagged.values or {})


def test_a_join_of_two_names_both() -> None:
    pair = {"starting_video_path": "a.mp4", "ending_video_path": "b.mp4", "prompt": "a dog", "model": "x"}
    found = line({"task_type": "join_clips_segment", **pair, "max_wait_time": 9}).values
    assert found is not None
    assert (found["clips"], found["prompt"]) == (["/in/a.mp4", "/in/b.mp4"], ["a dog"])


@pytest.mark.parametrize(("replaces", "strength"), [(True, 0.7), (False, None)])
def test_a_join_starts_from_the_frames_it_replaces_if_it_replaces_any(
    replaces: bool, strength: float | None
) -> None:
    found = line(
        row("join_clips_orchestrator", JOIN | {"replace_mode": replaces, "vid2vid_init_strength": 0.7})
    )
    assert found.values is not None
    assert found.values.get("denoising_strength") == strength
    assert found.values["fit"] == "crop"
    assert task_of(found)
