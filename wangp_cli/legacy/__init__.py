"""Translate settings and task files of WanGP and of the older worker; unsupported keys are errors."""

from __future__ import annotations

from wangp_cli.legacy.old_keys import RENAMED
from wangp_cli.legacy.task_types import hint_for_key
from wangp_cli.legacy.translate import Translation, translate, translate_values

__all__ = ["RENAMED", "Translation", "hint_for_key", "translate", "translate_values"]
