"""The wheel, installed where nothing of the checkout is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import clean_environment

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_runs_and_finds_its_presets(tmp_path: Path, home: Path) -> None:
    checkout = tmp_path / "checkout"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(("wangp_cli/", "presets/", "docs/")) or "/" not in name:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    script = "import hatchling.build; print(hatchling.build.build_wheel('dist'))"
    (checkout / "dist").mkdir()
    subprocess.run([sys.executable, "-c", script], cwd=checkout, check=True, capture_output=True)
    [wheel] = (checkout / "dist").glob("*.whl")
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False)
    [packages] = environment.glob("lib/python*/site-packages")
    shutil.unpack_archive(wheel, packages, "zip")
    # The dependencies come from here; the package itself from the wheel, which is first on the path.
    (packages / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    done = subprocess.run(
        [environment / "bin" / "python", "-m", "wangp_cli", "models", "--json"],
        cwd=tmp_path, env=clean_environment(home) | {"PYTHONPATH": ""}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    models = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert {"starter", "vace_14B"} <= set(models)
    assert models["starter"]["weights"].startswith(str(packages))
