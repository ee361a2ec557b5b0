"""Finding weights on this machine, and running models from files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Make, Run
from tests.support import checkpoint_layouts, tiny
from wangp_cli.errors import ModelError
from wangp_cli.models import ModelSpec, Source
from wangp_cli.runtime.weights import locate, prepared
from wangp_cli.runtime.weights.fetch import needed_repositories


@pytest.mark.parametrize("kind", ["t2v", "vace"])
def test_a_model_from_a_file_makes_the_pixels_of_its_folder(
    kind: str, make: Make, config: Path, tmp_path: Path
) -> None:
    model = tiny.pipeline(kind).transformer
    layout = checkpoint_layouts.base_and_module if kind == "vace" else checkpoint_layouts.prefixed
    files, _ = layout(model.state_dict(), tmp_path)
    checkpoint_layouts.add_entry(config, "mine", model, files)
    assert np.array_equal(make("mine").frames, make(f"tiny_{kind}").frames)


def test_a_file_that_does_not_fit_fails_the_task_with_its_key(
    make: Make, config: Path, tmp_path: Path
) -> None:
    model = tiny.transformer()
    keys = checkpoint_layouts.original_names(model.state_dict())
    del keys["blocks.1.ffn.2.bias"]
    checkpoint_layouts.add_entry(
        config, "cut", model, checkpoint_layouts.save(tmp_path / "cut.safetensors", keys)
    )
    outcome = make("cut").outcome
    assert outcome.exit_code == 3
    assert outcome.error is not None
    assert "blocks.1.ffn.2.bias" in outcome.error.message


def test_a_pickle_needs_the_word_of_the_entry(make: Make, config: Path, tmp_path: Path) -> None:
    model = tiny.transformer()
    files, _ = checkpoint_layouts.pickled(model.state_dict(), tmp_path)
    checkpoint_layouts.add_entry(config, "pickled", model, files)
    checkpoint_layouts.add_entry(config, "trusted", model, files, allow_pickle=True)
    refused = make("pickled").outcome
    assert refused.error is not None
    assert "pickle" in refused.error.message
    assert make("trusted").path.is_file()


def test_a_missing_file_is_named_before_anything_is_loaded(run: Run, config: Path, tmp_path: Path) -> None:
    checkpoint_layouts.add_entry(config, "gone", tiny.transformer(), [tmp_path / "gone.safetensors"])
    result = run("generate", "x", "-m", "gone", env={"WANGP_CONFIG_DIR": str(config)}, code=3)
    assert "gone.safetensors is missing" in result.stderr


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("hf://owner/name/a/b.safetensors", "owner--name/a/b.safetensors"),
        ("hf://owner/name@v1/b.safetensors", "owner--name/b.safetensors"),
        ("mine.safetensors", "mine.safetensors"),
        ("/elsewhere/mine.gguf", "/elsewhere/mine.gguf"),
    ],
)
def test_files_have_their_place(name: str, path: str) -> None:
    assert locate.file_of(name, Path("/models")) == Path("/models") / path


@pytest.mark.parametrize("name", ["hf://owner", "hf://owner/name/../../x", "hf://a/b/c/../../../d"])
def test_a_wrong_reference_to_a_hub_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="hf://"):
        locate.file_of(name, Path())


def test_a_part_that_is_not_there_is_missed(tmp_path: Path) -> None:
    spec = ModelSpec(
        name="x", title="x", family="wan", architecture="t2v", accepts=frozenset(),
        source=Source(repository="owner/name"),
    )  # fmt: skip
    folder = tmp_path / "owner--name"
    assert locate.missing_file(spec, tmp_path) == folder / "model_index.json"
    tiny.save("t2v", folder)
    assert locate.present(spec, tmp_path)
    shards = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "vae" / "x.safetensors.index.json").write_text(json.dumps(shards))
    (folder / "vae" / "one.safetensors").write_bytes(b"")
    assert locate.missing_file(spec, tmp_path) == folder / "vae" / "two.safetensors"
    shutil.rmtree(folder / "transformer")
    assert locate.missing_file(spec, tmp_path) == folder / "transformer"
    with pytest.raises(ModelError, match="transformer is missing"):
        locate.locate(spec, tmp_path)


def test_modules_are_wanted_lacked_and_found_beside_prepared_weights(tmp_path: Path) -> None:
    base, files = tiny.save("i2v", tmp_path / "base"), ("hf://who/mod/speech.safetensors",)
    modules = {"speech": files, "audio_encoder": ("hf://who/mod/wav/model.safetensors",)}
    spec = tiny.spec("i2v", source=Source(folder=base, modules=modules))
    [want] = needed_repositories(spec)
    assert (want.repository, want.paths) == ("who/mod", ("speech.safetensors", "wav/model.safetensors"))
    speech, encoder = (
        tmp_path / "who--mod" / "speech.safetensors",
        tmp_path / "who--mod/wav/model.safetensors",
    )
    encoder.parent.mkdir(parents=True)
    encoder.touch()
    assert locate.missing_file(spec, tmp_path) == speech
    with pytest.raises(ModelError, match=r"speech\.safetensors is missing"):
        locate.locate(spec, tmp_path)
    speech.touch()
    found = locate.locate(spec, tmp_path)
    assert (found.folder, found.network) == (base, None)
    assert dict(found.files) == {"speech": (speech,), "audio_encoder": (encoder,)}
    ready = prepared.folder_of(spec, tmp_path, "bfloat16")
    ready.mkdir(parents=True)
    marker = {"of": prepared.fingerprint(found), "dtype": "bfloat16"}
    (ready / prepared.MARKER).write_text(json.dumps(marker))
    found = locate.locate(spec, tmp_path, "bfloat16")
    assert (found.folder, found.mapped) == (ready, True)
    assert dict(found.files)["speech"] == (speech,)
    file = spec.model_copy(update={"source": Source(file=("a.safetensors",), components=spec.source)})
    assert set(dict(locate.expected(file, tmp_path).files)) == {"transformer", "speech", "audio_encoder"}
