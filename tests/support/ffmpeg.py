"""Media files made and examined by the programs of FFmpeg."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


def ffmpeg(*arguments: object, stdin: bytes | None = None) -> bytes:
    """Run `ffmpeg` and give its output; text is split into arguments at spaces."""
    words = [word for argument in arguments for word in _words(argument)]
    command = ["ffmpeg", "-hide_banner", "-v", "error", "-y", *words]
    return subprocess.run(command, check=True, input=stdin or b"", stdout=subprocess.PIPE).stdout


def ffprobe(path: Path) -> dict[str, Any]:
    """The streams and format of a file, its frames counted by decoding them."""
    shown = ["-count_frames", "-show_streams", "-show_format", "-of", "json"]
    done = subprocess.run(["ffprobe", "-v", "quiet", *shown, path], check=True, capture_output=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _words(argument: object) -> list[str]:
    return argument.split() if isinstance(argument, str) else [str(argument)]
