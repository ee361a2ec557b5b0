"""Keys that no table knows: misspelt ones, and those of other versions of the older tools."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from wangp_cli.errors import nearest
from wangp_cli.files.safe_text import quote_for_message

MISSPELT = 0.85
"""Similarity, 0 to 1, from which on a key is taken for a misspelt one."""
MOST_NAMES = 20
"""Most keys that a notice names."""


def is_misspelt(key: str, known: Collection[str]) -> bool:
    """Whether a key is not a known one, but almost; programs write those that begin with `_`."""
    return (
        key not in known
        and not key.startswith("_")
        and bool(get_close_matches(key, list(known), n=1, cutoff=MISSPELT))
    )


def unknown_keys_notice(keys: Sequence[str], known: Collection[str]) -> str:
    """The notice that keys of a document are not used, with similar ones that would be."""
    named = ", ".join(_with_hint(key, known) for key in keys[:MOST_NAMES])
    more = f" and {len(keys) - MOST_NAMES} more" if len(keys) > MOST_NAMES else ""
    return f"not used, there are no such keys here: {named}{more}"


def _with_hint(key: str, known: Collection[str]) -> str:
    name = key if key.isidentifier() and key.isascii() else quote_for_message(key)
    return f"{name} ({nearest(key, list(known))})" if is_misspelt(key, known) else name
