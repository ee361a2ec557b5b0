"""Facts of files that are not there."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from wangp_cli.media.facts import MediaFacts


def video(**changes: Any) -> MediaFacts:
    """Facts of a video of 24 frames of 128 x 64 at 12 frames per second, with these changes."""
    values: dict[str, Any] = {"kind": "video", "width": 128, "height": 64, "frames": 24, "fps": Fraction(12)}
    return MediaFacts(**values | changes)
