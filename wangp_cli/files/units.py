"""Format quantities for people."""

from __future__ import annotations


def format_bytes(count: float) -> str:
    """A number of bytes in decimal units: `1.5 GB` from 100 million bytes on, else `1.5 MB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
