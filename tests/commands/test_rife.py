"""The files of `wangp rife`: a video, or two images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.media_files import picture


@pytest.mark.parametrize(
    "arguments", [("a.png", "b.png"), ("--image-start", "a.png", "--image-end", "b.png")]
)
def test_two_images_are_given_in_their_order(shown: Any, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    for seed, name in enumerate("ab"):
        picture(tmp_path, name, seed)
    request = json.loads(shown("rife", *arguments, "--dry-run", code=0).stdout)["request"]
    names = [request["video"], *(Path(request[field]).name for field in ("image_start", "image_end"))]
    assert names == [None, "a.png", "b.png"]
