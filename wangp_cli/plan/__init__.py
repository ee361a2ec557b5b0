"""Frame arithmetic: how many frames each part of a long video has, before any model runs."""

from wangp_cli.plan.edit import Portion, plan_edit
from wangp_cli.plan.inpaint import plan_inpaint
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.model import JoinPlan, KeptRange, PlacedImage, Plan, Segment
from wangp_cli.plan.text import describe
from wangp_cli.plan.timeline import frame_count_at_fps, resample_frame_indices, stretch_frame_indices
from wangp_cli.plan.travel import plan_travel
from wangp_cli.plan.windows import plan_windows, window_count

__all__ = [
    "Bridge",
    "JoinPlan",
    "KeptRange",
    "PlacedImage",
    "Plan",
    "Portion",
    "Segment",
    "describe",
    "frame_count_at_fps",
    "plan_edit",
    "plan_inpaint",
    "plan_join",
    "plan_travel",
    "plan_windows",
    "resample_frame_indices",
    "stretch_frame_indices",
    "window_count",
]
