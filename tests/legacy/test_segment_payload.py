"""Payloads of single segments of a travel."""

from __future__ import annotations

from tests.support.payloads import TRAVEL, line, row


def test_a_segment_says_less_than_its_travel_and_beats_it() -> None:
    own = {"num_frames": 29, "base_prompt": "a hen", "seed_to_use": 42, "start_image_url": "s.png"}
    found = line(
        row("individual_travel_segment", TRAVEL, segment_index=1, individual_segment_params=own)
    ).values
    assert found is not None
    assert (found["images"], found["frames"], found["prompt"]) == (["/in/s.png"], 29, ["a hen"])
    assert found["seed"] == 42
    plain = line(row("individual_travel_segment", TRAVEL, segment_index=1)).values
    assert plain is not None
    assert plain["images"] == ["/in/1.png", "/in/2.png"]
    assert (plain["frames"], plain["prompt"], plain["seed"]) == (65, ["two cats"], 789)


def test_a_segment_that_continues_another_is_refused() -> None:
    found = line(row("travel_segment", TRAVEL, segment_index=1))
    assert found.error is not None
    assert found.error.field == "segment_index"
    assert line(row("travel_segment", TRAVEL | {"chain_segments": False}, segment_index=1)).values
