"""Translate settings and task files of WanGP and of the older worker; unsupported keys are errors."""

from __future__ import annotations

from wangp_cli.legacy.documents import is_definition
from wangp_cli.legacy.old_keys import RENAMED
from wangp_cli.legacy.task_types import OLD_TYPES, hint_for_key
from wangp_cli.legacy.text_syntax import prompts
from wangp_cli.legacy.translate import Translation, translate, translate_values

__all__ = [
    "OLD_TYPES",
    "RENAMED",
    "Translation",
    "hint_for_key",
    "is_definition",
    "prompts",
    "translate",
    "translate_values",
]
