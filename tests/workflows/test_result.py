"""Files of a result: the request in them or beside them, and what is announced."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.conftest import Make
from wangp_cli.media.metadata import read_comment
from wangp_cli.runtime.intake.settings_file import load_settings_file


def test_a_sidecar_holds_the_request_and_the_file_none(make: Make) -> None:
    made = make(metadata_mode="sidecar")
    sidecar = made.path.with_suffix(".json")
    assert read_comment(made.path) is None
    assert made.outcome.artifacts[0].metadata_sidecar == str(sidecar)
    assert [(one.role, one.path) for one in made.outcome.artifacts[1:]] == [("sidecar", str(sidecar))]
    again = make(None, layers=(load_settings_file(sidecar),), name="again")
    assert np.array_equal(made.frames, again.frames)


def test_no_metadata_is_kept_where_none_is_wanted(make: Make) -> None:
    made = make(metadata_mode="none")
    assert read_comment(made.path) is None
    assert not made.path.with_suffix(".json").exists()


def test_a_sidecar_never_replaces_a_file_of_the_user(make: Make, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "clip.json").write_text("mine")
    made = make(metadata_mode="sidecar", name="clip")
    assert made.outcome.error is not None
    assert made.outcome.error.exit_code == 5
    assert (tmp_path / "made" / "clip.json").read_text() == "mine"
