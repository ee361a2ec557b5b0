"""`wangp generate`: from flags to a settled request, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from tests.conftest import Run, clean_environment
from wangp_cli.main import app
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video

HEAVY = ("torch", "diffusers", "transformers")
Dry = Callable[..., Any]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a picture, two videos, broken files and no rights elsewhere."""
    from fractions import Fraction

    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 48, 64, 3), dtype=np.uint8)
    write_image(tmp_path / "start.png", pixels[:1])
    write_video(tmp_path / "nine.mp4", [pixels], fps=Fraction(16))
    write_video(tmp_path / "five.mp4", [pixels[:5]], fps=Fraction(16))
    write_image(tmp_path / "thin.png", np.zeros((1, 1, 20_000, 3), np.uint8))
    write_video(tmp_path / "slow.mp4", [pixels], fps=Fraction(1, 2))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n rest")
    (tmp_path / "broken.mp4").write_bytes((tmp_path / "nine.mp4").read_bytes()[:600])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "there.mp4").write_bytes(b"mine")
    (tmp_path / "folder.mp4").mkdir()
    return tmp_path


@pytest.fixture
def call(home: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line in this process."""
    for name, value in clean_environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WANGP_CONFIG_DIR", raising=False)

    def invoke(*arguments: object, **environment: str) -> Any:
        return CliRunner().invoke(app, [str(word) for word in arguments], env=environment)

    return invoke


@pytest.fixture
def dry(call: Callable[..., Any]) -> Dry:
    """What a dry run prints."""

    def resolve(*arguments: object, **environment: str) -> Any:
        result = call("generate", *arguments, "--dry-run", **environment)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return resolve


def test_a_dry_run_prints_each_value_with_where_it_came_from(dry: Dry) -> None:
    (Path("look.json")).write_text('{"guidance_scale": 3.5, "negative_prompt": "fog"}')
    found = dry(
        "a fox", "--preset", "draft", "--settings-file", "look.json", "--steps", "7", "-n", "rain",
        WANGP_CRF="20",
    )  # fmt: skip
    values, origin = found["request"], found["origin"]
    assert {name: origin[name] for name in ("model", "size", "frames", "guidance_scale", "seed", "crf")} == {
        "model": "default",
        "size": "model starter",
        "frames": "preset draft",
        "guidance_scale": "file look.json",
        "seed": "drawn",
        "crf": "environment WANGP_CRF",
    }
    assert (origin["steps"], origin["negative_prompt"], origin["prompt"]) == ("flag", "flag", "flag")
    assert (values["steps"], values["negative_prompt"], values["prompt"]) == (7, "rain", "a fox")
    assert origin["denoising_strength"] == "default"
    assert not Path("outputs").exists()


def test_a_later_preset_wins_over_an_earlier_one(dry: Dry) -> None:
    found = dry("x", "--preset", "hd", "--preset", "square")
    assert (found["request"]["size"], found["origin"]["size"]) == ("624x624", "preset square")


def test_zero_is_a_value_and_wins_over_defaults(dry: Dry) -> None:
    found = dry("x", "--guidance-scale", "0", "--seed", "0", "--control-strength", "0")
    assert [found["request"][name] for name in ("guidance_scale", "seed", "control_strength")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("asked", "model", "made"),
    [("84", "t2v", 85), ("83", "t2v", 81), ("81", "t2v", 81), ("5s", "t2v", 81), ("1", "t2v", 1),
     ("2", "t2v", 5), ("2s", "starter", 17), ("6", "vace_14B", 17)],
)  # fmt: skip
def test_frames_snap_to_the_grid_of_the_model(dry: Dry, asked: str, model: str, made: int) -> None:
    found = dry("x", "--model", model, "--frames", asked)
    assert found["request"]["frames"] == made
    if str(made) != asked:
        assert asked in found["origin"]["frames"]
        assert any(asked in notice for notice in found["notices"])


def test_a_size_is_floored_to_the_block(dry: Dry) -> None:
    found = dry("x", "--model", "t2v", "--size", "850x485")
    assert (found["request"]["size"], found["origin"]["size"]) == ("848x480", "snapped from 850x485")


def test_a_start_picture_gives_its_shape_and_the_model_the_budget(dry: Dry) -> None:
    found = dry("x", "--model", "i2v", "--image-start", "start.png")
    width, height = map(int, found["request"]["size"].split("x"))
    assert found["origin"]["size"] == "shape of image_start"
    assert width / height == pytest.approx(64 / 48, rel=0.05)
    assert width * height == pytest.approx(832 * 480, rel=0.05)


def test_a_size_that_is_said_beats_the_shape_of_the_picture(dry: Dry) -> None:
    assert (
        dry("x", "--model", "i2v", "--image-start", "start.png", "--size", "320x320")["request"]["size"]
        == "320x320"
    )


def test_a_seed_is_drawn_once_and_shown(dry: Dry) -> None:
    one, two = dry("x"), dry("x")
    assert one["request"]["seed"] != two["request"]["seed"]
    assert str(one["request"]["seed"]) in one["outputs"][0]


def test_a_count_gives_each_result_its_own_name(dry: Dry) -> None:
    found = dry("x", "--count", "3", "--seed", "5")
    assert [Path(path).name for path in found["outputs"]] == [f"starter_seed{n}_x.mp4" for n in (5, 6, 7)]
    found = dry("x", "--count", "2", "--output", "clip.webm")
    assert [Path(path).name for path in found["outputs"]] == ["clip_001.webm", "clip_002.webm"]


def test_an_alias_becomes_the_name_of_the_model(dry: Dry) -> None:
    assert dry("x", "--model", "t2v_14B")["request"]["model"] == "t2v"


def test_bool_flags_come_in_pairs_and_can_undo_a_setting(dry: Dry) -> None:
    assert dry("x", "--exact")["request"]["exact"] is True
    found = dry("x", "--no-boost", WANGP_BOOST="true")
    assert (found["request"]["boost"], found["origin"]["boost"]) == (False, "flag")


def test_a_path_at_a_flag_may_be_anywhere(dry: Dry, tmp_path: Path) -> None:
    assert dry("x", "-o", tmp_path / "deep" / "er" / "a.mp4")["outputs"] == [str(tmp_path / "deep/er/a.mp4")]


REFUSED = [
    # arguments, exit code, what the message holds
    (["--image-start", "gone.png", "-m", "i2v"], 2, ["--image-start", "gone.png"]),
    (["--image-start", "broken.png", "-m", "i2v"], 2, ["--image-start", "broken.png"]),
    (["--image-start", "empty.png", "-m", "i2v"], 2, ["--image-start", "empty"]),
    (["--image-start", "notes.txt", "-m", "i2v"], 2, ["--image-start", "notes.txt", ".png"]),
    (["--image-start", "thin.png"], 2, ["--image-start", "20000x1", "16 to 8192", "--size"]),
    (["--video-source", "slow.mp4"], 2, ["--video-source", "0.5 frames a second", "1 to 240", "--fps"]),
    (["--image-start", "nine.mp4", "-m", "i2v"], 2, ["--image-start", "nine.mp4", "an image is wanted"]),
    (["--image-start", "https://example.com/a.png", "-m", "i2v"], 2, ["--image-start", "download it first"]),
    (["--image-start", "folder.mp4", "-m", "i2v"], 2, ["--image-start", "folder"]),
    (["--video-guide", "broken.mp4", "-m", "vace_14B"], 2, ["--video-guide", "broken.mp4"]),
    (["--video-guide", "start.png", "-m", "vace_14B"], 2, ["--video-guide", "image_guide takes it"]),
    (["--video-guide", "nine.mp4", "-m", "t2v"], 2, ["--video-guide", "'t2v'", "vace_1.3B, vace_14B"]),
    (["--video-guide", "nine.mp4", "--video-mask", "five.mp4"], 2, ["--video-mask", "5 frames", "9"]),
    (["--video-mask", "five.mp4"], 2, ["--video-mask", "--video-guide"]),
    (["--image-guide", "start.png", "--video-guide", "nine.mp4"], 2, ["--image-guide", "video_guide"]),
    (["-m", "i2v"], 2, ["--image-start", "'i2v'", "--image-start"]),
    (["-m", "flf2v_720p", "--image-start", "start.png"], 2, ["--image-end"]),
    (["-m", "vace_14b"], 2, ["--model", "'vace_14b'", "vace_14B"]),
    (["--size", "wide"], 2, ["--size", "'wide'", "832x480"]),
    (["--size", "8x8"], 2, ["--size", "8x8", "16 to 8192"]),
    (["--frames", "0"], 2, ["--frames", "0", "1 to 10000"]),
    (["--frames", "ten"], 2, ["--frames", "'ten'", "5s"]),
    (["-m", "t2v", "--frames", "10000"], 2, ["--frames", "10000", "9996"]),
    (["-m", "t2v", "--frames", "9999999s"], 2, ["--frames", "9999999s", "9996"]),
    (["--frames", "0.01s"], 2, ["--frames", "0.01s"]),
    (["--fps", "0"], 2, ["--fps", "'0'", "1 to 240"]),
    (["--fps", "1/0"], 2, ["--fps", "'1/0'"]),
    (["--fps", "1e999999999"], 2, ["--fps", "'1e999999999'"]),
    (["--seed", "-2"], 2, ["--seed", "-2", "at least -1"]),
    (["--seed", "9007199254740991", "--count", "2"], 2, ["--seed", "9007199254740991"]),
    (["--steps", "0"], 2, ["--steps", "0", "at least 1"]),
    (["--guidance-scale", "nan"], 2, ["--guidance-scale", "nan"]),
    (["--device", "gpu"], 2, ["--device", "'gpu'", "cuda:1"]),
    (["--task-id", "a/b"], 2, ["--task-id", "'a/b'"]),
    (["--lora", "gone"], 2, ["--lora", "'gone'"]),
    (["--lora", "gone@strong"], 2, ["--lora", "gone@strong", "@0.8"]),
    (["--lora", "gone@nan"], 2, ["--lora", "gone@nan"]),
    (["--preset", "drafft"], 2, ["preset", "'drafft'", "draft"]),
    (["--settings-file", "gone.json"], 2, ["settings_file", "gone.json"]),
    (["--settings-file", "nine.mp4"], 2, ["settings_file", "nine.mp4", "no settings"]),
    (["--output", "there.mp4"], 5, ["output", "there.mp4", "--overwrite", "--output picks another"]),
    (["--output", "folder.mp4"], 2, ["--output", "folder.mp4", "--output-dir"]),
    (["--output", "clip.txt"], 2, ["--output", "clip.txt", ".mp4"]),
    (["--output", "clip"], 2, ["--output", "clip", ".mp4"]),
    (["--output", "clip.png"], 2, ["--output", "clip.png", ".mp4"]),
    (["--output", "clip.mp4", "--frames", "1"], 2, ["--output", "clip.mp4", ".png"]),
    (["--output", "x" * 300 + ".mp4"], 2, ["--output", "255"]),
    (["--output", "there.mp4/clip.mp4"], 2, ["--output", "there.mp4 is a file"]),
    (["--output-dir", "there.mp4"], 2, ["--output-dir", "there.mp4 is a file"]),
    (["--output-dir", "/proc/nowhere"], 4, ["output_dir", "/proc", "--output-dir"]),
    (["--output-dir", "~nobody-here/x"], 2, ["--output-dir", "~nobody-here"]),
    (["--manifest-path", "/proc/nowhere/x"], 4, ["manifest_path", "/proc", "--manifest-path picks"]),
    (["--manifest-path", "nine.mp4"], 2, ["manifest_path", "nine.mp4", "other than a run history"]),
    (["--manifest-path", "/dev/null"], 2, ["manifest_path", "/dev/null is not a file"]),
    (["--output", "a.webm", "--codec", "h264"], 2, ["--codec", "h264", ".webm", ".mp4"]),
    (["--codec", "dnxhr"], 2, ["size", "96x96", "256x120"]),
    (["--crf", "60"], 2, ["--crf", "60", "0 to 51"]),
    (["--crf", "20", "--codec", "prores"], 2, ["--crf", "prores"]),
    (["--name", "{colour}"], 2, ["--name", "{colour}", "{seed}".strip("{}")]),
    (["--name", "../up"], 2, ["--name", "../up"]),
    (["--name", ".hidden"], 2, ["--name", ".hidden"]),
    (["--name", "same", "--count", "2"], 2, ["--name", "{seed} or {index}"]),
]


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_bad_request_is_refused_by_name_with_a_fix(
    call: Callable[..., Any], files: Path, arguments: list[str], code: int, said: list[str]
) -> None:
    before = sorted(files.rglob("*.*"))
    result = call("generate", "a fox", *arguments, "--dry-run")
    assert result.exit_code == code, result.stderr
    assert result.stderr.startswith("error: ")
    assert [part for part in said if part not in result.stderr] == [], result.stderr
    assert "bug of wangp" not in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert [
        path for path in sorted(files.rglob("*.*")) if path not in before and "home" not in path.parts
    ] == []


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_a_blank_prompt_is_refused(call: Callable[..., Any], prompt: str) -> None:
    result = call("generate", prompt, "--dry-run")
    assert result.exit_code == 2
    assert "--prompt: blank" in result.stderr


def test_a_prompt_said_twice_is_refused(call: Callable[..., Any]) -> None:
    result = call("generate", "a fox", "-p", "a dog")
    assert result.exit_code == 2
    assert "a fox" in result.stderr
    assert "--prompt" in result.stderr


def test_the_prompt_may_be_an_argument_or_a_flag(dry: Dry) -> None:
    assert dry("a fox")["request"]["prompt"] == dry("-p", "a fox")["request"]["prompt"] == "a fox"


@pytest.mark.parametrize(
    ("flag", "named"),
    [("--num-inference-steps", "--steps"), ("--video-length", "--frames"), ("--resolution=9x9", "--size"),
     ("--loras", "--lora"), ("--model-type", "--model"), ("--fp16", "--dtype")],
)  # fmt: skip
def test_a_flag_of_the_older_tools_names_the_new_one(run: Run, flag: str, named: str) -> None:
    result = run("generate", "x", flag, "5", code=2)
    assert named in result.stderr
    assert result.stdout == ""


def test_a_misspelt_flag_names_the_nearest(call: Callable[..., Any]) -> None:
    result = call("generate", "x", "--stepz", "3")
    assert result.exit_code == 2
    assert "--steps" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--dry-run"], 0), (["-m", "i2v", "--image-start", "start.png", "--dry-run"], 0),
     (["-m", "i2v", "--image-start", "broken.png"], 2), (["--settings-file", "five.mp4"], 2),
     (["--video-guide", "nine.mp4", "--video-mask", "five.mp4"], 2), (["--lora", "gone"], 2),
     (["--output", "there.mp4"], 5), (["--output-dir", "/proc/nowhere"], 4)],
    ids=str,
)  # fmt: skip
def test_refusals_and_dry_runs_never_import_torch(
    files: Path, home: Path, arguments: list[str], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wangp_cli", "generate", "a fox", *arguments],
        cwd=files, env=clean_environment(home), capture_output=True, text=True, check=False,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert done.returncode == code
    assert "wangp_cli.runtime.request.resolve" in imported
    assert [name for name in HEAVY if name in imported] == []


HOSTILE = {
    "twice": ('{"steps": 3, "steps": 4}', ["'steps'", "twice"]),
    "nan": ('{"guidance_scale": NaN}', ["NaN"]),
    "infinite": ('{"guidance_scale": 1e999}', ["1e999"]),
    "surrogate": ('{"prompt": "\\ud800"}', ["surrogate"]),
    "nul": ('{"prompt": "a\\u0000b"}', ["NUL"]),
    "deep": ("[" * 100_000, ["nested"]),
    "huge": ('{"seed": ' + "9" * 5000 + "}", []),
    "large": ('{"seed": 1' + "0" * 400 + "}", ["too large"]),
    "list": ("[]", ["object"]),
    "empty": ("", ["no settings"]),
    "text": ("steps: 3", ["not JSON"]),
    "unknown": ('{"stepps": 3}', ["stepps", "steps"]),
    "true": ('{"steps": true}', ["steps", "true"]),
    "words": ('{"steps": "many"}', ["steps", "'many'"]),
    "part": ('{"steps": 3.5}', ["steps", "3.5"]),
    "mapping": ('{"negative_prompt": {"a": 1}}', ["negative_prompt"]),
    "type": ('{"type": ["generate"]}', ["type"]),
    "model": ('{"model": {"a": 1}}', ["model"]),
    "inputs": ('{"request": {"prompt": "x"}, "inputs": [1], "checksums": 3}', ["checksums"]),
    "loras": ('{"activated_loras": 5, "video_length": 81}', ["loras"]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_settings_file_gets_one_clear_sentence(call: Callable[..., Any], name: str) -> None:
    text, said = HOSTILE[name]
    Path("hostile.json").write_text(text)
    result = call("generate", "x", "--settings-file", "hostile.json", "--dry-run")
    assert result.exit_code == 2, result.stderr
    assert [part for part in said if part not in result.stderr] == [], result.stderr
    assert "bug of wangp" not in result.stderr
    assert len(result.stderr) < 1000


def test_a_settings_file_cannot_choose_where_results_go(dry: Dry) -> None:
    request = {"prompt": "x", "output_dir": "/etc", "output": "/etc/a.mp4", "overwrite": True}
    Path("theirs.json").write_text(json.dumps({"wangp": {"request": request}}))
    found = dry("--settings-file", "theirs.json", "--name", "a")
    assert found["outputs"] == [str(Path("outputs/a.mp4").absolute())]
    assert found["request"]["overwrite"] is False


def test_paths_in_a_settings_file_are_relative_to_it(dry: Dry, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "look.json").write_text('{"prompt": "x", "image_start": "../start.png"}')
    found = dry("--model", "i2v", "--settings-file", "deep/look.json")
    assert found["request"]["image_start"] == str(tmp_path / "start.png")


WANGP = {
    "type": "WanGP v12.60 by DeepBeepMeep - Wan2.1 Text2video 14B",
    "settings_version": 2.74,
    "model_type": "t2v",
    "prompt": "a fox",
    "resolution": "832x480",
    "video_length": 83,
    "num_inference_steps": 25,
    "sample_solver": "euler",
    "seed": 5,
    "NAG_scale": 1,
    "slg_switch": 0,
    "video_quality": None,
}


def test_settings_of_wangp_are_understood(dry: Dry) -> None:
    Path("theirs.json").write_text(json.dumps(WANGP))
    request = dry("--settings-file", "theirs.json")["request"]
    kept = {name: request[name] for name in ("model", "frames", "steps", "sampler", "seed", "size", "prompt")}
    assert kept == {
        "model": "t2v", "frames": 81, "steps": 25, "sampler": "euler", "seed": 5, "size": "832x480",
        "prompt": "a fox",
    }  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [{"video_prompt_type": "BV"}, {"sample_solver": "dpm++_sde"}, {"image_mode": 2},
     {"spatial_upsampling": "flashvsr2"}, {"audio_guide2": "voice.wav"}],
    ids=str,
)  # fmt: skip
def test_what_wangp_asks_and_we_do_not_serve_is_refused_by_name(
    call: Callable[..., Any], asked: dict[str, Any]
) -> None:
    Path("theirs.json").write_text(json.dumps(WANGP | asked))
    result = call("generate", "--settings-file", "theirs.json", "--dry-run")
    assert result.exit_code == 2
    [key] = asked
    assert key in result.stderr or key == "sample_solver"
    assert str(asked[key]) in result.stderr


def test_strengths_of_wangp_loras_come_along(dry: Dry) -> None:
    for name in ("one", "two"):
        save_file({"blocks.0.attn1.to_q.lora_A.weight": np.zeros((1, 4))}, f"{name}.safetensors")
    loras = {"activated_loras": ["one.safetensors", "two.safetensors"], "loras_multipliers": "0.5"}
    Path("theirs.json").write_text(json.dumps(WANGP | loras))
    request = dry("--settings-file", "theirs.json")["request"]
    assert [Path(lora).name for lora in request["loras"]] == ["one.safetensors@0.5", "two.safetensors@1"]


def test_the_settings_file_gives_way_to_flags_and_beats_presets(dry: Dry) -> None:
    Path("look.json").write_text('{"steps": 3, "frames": 9}')
    found = dry("x", "--preset", "draft", "--settings-file", "look.json", "--frames", "5")
    assert (found["request"]["steps"], found["request"]["frames"]) == (3, 5)


def test_names_of_results_are_plain(dry: Dry) -> None:
    found = dry("A Red/Circle: ../../etc\u202e \x1b[31m 🎈 naïve", "--seed", "1")
    assert Path(found["outputs"][0]).name == "starter_seed1_a-red-circle-etc-31m-naïve.mp4"
    assert Path(found["outputs"][0]).parent == Path("outputs").absolute()


def test_a_prompt_without_letters_still_has_a_name(dry: Dry) -> None:
    assert Path(dry("🎈🎈", "--seed", "1")["outputs"][0]).name == "starter_seed1_untitled.mp4"
