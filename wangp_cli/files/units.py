"""Format quantities for people."""

from __future__ import annotations


def format_bytes(count: float) -> str:
    """A number of bytes in decimal units: `1.5 GB` from 100 million bytes on, else `1.5 MB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def format_seconds(seconds: float) -> str:
    """A length of time: `5 s`, from 90 seconds on `2 min`, from 90 minutes on `1.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
