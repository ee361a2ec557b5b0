"""Settings of the user: file, environment and defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.settings import Folders, Settings, load, save


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(config=tmp_path, data=tmp_path, state=tmp_path)


def test_a_variable_wins_over_the_file_and_both_are_named(folders: Folders) -> None:
    save(folders, {"model": "t2v", "log_level": "DEBUG"})
    save(folders, {"output_dir": Path("made")})
    settings, origin = load(folders, {"WANGP_MODEL": "vace_14B", "WANGP_ALLOW_URL": "a.org, b.org,"})
    assert (settings.model, settings.log_level, settings.output_dir) == ("vace_14B", "DEBUG", Path("made"))
    assert settings.allow_url == ("a.org", "b.org")
    assert str(origin["model"]) == "environment WANGP_MODEL"
    assert str(origin["log_level"]) == f"settings {folders.settings}"
    assert "name" not in origin


def test_without_a_file_and_variables_all_are_defaults(folders: Folders) -> None:
    assert load(folders, {}) == (Settings(), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: t2v", "there is no setting 'modle'"),
        ("- a", "holds no mapping"),
        ("log_level: LOUD", "'LOUD' is not one of"),
    ],
)
def test_a_wrong_file_is_refused(folders: Folders, text: str, message: str) -> None:
    folders.settings.write_text(text)
    with pytest.raises(RequestError, match=message):
        load(folders, {})
