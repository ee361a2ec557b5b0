"""`wangp docs`."""

from __future__ import annotations

from pathlib import Path

import typer

from tests.conftest import Run
from wangp_cli.commands.docs import reference
from wangp_cli.main import app


def test_the_reference_page_has_every_command_and_flag() -> None:
    text = reference(typer.main.get_command(app))
    for word in (
        "## `wangp generate`",
        "## `wangp models show`",
        "`--image-ref` `FILE`",
        "`-p`",
        "`--sheet`",
    ):
        assert word in text, word


def test_the_reference_page_is_current(run: Run) -> None:
    run("docs", "--check", code=0)


def test_the_reference_page_replaces_no_other_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.md").write_text("dear")
    assert "letter.md" in run("docs", "--output", "letter.md", code=5).stderr
    assert (tmp_path / "letter.md").read_text() == "dear"
    for _ in range(2):
        run("docs", "--output", "page.md", code=0)
