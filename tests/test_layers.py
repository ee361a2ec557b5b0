"""The way imports run, and that every name which is looked up later is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from wangp_cli.pipelines.registry import ADAPTERS
from wangp_cli.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wangp_cli"
HEAVY = {"torch", "diffusers", "transformers", "numpy", "imageio", "soundfile", "av"}
LIGHT_FILES = [
    *PACKAGE.glob("*.py"),
    *(file for room in ("tasks", "commands", "runtime") for file in (PACKAGE / room).rglob("*.py")),
    PACKAGE / "pipelines" / "base.py",
    PACKAGE / "pipelines" / "families.py",
]
VOCABULARY = {"accelerators", "errors", "models", "catalogue", "presets", "plan", "tasks", "__init__"}
MAY_IMPORT = {
    "tasks": set(),
    "media": set(),
    "networks": {"media"},
    "pipelines": {"pipelines", "networks", "media"},
    "runtime": {"runtime", "pipelines", "media"},
    "workflows": {"workflows", "runtime", "pipelines", "networks", "media"},
    "commands": {"commands", "runtime", "media", "pipelines"},
}
"""What each room may import besides itself and the vocabulary; anything, where it is not at module level."""


def imports(file: Path) -> set[str]:
    """Names of the modules that a file imports when it is imported itself."""
    found: set[str] = set()
    nodes: list[ast.AST] = list(ast.parse(file.read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("file", LIGHT_FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_light_module_imports_nothing_heavy(file: Path) -> None:
    assert {name for name in imports(file) if name.split(".")[0] in HEAVY} == set()


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (PACKAGE / room).rglob("*.py")
        for name in imports(file)
        if name.startswith("wangp_cli.") and name.split(".")[1] not in MAY_IMPORT[room] | VOCABULARY | {room}
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "arguments",
    ["--help", "generate --help", "models", "models show t2v", "presets", "settings show", "docs --check",
     "generate x --dry-run"],
)  # fmt: skip
def test_light_commands_import_nothing_heavy(arguments: str, home: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wangp_cli", *arguments.split()],
        cwd=tmp_path, env=clean_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "wangp_cli.main" in imported
    assert imported & HEAVY == set()


@pytest.mark.parametrize("name", TASKS)
def test_the_workflow_of_every_task_is_there(name: str) -> None:
    module, _, function = TASKS[name].run.partition(":")
    assert callable(getattr(import_module(module), function))
    assert TASKS[name].model_fields["type"].default == name


@pytest.mark.parametrize("family", ADAPTERS)
def test_the_adapter_of_every_family_is_there(family: str) -> None:
    module, _, function = ADAPTERS[family].partition(":")
    assert callable(getattr(import_module(module), function))
