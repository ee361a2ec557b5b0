"""The scratch folder: weights that wait on the disk, for as long as their process lives."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from wangp_cli.runtime.artifacts import alive, node

if TYPE_CHECKING:
    from pathlib import Path


def own_folder(work_dir: Path) -> Path:
    """Where this process keeps what nobody needs after it."""
    return work_dir / f"{node()}-{os.getpid()}"


def sweep_scratch(work_dir: Path) -> None:
    """Remove what processes of this machine left that are gone."""
    for folder in work_dir.glob(f"{node()}-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
