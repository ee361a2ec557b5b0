"""`wangp models`, `presets`, `settings`, `show`, `doctor` and `docs`."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from tests.conftest import Make, Run
from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.commands.docs import reference
from wangp_cli.commands.show import file_facts, request_of, write_sheet
from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.main import app
from wangp_cli.media.stills import read_image
from wangp_cli.media.write import write_video


def test_models_are_listed_for_people_and_programs(run: Run) -> None:
    people, programs = run("models", env={"COLUMNS": "80"}, code=0), run("models", "--json", code=0)
    assert max(map(len, people.stdout.splitlines())) <= 80
    entries = {entry["name"]: entry for entry in programs.json()}
    assert set(entries) >= {
        "starter", "t2v_1.3B", "t2v", "i2v", "i2v_720p", "flf2v_720p", "vace_1.3B", "vace_14B",
    }  # fmt: skip
    assert all(name in people.stdout for name in entries)
    assert entries["vace_14B"]["accepts"] == sorted(entries["vace_14B"]["accepts"])
    assert entries["t2v"]["present"] is False


def test_a_model_is_shown_and_a_misspelt_one_named(run: Run) -> None:
    shown = run("models", "show", "t2v_14B", "--json", code=0).json()
    assert (shown["name"], shown["architecture"]) == ("t2v", "t2v")
    assert "Wan-AI/Wan2.1-T2V-14B-Diffusers" in run("models", "show", "t2v", code=0).stdout
    refused = run("models", "show", "t2vv", code=2)
    assert "did you mean" in refused.stderr


def test_every_shipped_model_has_what_a_shot_needs() -> None:
    for spec in Catalogue(presets_dir() / "models").models.values():
        assert {"size", "frames", "fps", "steps", "guidance_scale", "flow_shift"} <= set(spec.defaults), (
            spec.name
        )
        width, height = map(int, spec.defaults["size"].split("x"))
        assert spec.grid.size(width, height) == (width, height), spec.name
        assert spec.grid.frames(spec.defaults["frames"]) == spec.defaults["frames"], spec.name
        assert spec.requires <= spec.accepts, spec.name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "family: wan\nmodels: {mine: {title: X, source: {folder: x}, accepts: []}}",
            "architecture is missing",
        ),
        (
            "family: wan\nmodels: {mine: {title: X, source: {folder: x, repository: a/b}, accepts: []}}",
            "one place",
        ),
        ("family: wan\nmodels: {mine: {network: t2v_14}}", "did you mean t2v_14B"),
        ("family: wan\nmodels: {mine: {source: {file: x, components: t2w}}}", "there is no model 't2w'"),
        ("family: wan\nmodels: {mine: {title: X}}", "mine: source"),
        ("family: other\nmodels: {}", "family"),
        ("- list", "mine.yaml"),
        ("a: &a [1]\nb: *a", "anchors"),
        ("a: !!python/object:os.system {}", "not YAML"),
        ("a: 2026-99-99", "not YAML"),
        ("[" * 5000, "mine.yaml"),
        (b"\xff\xfe\x00", "mine.yaml"),
    ],
)
def test_a_broken_catalogue_file_is_named(run: Run, tmp_path: Path, text: str | bytes, said: str) -> None:
    (tmp_path / "config" / "models").mkdir(parents=True)
    (tmp_path / "config" / "models" / "mine.yaml").write_bytes(
        text if isinstance(text, bytes) else text.encode()
    )
    result = run("models", env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=3)
    assert said in result.stderr
    assert "mine.yaml" in result.stderr
    assert "bug of wangp" not in result.stderr


def test_a_model_of_the_user_joins_the_others_even_without_defaults(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config" / "models").mkdir(parents=True)
    (tmp_path / "config" / "models" / "mine.yaml").write_text(
        "family: wan\nmodels: {mine: {title: Mine, architecture: t2v, source: {folder: ~/mine}, accepts: []}}"
    )
    result = run("models", env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=0)
    assert "mine" in result.stdout
    assert "vace_14B" in result.stdout


def test_presets_are_listed_and_shown(run: Run) -> None:
    assert {preset["name"] for preset in run("presets", "--json", code=0).json()} >= {"draft", "hd"}
    assert "33" in run("presets", "show", "draft", code=0).stdout
    assert "did you mean draft" in run("presets", "show", "drafft", code=2).stderr


def test_a_preset_of_the_user_with_an_unknown_key_is_refused_by_both_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config" / "presets").mkdir(parents=True)
    (tmp_path / "config" / "presets" / "mine.yaml").write_text("values: {stepps: 3}")
    result = run(
        "generate", "x", "--preset", "mine", "--dry-run",
        env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=2,
    )  # fmt: skip
    assert "stepps" in result.stderr
    assert "preset mine" in result.stderr
    assert "steps" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("codecc: hevc", "codec"),
        ("crf: many", "'many'"),
        ("crf: &a 3\nname: *a", "anchors"),
        ("- codec", "mapping"),
        ("codec: [hevc", "not YAML"),
        ("codec: on", "codec"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.yaml").write_text(text)
    result = run("settings", "show", env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=2)
    assert said in result.stderr
    assert "settings.yaml" in result.stderr


def test_a_wrong_variable_is_named(run: Run) -> None:
    result = run("settings", "show", env={"WANGP_METADATA_MODE": "tattoo"}, code=2)
    assert "WANGP_METADATA_MODE" in result.stderr
    assert "'tattoo'" in result.stderr


def test_settings_tell_where_they_come_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.yaml").write_text("codec: hevc\ncrf: 0\n")
    env = {"WANGP_CONFIG_DIR": str(tmp_path / "config"), "WANGP_CODEC": "av1"}
    shown = run("settings", "show", "--json", env=env, code=0).json()
    assert shown["codec"] == {"value": "av1", "origin": "environment WANGP_CODEC"}
    assert shown["crf"]["value"] == 0
    assert "settings.yaml" in shown["crf"]["origin"]
    assert shown["device"] == {"value": "auto", "origin": "default"}
    assert run("settings", "path", env=env, code=0).stdout.strip() == str(
        tmp_path / "config" / "settings.yaml"
    )


def test_settings_of_the_older_app_are_taken_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.yaml").write_text("crf: 20\n")
    (tmp_path / "wgp_config.json").write_text(
        json.dumps(
            {
                "attention_mode": "sdpa", "video_output_codec": "libx265_28", "save_path": "/videos",
                "checkpoints_paths": ["/ckpts", "."], "metadata_type": "json", "profile": 3.5, "boost": 1,
                "image_output_codec": "jpeg_95", "vae_config": 2, "vae_precision": "16", "compile": "",
                "transformer_quantization": "int8", "text_encoder_quantization": "bf16",
                "transformer_dtype_policy": "fp16", "mixed_precision": "0", "preload_in_VRAM": 3000,
                "preload_model_policy": ["U"], "fit_canvas": 0,
            }
        )
    )  # fmt: skip
    env = {"WANGP_CONFIG_DIR": str(tmp_path / "config")}
    result = run("settings", "import", "wgp_config.json", "--json", env=env, code=0).json()
    assert result["left"] == ["fit_canvas"]
    shown = run("settings", "show", "--json", env=env, code=0).json()
    taken = {name: shown[name]["value"] for name in ("attention", "codec", "output_dir", "models_dir", "crf")}
    assert taken == {
        "attention": "native", "codec": "hevc", "output_dir": "/videos", "models_dir": "/ckpts", "crf": 20,
    }  # fmt: skip
    assert (shown["metadata_mode"]["value"], shown["image_format"]["value"]) == ("sidecar", "jpg")
    computes = {
        "profile": "3", "boost": True, "vae_tiling": 256, "vae_dtype": "bfloat16", "compile": False,
        "transformer_quantization": "int8", "text_encoder_quantization": "none", "dtype": "float16",
        "mixed_precision": False, "preload": 3000, "preload_policy": "unload",
    }  # fmt: skip
    assert {name: shown[name]["value"] for name in computes} == computes


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1, "a": 2}'])
def test_a_broken_config_of_the_older_app_is_refused(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "wgp_config.json").write_text(text)
    assert "wgp_config.json" in run("settings", "import", "wgp_config.json", code=2).stderr
    assert run("settings", "import", "gone.json", code=2).stderr.startswith("error: file")


def test_show_tells_what_a_file_is_and_was_made_from(make: Make, run: Run, tmp_path: Path) -> None:
    path = make(codec="h264", fps="24000/1001").path
    shown = run("show", path, "--json", "--sheet", "sheet.png", code=0).json()
    assert shown["request"]["prompt"] == "a red circle"
    assert {key: shown["file"][key] for key in ("frames", "fps", "codec", "width", "primaries")} == {
        "frames": 5, "fps": "24000/1001", "codec": "h264", "width": 32, "primaries": "bt709",
    }  # fmt: skip
    assert shown["sheet"] == str(tmp_path / "sheet.png")
    assert read_image(tmp_path / "sheet.png").shape[2] > 32
    people = run("show", path, code=0).stdout
    assert "24000/1001" in people
    assert "a red circle" in people


def test_show_reads_the_request_beside_a_file(make: Make) -> None:
    path = make(metadata_mode="sidecar").path
    request = request_of(path)
    assert request is not None
    assert request["prompt"] == "a red circle"


def test_a_file_without_a_request_is_shown_as_well(tmp_path: Path, run: Run) -> None:
    clip = tmp_path / "clip.mp4"
    write_video(clip, [np.zeros((3, 32, 32, 3), np.uint8)], fps=Fraction(8), comment="hello")
    assert request_of(clip) is None
    assert file_facts(clip)["frames"] == 3
    assert "no request" in run("show", clip, code=0).stdout


def test_a_sheet_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    clip, sheet = tmp_path / "clip.mp4", tmp_path / "sheet.png"
    write_video(clip, [np.zeros((3, 32, 32, 3), np.uint8)], fps=Fraction(8))
    sheet.write_text("mine")
    with pytest.raises(ConflictError):
        write_sheet(clip, sheet, overwrite=False)
    assert sheet.read_text() == "mine"
    write_sheet(clip, sheet, overwrite=True)
    with pytest.raises(RequestError, match="sheet"):
        write_sheet(clip, tmp_path / "sheet.txt", overwrite=False)


@pytest.mark.parametrize("name", ["gone.mp4", "notes.txt"])
def test_a_file_that_cannot_be_shown_is_named(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    assert name in run("show", name, code=2).stderr


@pytest.mark.slow
def test_doctor_looks_at_everything(run: Run, tmp_path: Path) -> None:
    work = tmp_path / "outputs" / ".wangp-work"
    work.mkdir(parents=True)
    (work / "left.npy").write_bytes(b"left")
    result = run("doctor", "--json")
    found: dict[str, Any] = {check["name"]: check for check in result.json()["checks"]}
    assert set(found) >= {
        "python",
        "torch",
        "device",
        "attention",
        "memory",
        "outputs",
        "unfinished work",
        "models",
        "hub",
        "starter",
    }
    assert result.exit_code == (1 if any(check["status"] == "problem" for check in found.values()) else 0)
    assert result.json()["versions"]["torch"]


def test_the_reference_page_has_every_command_and_flag() -> None:
    text = reference(typer.main.get_command(app))
    for word in (
        "## `wangp generate`",
        "## `wangp models show`",
        "`--image-ref` `FILE`",
        "`-p`",
        "`--sheet`",
    ):
        assert word in text, word


def test_the_reference_page_is_current(run: Run) -> None:
    run("docs", "--check", code=0)


def test_the_reference_page_replaces_no_other_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.md").write_text("dear")
    assert "letter.md" in run("docs", "--output", "letter.md", code=5).stderr
    assert (tmp_path / "letter.md").read_text() == "dear"
    for _ in range(2):
        run("docs", "--output", "page.md", code=0)
