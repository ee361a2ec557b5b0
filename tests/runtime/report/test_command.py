"""The shell command that repeats a request."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.report_pages import NASTY, REQUEST
from wangp_cli.runtime.report.command import command_of


def test_the_command_says_what_is_not_the_tasks_own_default(tmp_path: Path) -> None:
    request = {
        **{"type": "generate", "prompt": "two foxes", "model": "vace_14B", "size": "832x480", "steps": 30},
        **{"fps": "24000/1001", "seed": 7, "vae_tiling": 256, "guidance_scale": 5.0, "flow_shift": 3.5},
        **{"image_start": "../in/a b.png", "image_refs": ["x.png", "-y.png"], "loras": ["s.safetensors@0.8"]},
    }
    origin = dict.fromkeys(request, "flag") | {
        "size": "default",
        "steps": "model vace_14B",
        "type": "command",
    }
    assert command_of(request, origin, Path("/out/run")) == (
        "wangp generate 'two foxes' --model vace_14B --image-start '/out/in/a b.png' "
        "--image-ref /out/run/x.png --image-ref /out/run/-y.png --fps 24000/1001 --steps 30 "
        "--flow-shift 3.5 --seed 7 --guidance-scale 5 --lora s.safetensors@0.8 --vae-tiling 256"
    )


@pytest.mark.parametrize(
    "change", [{"type": "nope"}, {"type": 3}, {"new_key": 1}, {"steps": "many"}, {"prompt": "  "}]
)
def test_a_request_that_this_version_cannot_make_has_no_command(change: dict[str, Any]) -> None:
    assert command_of(REQUEST | change, {}, Path("/")) is None


@pytest.mark.parametrize("text", [text for text in NASTY if text.strip()])
def test_the_command_gives_the_program_the_very_prompt(text: str, tmp_path: Path) -> None:
    command = command_of(REQUEST | {"prompt": text}, {}, tmp_path)
    assert command is not None
    done = subprocess.run(
        ["bash", "-c", f'wangp() {{ printf "%s\\0" "$@"; }}; {command}'], capture_output=True, check=True
    )
    words = done.stdout.decode().split("\0")
    assert words[1] == (f"--prompt={text}" if text.startswith("-") else text)
