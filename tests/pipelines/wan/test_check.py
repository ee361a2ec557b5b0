"""What a check of weights accepts, `load` loads; damage of every part is found by both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support import checkpoint_layouts, tiny
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import Placement
from wangp_cli.pipelines.wan.load import check, load

Change = Callable[[Path], object]


def weights_of(part: Path) -> Path:
    [file] = part.glob("*.safetensors")
    return file


def tensors(part: str, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Change:
    """A change of the tensors of a part."""

    def write(folder: Path) -> None:
        file = weights_of(folder / part)
        save_file({key: value.contiguous() for key, value in change(load_file(file)).items()}, file)

    return write


def without_one(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(list(state.items())[:-1])


def with_shape(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    key = next(key for key, value in state.items() if value.ndim >= 2)
    return state | {key: torch.zeros(3, 5)}


def as_int8(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value.to(torch.int8) if value.ndim == 2 else value for key, value in state.items()}


def as_scaled_fp8(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    changed = dict(state)
    for key, value in state.items():
        if value.ndim == 2 and "attention" in key.lower():
            changed[key] = value.to(torch.float8_e4m3fn)
            changed[key.replace(".weight", ".scale_weight")] = torch.ones(1)
    return changed | {"scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)}


def cut(part: str) -> Change:
    def write(folder: Path) -> None:
        file = weights_of(folder / part)
        file.write_bytes(file.read_bytes()[:-50])

    return write


def text(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


def setting(name: str, **values: Any) -> Change:
    """A change of a configuration."""
    return lambda folder: (folder / name).write_text(
        json.dumps(json.loads((folder / name).read_text()) | values)
    )


def gone(name: str) -> Change:
    def remove(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


DAMAGE: dict[str, tuple[Change, str]] = {
    "VAE without a key": (tensors("vae", without_one), "vae has 1 missing keys"),
    "VAE of other names": (
        tensors("vae", lambda state: {f"x.{key}": value for key, value in state.items()}), "vae has .* keys",
    ),
    "VAE of other shapes": (tensors("vae", with_shape), "vae cannot be loaded.*shape"),
    "VAE in int8": (tensors("vae", lambda s: {k: v.to(torch.int8) for k, v in s.items()}), "has dtype I8"),
    "VAE cut": (cut("vae"), "vae.*is broken"),
    "VAE configuration": (setting("vae/config.json", base_dim="wide"), "vae cannot be loaded"),
    "text encoder in scaled fp8": (tensors("text_encoder", as_scaled_fp8), "text_encoder has .* unexpected"),
    "text encoder of other shapes": (tensors("text_encoder", with_shape), "text_encoder has 1 mismatched"),
    "text encoder in int8": (tensors("text_encoder", as_int8), "has dtype I8"),
    "text encoder without a key": (tensors("text_encoder", without_one), "text_encoder has 2 missing keys"),
    "no tokenizer": (gone("tokenizer/tokenizer.json"), "tokenizer.json is missing"),
    "broken tokenizer": (text("tokenizer/tokenizer.json", "{}"), "tokenizer cannot be loaded"),
    "transformer of other shapes": (tensors("transformer", with_shape), "transformer cannot be.*shape"),
    "transformer of original names": (
        tensors("transformer", checkpoint_layouts.original_names), "transformer has .* keys",
    ),
    "transformer of another depth": (setting("transformer/config.json", num_layers=3), "transformer has"),
    "transformer configuration": (setting("transformer/config.json", num_layers="many"), "cannot be loaded"),
    "transformer in int8": (tensors("transformer", as_int8), "has dtype I8"),
    "shard outside": (
        text("transformer/diffusion_pytorch_model.safetensors.index.json", '{"weight_map": {"a": "../x"}}'),
        "names '../x', which is no file of its folder",
    ),
    "shard missing": (
        text("transformer/diffusion_pytorch_model.safetensors.index.json", '{"weight_map": {"a": "x"}}'),
        "x is missing|not a weight file",
    ),
    "endless layers": (setting("transformer/config.json", num_layers=1 << 70), "num_layers is 118"),
    "endless shapes": (setting("vae/config.json", dim_mult=[1, 1 << 40]), "dim_mult is 109"),
    "endless tokens": (setting("tokenizer/tokenizer_config.json", extra_ids=1 << 30), "extra_ids is 107"),
    "other index": (
        text("text_encoder/pytorch_model.bin.index.json", '{"weight_map": {"a": "/etc/passwd"}}'),
        "names '/etc/passwd'",
    ),
}  # fmt: skip


def loaded(folder: Path) -> Any:
    return load(tiny.spec("t2v"), folder, Placement(), [], tiny.Parts(), tiny.quiet)


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_found_by_the_check_and_refused_by_load(
    checkpoint: Callable[[str], Path], tmp_path: Path, case: str
) -> None:
    change, said = DAMAGE[case]
    folder = Path(shutil.copytree(checkpoint("t2v"), tmp_path / "copy"))
    change(folder)
    with pytest.raises(ModelError, match=said) as checked:
        check(tiny.spec("t2v"), folder)
    with pytest.raises(ModelError, match=said) as refused:
        loaded(folder)
    assert checked.value.message == refused.value.message


@pytest.mark.parametrize("name", ["t2v", "vace", "t2v_2_2", "i2v"])
def test_whole_weights_pass(checkpoint: Callable[[str], Path], name: str) -> None:
    check(tiny.spec(name), checkpoint(name))


def test_half_precision_and_plain_fp8_pass_and_load(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("t2v"), tmp_path / "copy"))
    tensors("text_encoder", lambda state: {k: v.to(torch.float8_e4m3fn) for k, v in state.items()})(folder)
    tensors("vae", lambda state: {k: v.bfloat16() for k, v in state.items()})(folder)
    check(tiny.spec("t2v"), folder)
    loaded(folder)


def test_weights_of_another_architecture_are_refused(checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match="needs a WanVACETransformer3DModel"):
        check(tiny.spec("vace"), checkpoint("t2v"))
