"""Which package may import which, and that every name which is looked up later is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from wangp_cli.pipelines.registry import ADAPTERS, NETWORKS
from wangp_cli.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wangp_cli"
HEAVY = {"torch", "diffusers", "transformers", "numpy", "imageio", "av"}
LIGHT_FILES = [
    *PACKAGE.glob("*.py"),
    *(
        file
        for room in ("files", "legacy", "plan", "tasks", "commands", "runtime")
        for file in (PACKAGE / room).rglob("*.py")
    ),
    PACKAGE / "pipelines" / "base.py",
    PACKAGE / "pipelines" / "registry.py",
    PACKAGE / "pipelines" / "lora" / "keys.py",
    PACKAGE / "pipelines" / "memory" / "cpu_dtypes.py",
]

VOCABULARY = {
    "accelerators",
    "catalogue",
    "errors",
    "files",
    "grid",
    "imports",
    "models",
    "net",
    "notices",
    "plan",
    "presets",
    "tasks",
    "traits",
    "validation",
    "value_layers",
}
"""What every package above it may import."""
SPINE = {"runtime", "runtime.session", "runtime.outcome", "runtime.execute"}
"""Modules at the root of runtime/; those that its packages may import are named one by one."""
MAY_IMPORT: Mapping[str, set[str]] = {
    "errors": set(),
    "imports": {"errors"},
    "files": {"errors"},
    "net": {"files"},
    "validation": set(),
    "value_layers": set(),
    "grid": set(),
    "notices": set(),
    "traits": set(),
    "trained": {"traits"},
    "models": {"errors", "grid", "trained", "traits"},
    "catalogue": {"errors", "models", "traits", "validation"},
    "presets": {"catalogue", "errors", "validation"},
    "accelerators": {"errors", "models", "presets"},
    "plan": {"errors", "grid", "models", "notices", "traits"},
    "tasks": {"accelerators", "errors", "grid", "imports", "models", "notices", "plan"},
    "legacy": {"errors", "files", "plan", "tasks"},
    "media": {"errors", "files"},
    "finishing": {"errors", "files", "media", "motion", "notices"},
    "matting": {"errors", "files", "media", "motion", "notices"},
    "motion": {"errors", "files", "media", "notices"},
    "networks": {"errors", "files", "media"},
    "preprocess": {"errors", "files", "media", "motion", "notices"},
    "pipelines": VOCABULARY | {"finishing", "matting", "media", "networks", "preprocess"},
    "pipelines.base": VOCABULARY,
    "pipelines.denoise": VOCABULARY | {"media", "pipelines.base"},
    "pipelines.checkpoints": VOCABULARY | {"networks", "pipelines.base"},
    "pipelines.memory": VOCABULARY | {"pipelines.base"},
    "pipelines.lora": VOCABULARY | {"pipelines.base", "pipelines.checkpoints", "pipelines.memory"},
    "pipelines.auxiliary": VOCABULARY
    | {
        "finishing",
        "matting",
        "media",
        "motion",
        "networks",
        "pipelines.base",
        "pipelines.checkpoints",
        "pipelines.memory",
        "preprocess",
    },
    "pipelines.wan": VOCABULARY
    | {
        "media",
        "networks",
        "pipelines.base",
        "pipelines.checkpoints",
        "pipelines.denoise",
        "pipelines.lora",
        "pipelines.memory",
    },
    "runtime.events": VOCABULARY | {"pipelines.base"},
    "runtime.workspace": VOCABULARY,
    "runtime.control": VOCABULARY | {"runtime.events"},
    "runtime.report": VOCABULARY | {"runtime.events"},
    "runtime.weights": VOCABULARY | {"pipelines.base", "runtime.events"},
    "runtime.loras": VOCABULARY | {"pipelines.lora", "runtime.events", "runtime.session", "runtime.weights"},
    "runtime.history.log": VOCABULARY,
    "runtime.request": VOCABULARY
    | {
        "media",
        "pipelines.memory",
        "runtime.events",
        "runtime.history.log",
        "runtime.loras",
        "runtime.session",
        "runtime.weights",
        "runtime.workspace",
    },
    "runtime.history": VOCABULARY | {"runtime.history.log", "runtime.loras", "runtime.request"},
    "runtime.intake": VOCABULARY
    | {"legacy", "media", "runtime.events", "runtime.history", "runtime.history.log", "runtime.loras"},
    "runtime.jobs": VOCABULARY
    | {
        "runtime.events",
        "runtime.execute",
        "runtime.history",
        "runtime.history.log",
        "runtime.intake",
        "runtime.outcome",
        "runtime.request",
        "runtime.session",
    },
    **{
        name: VOCABULARY
        | SPINE
        | {
            "media",
            "pipelines",
            "pipelines.base",
            "runtime.control",
            "runtime.events",
            "runtime.history",
            "runtime.history.log",
            "runtime.loras",
            "runtime.request",
            "runtime.weights",
            "runtime.workspace",
        }
        for name in sorted(SPINE)
    },
    "workflows": VOCABULARY
    | SPINE
    | {
        "finishing",
        "matting",
        "media",
        "motion",
        "networks",
        "pipelines.base",
        "pipelines.denoise",
        "pipelines.memory",
        "preprocess",
        "runtime.events",
        "runtime.history",
        "runtime.history.log",
        "runtime.request",
        "runtime.weights",
        "runtime.workspace",
    },
    "commands": VOCABULARY
    | SPINE
    | {
        "legacy",
        "media",
        "pipelines",
        "pipelines.base",
        "runtime.control",
        "runtime.events",
        "runtime.history",
        "runtime.history.log",
        "runtime.intake",
        "runtime.jobs",
        "runtime.loras",
        "runtime.report",
        "runtime.request",
        "runtime.weights",
        "runtime.workspace",
    },
    "main": {"commands", "errors", "runtime", "runtime.events"},
}
"""Packages and modules by name; a module that is not named belongs to the package around it.

