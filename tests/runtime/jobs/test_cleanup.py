"""Files of jobs that ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wangp_cli.files.checksum import sha256_of
from wangp_cli.runtime.jobs.cleanup import is_intact


def artifact(path: Path, role: str) -> dict[str, Any]:
    path.write_text(role)
    return {"role": role, "path": str(path), "sha256": sha256_of(path)}


def test_a_job_is_intact_without_its_intermediates_but_not_without_its_result(tmp_path: Path) -> None:
    part, result = tmp_path / "segment_000.mkv", tmp_path / "a.mkv"
    manifest = {"artifacts": [artifact(result, "video"), artifact(part, "intermediate")]}
    part.unlink()
    assert is_intact(manifest)
    result.unlink()
    assert not is_intact(manifest)
