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


def complete(words: str, **environment: str) -> list[str]:
    """What the shell offers for the last word."""
    said = {
        "_WANGP_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        **environment,
    }
    result = CliRunner().invoke(app, env=said, prog_name="wangp")
    assert result.exit_code == 0
    return result.output.split()


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("wangp tr", "travel"),
        ("wangp models fe", "fetch"),
        ("wangp travel --mod", "--mode"),
        ("wangp generate -m vace_1", "vace_1.3B"),
        ("wangp batch --model vace_1", "vace_1.3B"),
        ("wangp models show vace_1", "vace_1.3B"),
        ("wangp loras check x -m vace_1", "vace_1.3B"),
        ("wangp generate --preset h", "hd"),
        ("wangp presets show h", "hd"),
        ("wangp travel --accelerator light", "lightning"),
        ("wangp travel --accelerator n", "none"),
        ("wangp generate --attention sa", "sage"),
        ("wangp generate --codec ff", "ffv1"),
        ("wangp generate --cache f", "fbcache"),
        ("wangp join --mode r", "replace"),
        ("wangp control l", "last"),
        ("wangp control last pa", "pause"),
        ("wangp generate --sampler uni", "unipc"),
    ],
)
def test_names_are_completed(line: str, completed: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert completed in complete(line)


def test_loras_are_completed_by_name_and_by_path(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANGP_LORAS_DIR", str(tmp_path / "named"))
    for name in ("named/style.safetensors", "near/other.safetensors", "near/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert complete("wangp generate --lora s") == ["style.safetensors"]
    assert complete("wangp generate --lora ne") == ["near/"]
    assert complete("wangp generate --lora near/") == ["near/other.safetensors"]
    assert complete("wangp loras show near/o") == ["near/other.safetensors"]


def test_a_list_that_cannot_be_read_completes_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "broken.yaml").write_text("[")
    assert complete("wangp generate -m vace_1", WANGP_CONFIG_DIR=str(tmp_path)) == []


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
        (["generate", "--dtype", "half"], "--dtype: 'half' is not one of 'auto',"),
        (["batch", "--order", "any"], "--order: 'any' is not one of 'given',"),
    ],
)
def test_a_wrong_choice_is_said_plainly(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert said in result.output


INTERRUPTED = """
import os, signal, sys
from wangp_cli.__main__ import start
class Interrupt:
    def find_spec(name, *rest):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt)
sys.argv = ["wangp", "batch", "tasks.jsonl"]
start()
"""


@pytest.mark.parametrize(
    ("name", "code"),
    [("typer", -2), ("wangp_cli.commands.batch", 130), ("wangp_cli.runtime.bootstrap", 130)],
)
def test_ctrl_c_while_modules_are_imported_ends_without_a_traceback(name: str, code: int, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(name=name)],
        env=clean_environment(home), capture_output=True, text=True, check=False, cwd=home,
    )  # fmt: skip
    assert done.returncode == code
    assert "Traceback" not in done.stderr
