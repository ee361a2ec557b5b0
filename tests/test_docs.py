"""What the documents tell people to type."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from wangp_cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def lines() -> list[tuple[str, str]]:
    """Each command line of a code block, with its page."""
    found = []
    for page in PAGES:
        for block in re.findall(
            r"```(?:sh|console|bash)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
        ):
            for line in block.replace("\\\n", " ").splitlines():
                if match := re.search(r"(?:^|[\s/])wangp (.*)", line.split(" #")[0]):
                    found.append((page.name, match[1].split(" | ")[0].split(" > ")[0].split(" && ")[0]))
    return found


@pytest.mark.parametrize(("page", "line"), lines())
def test_every_flag_in_the_documents_exists(page: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    strange = [
        w.split("=")[0] for w in words if w.startswith("--") and w.split("=")[0] not in known | {"--help"}
    ]
    assert not strange, f"{page}: wangp {line}"
