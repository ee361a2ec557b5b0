"""The words of the older tools, translated in one place; what we do not serve is rejected by name."""

from __future__ import annotations

from wangp_cli.legacy.names import RENAMED
from wangp_cli.legacy.translate import Translation, read, translate
from wangp_cli.legacy.types import owner_of

__all__ = ["RENAMED", "Translation", "owner_of", "read", "translate"]
