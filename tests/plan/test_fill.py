"""Segments that fill a gap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.fill import Gap, RunLimits, fill_gap

WAN = Grid()


def test_frames_that_the_grid_needs_are_context_before_the_gap() -> None:
    [segment] = fill_gap(Gap(frames=5, context=3), 20, 20, 20, RunLimits(grid=WAN), [])
    # 3 + 5 + 3 frames are 11, the next on the grid are 13.
    assert (segment.generate, segment.context, segment.context_after, segment.trim) == (13, 5, 3, 0)
    assert (segment.overlap, segment.overlap_after, segment.changed_range) == (3, 3, (17, 28))
    [start] = fill_gap(Gap(frames=5, context=3), 0, 0, 20, RunLimits(grid=WAN), [])
    assert (start.generate, start.context, start.context_after, start.trim) == (9, 0, 4, 1)
    assert start.changed_range == (0, 8)
    [alone] = fill_gap(Gap(frames=6, context=3), 0, 0, 1, RunLimits(grid=WAN), [])
    assert (alone.generate, alone.context_after, alone.trim) == (9, 1, 2)
    [apart] = fill_gap(Gap(frames=5, context=3, crossfade=False), 20, 20, 20, RunLimits(grid=WAN), [])
    assert (apart.generate, apart.context, apart.context_after) == (13, 5, 3)
    assert apart.changed_range == (20, 25)


@given(
    frames=st.integers(1, 300),
    context=st.integers(1, 20),
    before=st.integers(1, 50),
    after=st.integers(0, 50),
    overlap=st.integers(1, 20),
    removed=st.integers(0, 99),
)
def test_windows_fill_a_gap_exactly(
    frames: int, context: int, before: int, after: int, overlap: int, removed: int
) -> None:
    runs = RunLimits(grid=WAN, longest=33, overlap=overlap)
    gap = Gap(frames=frames, context=context, removed=removed)
    windows = fill_gap(gap, before, before, after, runs, [])
    assert sum(window.frames for window in windows) == frames
    # Nothing farther from the gap than the context is crossfaded.
    assert windows[0].overlap <= context
    assert windows[-1].overlap_after <= context
    assert all(window.start - window.overlap >= before - context for window in windows)
    assert sum(window.removed for window in windows) == removed
    assert all(window.frames and window.generate <= 33 for window in windows)
    assert [window.start for window in windows] == [
        before + sum(window.frames for window in windows[:index]) for index in range(len(windows))
    ]


def test_limits_are_set_on_the_grid_and_windows_share_frames() -> None:
    notices: list[Notice] = []
    assert RunLimits(grid=WAN, longest=34).on_grid(notices).longest == 33
    assert list(map(str, notices)) == ["sliding_window_size: 34 became 33, which the model can make"]
    with pytest.raises(RequestError, match="overlap: 0, must be 1 or more"):
        RunLimits(grid=WAN, longest=33, overlap=0, fields=("frames", "overlap")).on_grid(notices)
