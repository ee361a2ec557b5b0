"""Tell the documents of other tools apart: by what they say of themselves, or by their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from wangp_cli.errors import RequestError
from wangp_cli.files import comfyui
from wangp_cli.legacy.old_keys import ONLY_LIGHTX2V_KEYS, ONLY_OLD_KEYS, ONLY_WORKER_KEYS
from wangp_cli.legacy.task_types import is_old_type, task_type_of
from wangp_cli.tasks import TASKS, TaskTypes

DocumentKind = Literal["own", "wangp", "worker", "lightx2v", "definition"]
"""`own` is a document of wangp, `worker` a payload of the older worker, `definition` a model of WanGP."""
OWN_NAMES = frozenset({"model", "frames", "steps", "size", "fps", "sampler", "count"})
"""Names that WanGP has other keys for: a document with one of them is no document of WanGP."""


def kind_of(settings: Mapping[str, Any], tasks: TaskTypes = TASKS) -> DocumentKind:
    """The tool that a document is of.

    Raises:
        RequestError: it is a workflow of ComfyUI, which is not read.
    """
    name = task_type_of(settings)
    if name in tasks:
        return "own"
    if is_old_type(name):
        return "worker"
    if is_wangp_type(name) or "settings_version" in settings:
        return "wangp"
    return _kind_by_keys(settings)


def _kind_by_keys(settings: Mapping[str, Any]) -> DocumentKind:
    if kind := comfyui.describe(settings):
        raise RequestError(
            "document",
            f"it is {kind}, which is not read",
            hint="give its prompt and its values as flags or as keys of a task",
        )
    # A task without a type may use old keys beside our own names; it stays a document of ours.
    is_old = settings.keys() & ONLY_OLD_KEYS and not settings.keys() & OWN_NAMES
    kinds: dict[DocumentKind, Any] = {
        "definition": is_definition(settings),
        "lightx2v": len(settings.keys() & ONLY_LIGHTX2V_KEYS) > 1,
        "worker": settings.keys() & ONLY_WORKER_KEYS,
        "wangp": is_old,
    }
    return next((kind for kind, holds in kinds.items() if holds), "own")


def is_wangp_type(name: Any) -> bool:
    """Whether a `type` is the text that WanGP writes into its settings files."""
    return isinstance(name, str) and bool(re.search(r"wan2?gp", name, re.IGNORECASE))


def is_definition(settings: Mapping[str, Any]) -> bool:
    """Whether a document defines a model of WanGP; its other keys are the model's default settings."""
    return isinstance(settings.get("model"), dict)
