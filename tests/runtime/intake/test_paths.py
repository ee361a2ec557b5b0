"""Paths in task files."""

from __future__ import annotations

from pathlib import Path

import pytest

from wangp_cli.runtime.intake.paths import absolute, join, named_files, split_lora


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/../b.png", "/tasks/b.png"),
        ("/elsewhere/a.png", "/elsewhere/a.png"),
        ("~/a.png", "/home/me/a.png"),
        ("~me/a.png", "/tasks/~me/a.png"),
        ("https://example.org/a.png", "https://example.org/a.png"),
    ],
)
def test_a_name_is_joined_to_the_folder_of_its_file(
    monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert join(name, Path("/tasks")) == path


def test_an_empty_name_stays_empty() -> None:
    assert absolute({"video_guide": ["", "a.mp4"], "image_start": ""}, Path("/tasks")) == {
        "video_guide": ["", "/tasks/a.mp4"],
        "image_start": "",
    }


@pytest.mark.parametrize(
    ("lora", "parts"),
    [
        ("ink.safetensors@0.8", ("ink.safetensors", "@0.8")),
        ("ink.safetensors", ("ink.safetensors", "")),
        ("at@home/ink.safetensors", ("at@home/ink.safetensors", "")),
    ],
)
def test_the_strength_of_a_lora_follows_the_last_at_sign(lora: str, parts: tuple[str, str]) -> None:
    assert split_lora(lora) == parts


def test_media_and_loras_become_absolute_and_other_values_stay(tmp_path: Path) -> None:
    values = {"prompt": "a.png", "image_start": "a.png", "image_refs": ["b.png"], "loras": ["./c@2", "d"]}
    assert absolute(values, tmp_path) == {
        "prompt": "a.png",
        "image_start": str(tmp_path / "a.png"),
        "image_refs": [str(tmp_path / "b.png")],
        "loras": [f"{tmp_path / 'c'}@2", "d"],
    }


def test_named_files_are_those_of_media_fields() -> None:
    values = {"prompt": "x.png", "image_start": "a.png", "image_refs": ["b.png", "", Path("c.png")]}
    assert list(named_files(values)) == [
        ("image_refs", "b.png"),
        ("image_refs", "c.png"),
        ("image_start", "a.png"),
    ]


def test_bare_lora_names_may_be_left_to_the_lora_folder(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").touch()
    loras = ["a.safetensors@0.5", "./a.safetensors", "a"]
    here = absolute({"loras": loras}, tmp_path)["loras"]
    elsewhere = absolute({"loras": loras}, tmp_path, loras_here=False)["loras"]
    path = str(tmp_path / "a.safetensors")
    assert here == [f"{path}@0.5", path, "a"]
    assert elsewhere == ["a.safetensors@0.5", path, "a"]
