"""Weights that bring or name code: refused by file, nothing runs, and no task is lost to a question."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY, TINY_MODEL, Run, clean_environment
from tests.support import tiny, tiny_fantasy_talking
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import Weights
from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
from wangp_cli.pipelines.checkpoints.foreign_code import check_code, read_index

PACKAGE = Path(__file__).resolve().parents[3] / "wangp_cli"
CONFIGURATIONS = {
    "tokenizer": "tokenizer_config.json",
    "text_encoder": "config.json",
    "vae": "config.json",
    "transformer": "config.json",
    "scheduler": "scheduler_config.json",
    "image_encoder": "config.json",
    "image_processor": "preprocessor_config.json",
    "feature_extractor": "preprocessor_config.json",
}
AUTOS = ("Config", "Model", "Tokenizer", "ImageProcessor", "FeatureExtractor", "Processor")


def change(file: Path, **values: Any) -> None:
    """Write keys into a JSON file, which need not be there."""
    held = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(held | values))


def poison(part: Path, marker: Path, configuration: str) -> None:
    """Let a part name code that writes a file, in every way its loader knows; no code lies in the part."""
    code = part.parent / "elsewhere"
    code.mkdir(exist_ok=True)
    (code / "poison.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Poison: pass\n")
    classes = {f"Auto{name}": f"{code}--poison.Poison" for name in AUTOS}
    classes["AutoTokenizer"] = [None, f"{code}--poison.Poison"]  # type: ignore[assignment]
    # No class that is known, so that the library asks instead of taking its own.
    own = {"tokenizer_class": "Poison"} if part.name == "tokenizer" else {}
    change(part / configuration, auto_map=classes, **own)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder of weights with every kind of part, and the environment in which it is the model `poor`."""
    folder = tiny.save("i2v", tmp_path / "weights")
    shutil.copytree(folder / "image_processor", folder / "feature_extractor")
    change(folder / "model_index.json", feature_extractor=["transformers", "CLIPImageProcessor"])
    config = tmp_path / "config"
    (config / "models").mkdir(parents=True)
    text = TINY + TINY_MODEL.format(
        name="i2v", architecture="i2v", experts=1, size="32x32", more="", folder=folder,
        accepts="start, end, anchor, initial, lora, negative", requires="", text_length=512,
    )  # fmt: skip
    (config / "models" / "tiny.yaml").write_text(text)
    return folder, {"WANGP_CONFIG_DIR": str(config)}


