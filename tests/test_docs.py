"""What the documents tell people to type."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.conftest import clean_environment
from wangp_cli.main import app
from wangp_cli.media.write import write_video
from wangp_cli.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "docs" / "samples"
GUIDES = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "DESIGN.md", *(ROOT / "docs" / "decisions").glob("*.md")]
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


def named_paths(page: Path) -> set[str]:
    """Paths of this repository that a page names: in backquotes with a folder, or as a link."""
    text = page.read_text(encoding="utf-8")
    quoted = re.findall(r"`([\w.]+/[\w./*-]*)`", text)
    folders = {path.name for path in ROOT.iterdir()} | {path.name for path in (ROOT / "wangp_cli").iterdir()}
    links = [
        os.path.relpath(page.parent / link, ROOT) for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text)
    ]
    return {path for path in quoted if path.split("/")[0] in folders} | set(links)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_file_that_the_guides_name_is_there(page: Path) -> None:
    placeholder = re.compile(r"NAME|FAMILY|networks/")
    paths = {path for path in named_paths(page) if not placeholder.search(path)}
    missing = {
        path for path in paths if not any(list(root.glob(path)) for root in (ROOT, ROOT / "wangp_cli"))
    }
    assert paths
    assert not missing


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


@pytest.mark.slow
def test_every_line_of_the_cookbook_can_be_resolved(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one folder, with the files that the lines before have made."""
    monkeypatch.chdir(tmp_path)
    for name, value in clean_environment(home).items():
        monkeypatch.setenv(name, value)
    for sample in (SAMPLES / "cookbook").iterdir():
        shutil.copy(sample, tmp_path)
    lines_of_tasks = [line for page, line in lines() if page == "COOKBOOK.md" and line.split()[0] in TASKS]
    assert len(lines_of_tasks) > 30
    for line in lines_of_tasks:
        words = [word for word in shlex.split(line) if word != "--plan"]
        result = CliRunner().invoke(app, [*words, "--dry-run"])
        assert result.exit_code == 0, f"wangp {line}\n{result.output}"
        made = json.loads(result.stdout)
        if "--output" not in words:
            continue
        asked, output = made["request"], Path(made["outputs"][0])
        if output.suffix == ".png":
            shutil.copy(SAMPLES / "cookbook" / "left.png", output)
            continue
        if "fps" not in asked:
            # A tool that keeps the frames of its video.
            task = TASKS[asked["type"]].model_validate(asked)
            for file in (output, *task.files_beside(output)):
                shutil.copy(asked["video"], file)
            continue
        frames = made["plan"]["total"] if "plan" in made else asked["frames"]
        write_video(
            output,
            [np.zeros((frames, 96, 96, 3), np.uint8)],
            fps=Fraction(asked["fps"]),
            comment=json.dumps({name: value for name, value in asked.items() if name != "output"}),
        )
