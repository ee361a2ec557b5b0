"""Payloads of the older worker for tools around a generation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.payload import IgnoredWithNotice, MapsTo, Parts, Payload, flatten
from wangp_cli.legacy.value_parsers import file_name, integer, quote_value

OF_VIDEO_TASK, OF_IMAGE_TASK, IMAGE = "input_video_task_id", "input_image_task_id", "input_image_path"


def _with_file(settings: Mapping[str, Any], *, of_task: str, key: str) -> Mapping[str, Any]:
    """The settings, if `key` names a file.

    Raises:
        RequestError: `of_task` names an earlier task instead, whose files only the older worker knows.
    """
    values = flatten(settings)
    if values.get(of_task) and not values.get(key):
        kind = "video" if of_task == OF_VIDEO_TASK else "image"
        raise RequestError(
            of_task,
            f"{quote_value(values[of_task])} is a task of the older worker, whose {kind} is not known here",
            hint=f"give its file as `{key}`",
        )
    return values


def _nothing(parts: Parts, notices: list[str]) -> dict[str, Any]:  # noqa: ARG001 - of a payload
    """No fields are made of several keys."""
    return {}


EXTRACT_FRAME = Payload(
    task="extract-frame",
    keys={
        "frame_index": MapsTo("frame", integer),
        OF_VIDEO_TASK: IgnoredWithNotice("not used, video is given"),
    },
    build=_nothing,
    pick=partial(_with_file, of_task=OF_VIDEO_TASK, key="video"),
)


def _picture(**fields: Any) -> Payload:
    """Payloads of a control picture of an image; `fields` are what the older worker always draws."""
    return Payload(
        task="preprocess",
        keys={
            IMAGE: MapsTo("video", file_name),
            OF_IMAGE_TASK: IgnoredWithNotice(f"not used, {IMAGE} is given"),
        },
        build=_nothing,
        defaults=fields,
        pick=partial(_with_file, of_task=OF_IMAGE_TASK, key=IMAGE),
    )


OPENPOSE = _picture(kind="pose", pose_parts=["body", "hands", "face"])
DEPTH = _picture(kind="depth")
INTERPOLATE = Payload(
    task="rife",
    keys={
        "input_image_path1": MapsTo("image_start", file_name),
        "input_image_path2": MapsTo("image_end", file_name),
    },
    build=_nothing,
)