LINES = [
    {"task_id": name, "prompt": "y", "model": model, "image_start": "start.png", "seed": 1}
    for name, model in (("a", "tiny_i2v"), ("b", "tiny_i2v"), ("c", "tiny_i2v"))
]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["tokenizer", "feature_extractor"])
def test_a_batch_from_standard_input_refuses_and_loses_no_line(
    place: tuple[Path, dict[str, str]], home: Path, tmp_path: Path, part: str
) -> None:
    from PIL import Image

    folder, environment = place
    marker = tmp_path / "it_ran"
    poison(folder / part, marker, CONFIGURATIONS[part])
    Image.new("RGB", (32, 32)).save(tmp_path / "start.png")
    # Plain answers lie between the tasks, for a question that would take them.
    text = "".join(json.dumps(line) + "\ny\n" for line in LINES)
    done = subprocess.run(
        [sys.executable, "-m", "wangp_cli", "batch", "-", "--json", "--output-dir", "out"],
        cwd=tmp_path, env=clean_environment(home) | environment | {"HF_HOME": str(tmp_path / "hf")},
        input=text, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [event for event in events if event["type"] == "task.failed"]
    rejected = [event["data"]["line"] for event in events if event["type"] == "task.rejected"]
    assert [event["task"] for event in failed] == ["a", "b", "c"], done.stdout + done.stderr
    assert rejected == [2, 4, 6]
    for event in failed:
        assert event["data"]["error"]["kind"] == "model"
        assert str(folder / part / CONFIGURATIONS[part]) in event["data"]["error"]["message"]
    assert not marker.exists()


def test_a_generate_ends_with_3(place: tuple[Path, dict[str, str]], run: Run, tmp_path: Path) -> None:
    from PIL import Image

    folder, environment = place
    marker = tmp_path / "it_ran"
    poison(folder / "tokenizer", marker, CONFIGURATIONS["tokenizer"])
    Image.new("RGB", (32, 32)).save(tmp_path / "start.png")
    more = {"env": environment | {"HF_HOME": str(tmp_path / "hf")}, "input": "y\n"}
    done = run("generate", "y", "-m", "tiny_i2v", "--image-start", "start.png", code=3, **more)
    assert str(folder / "tokenizer" / "tokenizer_config.json") in " ".join(done.stderr.split())
    assert not marker.exists()


@pytest.mark.parametrize("part", CONFIGURATIONS)
def test_every_part_is_looked_at(place: tuple[Path, dict[str, str]], tmp_path: Path, part: str) -> None:
    folder, _ = place
    Checkpoint(folder)
    poison(folder / part, tmp_path / "it_ran", CONFIGURATIONS[part])
    with pytest.raises(ModelError, match=f"{part}.*auto_map"):
        Checkpoint(folder)
    assert not (tmp_path / "it_ran").exists()


def test_an_encoder_in_files_of_its_own_is_looked_at(
    place: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    weights = tiny_fantasy_talking.weights(place[0], tmp_path)
    Checkpoint(weights)
    poison(tmp_path / "wav2vec", tmp_path / "it_ran", "preprocessor_config.json")
    with pytest.raises(ModelError, match=r"wav2vec/preprocessor_config\.json.*auto_map"):
        Checkpoint(weights)


def _index(**values: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / "model_index.json", **values)


def _part(name: str, **values: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / name, **values)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_index(vae=["poison", "Poison"]), "vae"),
        (_index(vae=["diffusers.poison", "Poison"]), "vae"),
        (_index(vae=["wangp_cli", "Poison"]), "vae"),
        (_index(vae=[["diffusers"], "AutoencoderKLWan"]), "vae"),
        (_index(_class_name=["pipeline", "Poison"]), "_class_name"),
        (_index(custom_pipeline="poison"), "custom_pipeline"),
        (_index(**{"../vae": ["diffusers", "AutoencoderKLWan"]}), "is not a folder name"),
        (_part("vae/config.json", _class_name=["poison", "Poison"]), "_class_name"),
        (_part("text_encoder/config.json", deep=[{"auto_map": {"AutoModel": "poison.Poison"}}]), "auto_map"),
        (_part("text_encoder/config.json", attn_implementation="owner/kernel"), "attn_implementation"),
        (_part("text_encoder/config.json", quantization_config={"quant_method": "poison"}), "quantization"),
        (_part("text_encoder/adapter_config.json", base_model_name_or_path="owner/x"), "adapter_config"),
        (_part("tokenizer/tokenizer_config.json", tokenizer_class="BertJapaneseTokenizer"), "BertJapanese"),
        (_part("tokenizer/config.json", tokenizer_class="Poison"), "Poison"),
        (lambda folder: (folder / "vae" / "poison.py").write_text("1"), r"vae/poison\.py"),
        (lambda folder: (folder / "vae" / "config.json").write_text('{"a":' * 99_999), "cannot be read"),
    ],
)  # fmt: skip
def test_every_way_to_name_code_is_refused(
    place: tuple[Path, dict[str, str]], spoil: Callable[[Path], Any], named: str
) -> None:
    spoil(place[0])
    with pytest.raises(ModelError, match=named):
        Checkpoint(Weights(folder=place[0]))


def test_one_place_lets_libraries_read_folders() -> None:
    called: dict[str, int] = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("from_pretrained", "from_single_file"):
                called[file.name] = called.get(file.name, 0) + 1
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("input", "torch.hub.load", "pickle.load"), file
    assert called == {"pretrained.py": 1}


def test_libraries_find_standard_input_empty() -> None:
    script = (
        "import os, sys; from wangp_cli.runtime.events import stdin; stdin.keep_stdin(); "
        "assert (os.read(0, 9), sys.stdin.read()) == (b'', ''); "
        "print(stdin.open_stdin().read().decode(), end='')"
    )
    done = subprocess.run([sys.executable, "-c", script], input="y\n", capture_output=True, text=True)  # noqa: PLW1510
    assert (done.stdout, done.stderr) == ("y\n", "")


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_tasks_come_by_every_name_of_standard_input(run: Run, name: str) -> None:
    done = run("batch", name, "--json", "--dry-run", input="not json\n", code=2)
    [line] = done.stdout.splitlines()
    assert json.loads(line)["line"] == 1


def test_a_question_of_ours_is_answered_on_standard_input() -> None:
    script = (
        "import sys, typer; from wangp_cli.runtime.events import stdin; stdin.keep_stdin(); "
        "exec('with stdin.stdin_for_answers():\\n assert typer.confirm(\"sure?\", err=True)'); "
        "assert sys.stdin.read() == ''"
    )
    done = subprocess.run([sys.executable, "-c", script], input="y\n", capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr


def test_the_weights_of_the_package_are_accepted() -> None:
    folder = PACKAGE / "starter"
    check_code(folder, read_index(folder / "model_index.json"), {})
