"""The shares of stages become fractions of a result."""

from __future__ import annotations

import pytest

from wangp_cli.tasks.stages import RENDER_STAGES, StageShare, fractions_of


def test_the_stages_of_a_render_share_its_time() -> None:
    assert fractions_of(RENDER_STAGES) == {
        "load": (0.0, 0.1),
        "encode": (0.1, 0.15),
        "denoise": (0.15, 0.85),
        "decode": (0.85, 0.95),
        "write": (0.95, 1.0),
    }


@pytest.mark.parametrize("weights", [(1,), (1, 3), (7, 11, 13)])
def test_stages_follow_each_other_and_fill_the_result(weights: tuple[int, ...]) -> None:
    stages = [StageShare(str(number), weight, "working") for number, weight in enumerate(weights)]
    spans = list(fractions_of(stages).values())
    assert [begin for begin, _ in spans] == [0.0, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == 1.0
