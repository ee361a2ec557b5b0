"""The root command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.conftest import clean_environment
from wangp_cli.main import COMMANDS, app


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name: str) -> None:
    root: Any = typer.main.get_command(app)
    first = root.commands[name].help.split("\n\n")[0]
    assert " ".join(first.split()) == COMMANDS[name]


def test_the_list_imports_no_command(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wangp_cli", "--help"],
        env=clean_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(name in done.stdout for name in COMMANDS)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "wangp_cli.main" in imported
    assert not imported & {"pydantic", "yaml", *(f"wangp_cli.commands.{name}" for name in COMMANDS)}


def test_help_of_one_task_type_imports_no_other(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wangp_cli", "generate", "--help"],
        env=clean_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "wangp_cli.tasks.generate" in imported
    assert not imported & {"rich", "yaml", "sqlalchemy", "platformdirs", "wangp_cli.tasks.travel"}


@pytest.mark.parametrize(
    ("line", "completed"),
    [("wangp tr", "travel"), ("wangp models fe", "fetch"), ("wangp travel --mod", "--mode")],
)
def test_names_are_completed(line: str, completed: str) -> None:
    said = {"_WANGP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    result = CliRunner().invoke(app, env=said, prog_name="wangp")
    assert result.exit_code == 0
    assert completed in result.output.split()


def test_results_that_cannot_be_written_are_an_error(home: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "wangp_cli", "--version"],
            env=clean_environment(home), stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        4,
        "error: cannot write to standard output: No space left on device\n",
    )


LEAVES = """
import atexit, sys, threading, wangp_cli.main as command
class Slow:
    def __del__(self):
        print("freed", file=sys.stderr)
atexit.register(print, "exit functions ran", file=sys.stderr)
kept = Slow()
sys.argv = ["wangp", *sys.argv[1:]]
command.main()
"""


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["nothing"], 2)])
def test_the_process_ends_without_freeing_what_it_holds(arguments: list[str], code: int, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVES, *arguments],
        env=clean_environment(home), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert done.stderr.endswith("exit functions ran\n")
    assert "freed" not in done.stderr


def test_a_command_that_does_not_exist_is_refused_with_the_nearest() -> None:
    result = CliRunner().invoke(app, ["traval"])
    assert result.exit_code == 2
    assert "travel" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generate", "--dtype", "half"], "Invalid value for '--dtype': 'half' is not one of 'auto',"),
        (["batch", "--order", "any"], "Invalid value for '--order': 'any' is not one of 'given',"),
    ],
)
def test_a_wrong_choice_is_said_plainly(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert said in result.output
