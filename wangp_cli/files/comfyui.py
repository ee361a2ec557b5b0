"""Recognise documents of ComfyUI, which are no settings, tasks or weights of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wangp_cli.files import strict_json

MAX_BYTES = 16 << 20
WORKFLOW = "a workflow of ComfyUI"
API_PROMPT = "an API prompt of ComfyUI (a workflow of ComfyUI as its server takes it)"
WRAPPERS = ("prompt", "workflow", "output")
"""Keys under which requests and saved files hold a document."""


def describe(document: Any) -> str | None:
    """What a document of ComfyUI is; None for others."""
    if not isinstance(document, Mapping):
        return None
    if isinstance(document.get("nodes"), list) and isinstance(document.get("links"), list | dict):
        return WORKFLOW
    nodes = [value for value in document.values() if isinstance(value, Mapping) and "class_type" in value]
    if nodes and len(nodes) == len(document):
        return API_PROMPT
    inner = (document[key] for key in WRAPPERS if isinstance(document.get(key), Mapping))
    return next(filter(None, map(describe, inner)), None)


def describe_file(path: Path) -> str | None:
    """What a file is if it holds a document of ComfyUI; None for others, and files that cannot be read."""
    try:
        with path.open("rb") as file:
            return describe(strict_json.loads(file.read(MAX_BYTES), limit=MAX_BYTES))
    except (OSError, ValueError):
        return None
