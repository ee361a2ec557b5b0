"""Presets by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.presets import Presets


def folder(place: Path, **files: str) -> Path:
    """A folder of YAML files."""
    place.mkdir()
    for name, text in files.items():
        (place / f"{name}.yaml").write_text(text)
    return place


def test_a_later_folder_replaces_a_preset_of_an_earlier_one(tmp_path: Path) -> None:
    first = folder(tmp_path / "first", draft="values: {steps: 4}", hd="values: {size: 1280x720}")
    second = folder(tmp_path / "second", draft="values: {steps: 8}")
    presets = Presets(first, tmp_path / "gone", second)
    assert list(presets.all) == ["draft", "hd"]
    assert presets.get("draft").values == {"steps": 8}
    with pytest.raises(RequestError, match="there is no preset 'drafft'") as caught:
        presets.get("drafft")
    assert "draft" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "is not a mapping"),
        ("values: {}", "values: "),
        ("value: {steps: 4}", "mine.yaml: values: is needed"),
    ],
)
def test_a_file_that_is_no_preset_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _ = Presets(folder(tmp_path / "presets", mine=text)).all
