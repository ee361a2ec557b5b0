"""The generator of Informative Drawings, which draws pictures as lines."""

from __future__ import annotations

from wangp_cli.networks.line_art.network import LineArt

__all__ = ["LineArt"]