Imports inside functions do not count here: by them a border is crossed on purpose, when a name is used.
"""


def _name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {_name(file): file for file in PACKAGE.rglob("*.py") if "_presets" not in file.parts}


@cache
def imports(file: Path, *, everywhere: bool = False) -> frozenset[str]:
    """Names of the modules that a file imports.

    Args:
        file: of Python code.
        everywhere: also inside functions and for type checkers alone.
    """
    names: set[str] = set()
    nodes: list[ast.AST] = list(ast.parse(file.read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = (f"{node.module}.{name.name}" for name in node.names)
            names |= {module if module in MODULES else node.module or "" for module in modules}
        elif everywhere or not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _for_types(node)):
            nodes += ast.iter_child_nodes(node)
    return frozenset(names)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def owner(module: str) -> str:
    """The entry of the table that a module belongs to."""
    name = module.removeprefix("wangp_cli").removeprefix(".")
    while name and name not in MAY_IMPORT:
        name = name.rpartition(".")[0]
    return name


@pytest.mark.parametrize("file", LIGHT_FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_light_module_imports_nothing_heavy(file: Path) -> None:
    assert {name for name in imports(file) if name.split(".")[0] in HEAVY} == set()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_follow_the_table(package: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, file in MODULES.items()
        if owner(module) == package
        for name in imports(file)
        if name.startswith("wangp_cli.") and owner(name) not in MAY_IMPORT[package] | {package}
    ]
    assert wrong == []


def test_every_package_is_in_the_table() -> None:
    names = {module.removeprefix("wangp_cli.") for module in MODULES}
    packages = {name.split(".")[0] for name in names} - {"wangp_cli", "__main__"}
    packages |= {
        ".".join(name.split(".")[:2])
        for name in names
        if name.split(".")[0] in ("runtime", "pipelines")
        and MODULES[f"wangp_cli.{name}"].name == "__init__.py"
    }
    assert packages - set(MAY_IMPORT) == set()


@pytest.mark.parametrize("root", ["wangp_cli", "training"])
def test_no_module_imports_itself_by_way_of_others(root: str) -> None:
    graph = defaultdict(set)
    for file in (ROOT / root).rglob("*.py"):
        graph[_name(file)] = set(imports(file, everywhere=True)) - {_name(file)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", ["runtime", "pipelines"])
def test_a_large_package_keeps_its_root_small(package: str) -> None:
    assert len(list((PACKAGE / package).glob("*.py"))) <= 14


def test_every_module_is_at_most_300_lines() -> None:
    lines = {module: len(file.read_text(encoding="utf-8").splitlines()) for module, file in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > 300} == {}


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


@pytest.mark.parametrize("architecture", NETWORKS)
def test_the_loader_of_every_tool_is_there(architecture: str) -> None:
    module, _, function = NETWORKS[architecture].partition(":")
    assert callable(getattr(import_module(module), function))


def test_no_test_imports_a_test() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for folder in ("tests", "benchmarks", "training")
        for file in (ROOT / folder).rglob("*.py")
        for name in imports(file, everywhere=True)
        if name.rpartition(".")[2].startswith("test_")
    ]
    assert wrong == []
