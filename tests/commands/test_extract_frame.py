"""`wangp extract-frame`, and its lines in a batch."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.clips import numbered, numbers
from wangp_cli.media.stills import read_image
from wangp_cli.media.write import write_video


@pytest.mark.slow
def test_frames_of_a_command_and_of_a_batch(run: Run, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mkv", [numbered(30)], fps=Fraction(10))
    found = run(
        "extract-frame", "clip.mkv", "--frame", "-1", "--frame", "1.2s", "--output-dir", "out", code=0
    )
    made = [Path(line) for line in found.stdout.splitlines()]
    assert [(path.name, *numbers(read_image(path))) for path in made] == [
        ("clip_frame_-1.png", 29),
        ("clip_frame_1.2s.png", 12),
    ]
    lines = [
        {"type": "extract-frame", "task_id": "two", "video": "clip.mkv", "frame": [3, 4]},
        {"task_type": "extract_frame", "task_id": "old", "video": "clip.mkv", "frame_index": -2},
    ]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("batch", "tasks.jsonl", "--output-dir", "batch", code=0)
    pictures = sorted((tmp_path / "batch").glob("*.png"))
    assert [(path.name, *numbers(read_image(path))) for path in pictures] == [
        ("old.png", 28),
        ("two-001.png", 3),
        ("two-002.png", 4),
    ]
