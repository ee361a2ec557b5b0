"""Files of camera poses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wangp_cli.plan.camera_paths import path_cameras


def row(values: Any, end: int) -> str:
    return f"[{' '.join(f'{value:.6g}' for value in values)} {end}]"


def written(folder: Path, cameras: dict[str, str], frames: int = 5) -> Path:
    """A file in the form of the data set, the cameras on known paths from somewhere in a world."""
    made = {name: path_cameras(path, frames) for name, path in cameras.items()}
    data: dict[str, Any] = {}
    for index in range(frames):
        data[f"frame{index}"] = {}
        for name, path in made.items():
            forward, right, up, (x, y, z) = path[index]
            rows = [row(axis, 0) for axis in (forward, right, up)] + [row((x + 3390, y + 1380, z + 240), 1)]
            data[f"frame{index}"][name] = " ".join(rows) + " "
    (folder / "cameras.json").write_text(json.dumps(data))
    return folder / "cameras.json"
