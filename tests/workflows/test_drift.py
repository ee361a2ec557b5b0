"""Colours along a chain of segments, with a model that shifts them a little in every one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make
from tests.support.clips import moving
from tests.support.echo import Tint, use_echo
from wangp_cli.media.clip import as_float, as_uint8
from wangp_cli.media.match import to_lab
from wangp_cli.media.stills import write_image

SEGMENTS = 6


@pytest.mark.parametrize("images", [1, SEGMENTS + 1])
def test_colours_do_not_drift_along_a_chain(
    make: Make, tmp_path: Path, adapters: dict[str, Any], images: int
) -> None:
    use_echo(adapters, Tint)
    pictures = [as_uint8(as_float(moving(1, 32, 32)) * 0.4 + 0.2 + 0.03 * (i % 3)) for i in range(images)]
    for index, picture in enumerate(pictures):
        write_image(tmp_path / f"{index}.png", picture)

    def distance(strength: float) -> float:
        """Mean L*a*b* distance of the last frame from the last picture, which stands there or is held."""
        made = make(
            "tiny_vace",
            type="travel",
            images=[tmp_path / f"{index}.png" for index in range(images)],
            frames=[13] * SEGMENTS,
            overlap=[4],
            colour_match=strength,
            name=f"drift{strength}",
        )
        assert made.outcome.manifest is not None
        assert len(made.outcome.manifest["plan"]["segments"]) == SEGMENTS
        return float(np.linalg.norm(to_lab(made.frames[-1:]) - to_lab(pictures[-1]), axis=-1).mean())

    off, half, on = distance(0), distance(0.5), distance(1)
    assert on < half < off
    assert on <= off / 4
