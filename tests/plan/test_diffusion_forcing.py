"""The waves of diffusion forcing."""

from __future__ import annotations

import pytest

from wangp_cli.plan.diffusion_forcing import round_up_to_block, steps_before_each_pass


def test_frames_that_go_together_make_the_same_steps() -> None:
    assert steps_before_each_pass(3, 2) == [[0, 0, 0], [1, 1, 1]]
    assert steps_before_each_pass(3, 2, known=1) == [[0, 0], [1, 1]]


def test_blocks_begin_one_after_the_other() -> None:
    assert steps_before_each_pass(4, 3, lag=2, block=2) == [
        [0, 0, -2, -2],
        [1, 1, -1, -1],
        [2, 2, 0, 0],
        [3, 3, 1, 1],
        [4, 4, 2, 2],
    ]


def test_the_first_block_that_is_not_whole_begins_at_once() -> None:
    assert steps_before_each_pass(6, 2, known=3, lag=1, block=2) == [[0, -1, -1], [1, 0, 0], [2, 1, 1]]
    assert steps_before_each_pass(6, 2, known=4, lag=1, block=2) == [[0, 0], [1, 1]]


def test_no_block_waits_longer_than_the_one_before_takes() -> None:
    assert (
        steps_before_each_pass(2, 2, lag=9)
        == steps_before_each_pass(2, 2, lag=2)
        == [[0, -2], [1, -1], [2, 0], [3, 1]]
    )


def test_where_all_is_known_or_nothing_is_denoised_there_is_no_pass() -> None:
    assert steps_before_each_pass(3, 2, known=3, lag=1) == []
    assert steps_before_each_pass(3, 0, lag=1) == []


@pytest.mark.parametrize(("frames", "block", "whole"), [(25, 5, 25), (21, 5, 25), (1, 5, 5), (21, 1, 21)])
def test_blocks_are_whole(frames: int, block: int, whole: int) -> None:
    assert round_up_to_block(frames, block) == whole
