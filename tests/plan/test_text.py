"""Plans as text."""

from __future__ import annotations

from fractions import Fraction

from wangp_cli.grid import Grid
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.text import describe
from wangp_cli.plan.travel import plan_travel

WAN = Grid()


def test_a_plan_reads_like_this() -> None:
    plan = plan_travel(3, [80], [10], grid=WAN, fps=Fraction(16), before=33)
    assert describe(plan).splitlines() == [
        "276 frames at 16 fps, 17.25 s; the model makes 279 in 3 runs",
        "           0-32  clip 0, frames 0-32",
        "         33-113  segment 0, made as 93, context 12, dropped 12",
        "        114-194  segment 1, made as 93, context 12, crossfade 10, dropped 2",
        "        195-275  segment 2, made as 93, context 12, crossfade 10, dropped 2",
        "images at frames 113, 194, 275",
        "note: frames: 80 became 81, which the model can make",
    ]
    joined = plan_join([9, 9], [Bridge(gap=0)], grid=WAN, fps=Fraction(30000, 1001))
    assert describe(joined).splitlines()[::2] == [
        "18 frames at 30000/1001 fps, 0.60 s; the model makes 17 in 1 run",
        "           at 9  segment 0, made as 17, context 9, context after 8, crossfade 8, crossfade after 8, "
        "dropped 1",
    ]
