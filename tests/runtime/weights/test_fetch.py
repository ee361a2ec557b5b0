"""Which files of a repository a model needs."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.runtime.weights.fetch import RepositoryFiles

PATHS = (
    "model_index.json",
    "README.md",
    "readme.txt",
    "vae/a.safetensors",
    "vae/a.bin",
    "transformer/config.json",
)


@pytest.mark.parametrize(
    ("rules", "included"),
    [
        ({}, ["model_index.json", "vae/a.safetensors", "transformer/config.json"]),
        ({"transformers": False}, ["model_index.json", "vae/a.safetensors"]),
        ({"suffixes": (".txt", ".bin")}, ["readme.txt", "vae/a.bin"]),
        ({"paths": ("vae/a.bin",)}, ["vae/a.bin"]),
    ],
)
def test_files_are_included_by_layout_suffix_or_path(rules: dict[str, Any], included: list[str]) -> None:
    needed = RepositoryFiles(repository="owner/name", revision=None, **rules)
    assert [path for path in PATHS if needed.includes(path)] == included
