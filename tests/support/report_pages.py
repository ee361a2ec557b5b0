"""Run histories and the pages made of them."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from wangp_cli.files.checksum import sha256_of
from wangp_cli.media.write import write_video
from wangp_cli.runtime.history.log import HISTORY
from wangp_cli.runtime.report.page import Page
from wangp_cli.runtime.report.read_history import History, read_history

REQUEST = {
    "type": "generate",
    "prompt": "a red circle",
    "model": "tiny",
    "seed": 7,
    "size": "64x48",
    "steps": 30,
}
NASTY = [
    "</script><script>document.title='owned'</script>",
    "<!-- <script> <img src=x onerror=document.title='owned'>",
    'it\'s "quoted" $(id) `id` !! \\ *',
    "\x1b[31mred\x1b[0m bell\x07 line\nend \x85",
    "abc\u202egpj.exe\u2066x",
    "--help",
    "-p",
    "=x",
    " ",
    "קרוסלה 🦊 ‍",
]


def clip(path: Path, frames: int = 4) -> Path:
    """Write a short video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((frames, 48, 64, 3), 90, np.uint8)
    write_video(path, [pixels], fps=Fraction(8))
    return path


def line(task_id: str, folder: Path, *files: Path, **changes: Any) -> dict[str, Any]:
    """A line of the history; what is changed in `request` is merged."""
    artifacts = [
        {"path": str(file), "sha256": sha256_of(file), "bytes": file.stat().st_size} for file in files
    ]
    body = {"task_id": task_id, "output_dir": str(folder), "status": "success", "artifacts": artifacts}
    body["timestamp"] = f"2026-01-0{1 + len(task_id) % 9}T10:00:00+00:00"
    return body | changes | {"request": REQUEST | changes.get("request", {})}


def history(folder: Path, *lines: dict[str, Any] | str) -> History:
    """Write the lines and read them back."""
    path = folder / HISTORY
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return read_history(path, folder)


def written(folder: Path, found: History, **changes: Any) -> tuple[Path, dict[str, Any], dict[str, int]]:
    """Write the page; gives it, the data in it and the counts."""
    page = Page(path=folder / "report.html", run_dir=folder, **changes)
    counts = page.write(found, overwrite=True)
    data = re.search(r'id="data">(.*?)</script>', page.path.read_text(encoding="utf-8"), re.DOTALL)
    assert data
    return page.path, json.loads(data[1]), counts
