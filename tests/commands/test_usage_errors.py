"""Errors of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from wangp_cli.main import app

OPTIONS = "hint: `wangp {} -h` lists the options"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("generate", "--prompt: blank, say what to show", ""),
        ("generate a red circle", "the prompt is several words", 'hint: wangp generate "a red circle"'),
        ("generate a --steps 2 red circle", "the prompt is", 'hint: wangp generate "a red circle"'),
        ("generate x --guidance-scale x", "--guidance-scale: 'x' is not a number", ""),
        ("generate x --steps 1.5", "--steps: '1.5' is not a whole number", ""),
        ("generate x --steps 0", "--steps: 0 is too small, must be at least 1", ""),
        ("generate x --codec x", "--codec: 'x' is not one of", OPTIONS.format("generate")),
        ("generate x --bogus", "--bogus: there is no such option", ""),
        ("generate x --prest hd", "--prest: there is no such option", "--preset, --prompt?"),
        ("generate x --preset", "option '--preset' requires an argument", ""),
        ("generate x --tea-cache-level 2", "--tea-cache-level: there is no such flag any more", "hint: use "),
        ("edit", "--video: is needed; --portion: is needed", ""),
        ("edit a.mp4 b.mp4", "there is no argument for 'b.mp4'", OPTIONS.format("edit")),
        ("inpaint", "--prompt: is needed; --video: is needed", ""),
        ("models shw", "there is no command 'shw'", "hint: did you mean show?"),
        ("models show", "name: is needed", OPTIONS.format("models show")),
        ("traval", "there is no command 'traval'", "hint: did you mean travel?"),
        ("schema x", "what: 'x' is not one of", OPTIONS.format("schema")),
        ("generate x --progress-interval x", "--progress-interval: 'x' is not a number", ""),
    ],
)
def test_a_wrong_command_line_is_one_message_with_a_hint(
    line: str, message: str, hint: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    words = line.split(" ")
    dry = ["--dry-run"] if words[0] in ("generate", "edit", "inpaint") else []
    result = CliRunner().invoke(app, [words[0], *dry, *words[1:]], prog_name="wangp")
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = [each for each in result.stderr.splitlines() if "starting" not in each]
    assert lines[0].startswith(f"error: {message}")
    assert hint in "\n".join(lines)
    assert "Usage" not in result.stderr
