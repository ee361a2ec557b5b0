"""Payloads of the older worker for tools around a generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import IgnoredWithNotice, MapsTo, Parts, Payload, flatten
from wangp_cli.legacy.value_parsers import integer, quote_value

OF_TASK = "input_video_task_id"


def _with_video(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings, if they name a video file.

    Raises:
        RequestError: they name an earlier task instead, whose files are known to the older worker alone.
    """
    values = flatten(settings)
    if values.get(OF_TASK) and not values.get("video"):
        raise RequestError(
            OF_TASK,
            f"{quote_value(values[OF_TASK])} is a task of the older worker, whose video is not known here",
            hint="give its file as `video`",
        )
    return values


def _nothing(parts: Parts, notices: list[str]) -> dict[str, Any]:  # noqa: ARG001 - of a payload
    """No fields are made of several keys."""
    return {}


EXTRACT_FRAME = Payload(
    task="extract-frame",
    keys={
        "frame_index": MapsTo("frame", integer),
        OF_TASK: IgnoredWithNotice("not used, video is given"),
    },
    build=_nothing,
    pick=_with_video,
)
