"""Write a network's weights in the layouts of other tools; return what a reader must get."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import torch
import yaml
from safetensors.torch import save_file

from tests.support import tiny
from wangp_cli.models import Network
from wangp_cli.pipelines.wan.key_names import original_parameter

IMAGE: dict[str, Any] = {"in_channels": 36, "image_dim": 16, "added_kv_proj_dim": 48}
"""What the configuration of a network conditioned on images adds."""
Weights = dict[str, torch.Tensor]
TINY_SHOT = {
    "size": "32x32", "frames": 5, "fps": "16", "steps": 2, "guidance_scale": 1.0, "flow_shift": 3.0,
}  # fmt: skip
WIDE = {"num_attention_heads": 2, "attention_head_dim": 32}
"""A width that the blocks of GGUF divide."""


def network_of(model: Any, name: str = "tiny") -> Network:
    """The catalogue entry of a network in memory."""
    config = {key: value for key, value in dict(model.config).items() if not key.startswith("_")}
    return Network.model_validate({"name": name, "kind": type(model).__name__, "config": config})


def vace() -> Any:
    """A VACE network with all its kinds of keys."""
    return tiny.transformer("WanVACETransformer3DModel", vace_layers=[0, 1], vace_in_channels=96, **WIDE)


def original_names(weights: Weights) -> Weights:
    """The same weights under the original code's names, in its shapes."""
    named = {original_parameter(name): value.contiguous() for name, value in weights.items()}
    for key in [key for key in named if ".linear1_k." in key]:
        halves = named.pop(key), named.pop(key.replace("linear1_k", "linear1_v"))
        named[key.replace("linear1_k", "linear1_kv")] = torch.cat(halves)
    return {
        key: value[None, :, None, None] if "net_app" in key and key.endswith(".bias") else value
        for key, value in named.items()
    }


def save(path: Path, weights: Weights) -> list[Path]:
    """Write a safetensors file."""
    save_file({key: value.contiguous().clone() for key, value in weights.items()}, path)
    return [path]


def plain(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    return save(folder / "original.safetensors", original_names(weights)), weights


def own_names(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    return save(folder / "own.safetensors", weights), weights


def prefixed(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    keys = {f"model.diffusion_model.{key}": value for key, value in original_names(weights).items()}
    return save(folder / "prefixed.sft", keys), weights


def short_prefix(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    keys = {f"diffusion_model.{key}": value for key, value in original_names(weights).items()}
    return save(folder / "prefixed.safetensors", keys), weights


def half(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    rounded = {key: value.bfloat16() for key, value in weights.items()}
    return save(folder / "bf16.safetensors", original_names(rounded)), {
        key: value.float() for key, value in rounded.items()
    }


def plain_fp8(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    rounded = {
        key: value.to(torch.float8_e4m3fn) if _dense(key, value) else value for key, value in weights.items()
    }
    return save(folder / "fp8.safetensors", original_names(rounded)), {
        key: value.float() for key, value in rounded.items()
    }


def scaled_fp8(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    """ComfyUI's first form: `scale_weight` beside each weight, one marker for the file."""
    keys, expected = {}, dict(weights)
    for name, value in weights.items():
        key = f"model.diffusion_model.{original_parameter(name)}"
        if _dense(name, value):
            scale = (value.abs().max() / 448).reshape(1)
            keys[key] = (value / scale).to(torch.float8_e4m3fn)
            keys[key.replace(".weight", ".scale_weight")] = scale
            keys[key.replace(".weight", ".scale_input")] = torch.ones(1)
            expected[name] = keys[key].float() * scale
        else:
            keys[key] = value
    keys["scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
    return save(folder / "scaled.safetensors", keys), expected


def comfy_fp8(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    """ComfyUI's later form: a scalar `weight_scale`, and a description of each layer."""
    keys, expected = {}, dict(weights)
    form = torch.tensor(list(json.dumps({"format": "float8_e4m3fn"}).encode()), dtype=torch.uint8)
    for name, value in weights.items():
        key = original_parameter(name)
        if _dense(name, value):
            scale = value.abs().max() / 448
            keys[key] = (value / scale).to(torch.float8_e4m3fn)
            keys[key.replace(".weight", ".weight_scale")] = scale
            keys[key.replace(".weight", ".comfy_quant")] = form
            expected[name] = keys[key].float() * scale
        else:
            keys[key] = value
    return save(folder / "comfy.safetensors", keys), expected


def quanto(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    """WanGP's form: optimum-quanto int8 with a scale for each row."""
    keys, expected = {}, dict(weights)
    for name, value in weights.items():
        key = original_parameter(name)
        if _dense(name, value):
            scale = value.abs().amax(1, keepdim=True) / 127
            numbers = (value / scale).round().to(torch.int8)
            keys[f"{key}._data"], keys[f"{key}._scale"] = numbers, scale
            keys[key.replace(".weight", ".input_scale")] = torch.ones(())
            keys[key.replace(".weight", ".output_scale")] = torch.ones(())
            expected[name] = numbers.float() * scale
        else:
            keys[key] = value
    return save(folder / "quanto.safetensors", keys), expected


def base_and_module(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    """WanGP's form of VACE: the text-to-video network, and the layers that VACE adds."""
    keys = original_names(weights)
    base = {key: value for key, value in keys.items() if not key.startswith("vace")}
    module = {key: value for key, value in keys.items() if key.startswith("vace")}
    return save(folder / "base.safetensors", base) + save(folder / "module.safetensors", module), weights


def pickled(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
    torch.save({"state_dict": original_names(weights)}, folder / "weights.pth")
    return [folder / "weights.pth"], weights


def gguf_of(kind: gguf.GGMLQuantizationType) -> Callable[[Weights, Path], tuple[list[Path], Weights]]:
    """GGUF with matrices in blocks of `kind`; the rest float32, five axes written as four."""

    def write(weights: Weights, folder: Path) -> tuple[list[Path], Weights]:
        path, expected = folder / f"{kind.name}.gguf", dict(weights)
        writer = gguf.GGUFWriter(path, "wan")
        for name, value in weights.items():
            key, array = original_parameter(name), value.numpy()
            if _dense(name, value) and array.shape[-1] % 32 == 0:
                blocks = gguf.quants.quantize(array, kind)
                writer.add_tensor(key, blocks, raw_dtype=kind)
                expected[name] = torch.from_numpy(gguf.quants.dequantize(blocks, kind).copy())
            elif array.ndim > 4:
                writer.add_array(f"comfy.gguf.orig_shape.{key}", [*array.shape])
                writer.add_tensor(key, array.reshape(array.shape[0], -1))
            else:
                writer.add_tensor(key, array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return [path], expected

    return write


def _dense(name: str, value: torch.Tensor) -> bool:
    """Whether tools quantise it: the matrices of the blocks."""
    return value.ndim == 2 and "blocks" in name and name.endswith(".weight")


LAYOUTS: dict[str, Callable[[Weights, Path], tuple[list[Path], Weights]]] = {
    "original names": plain,
    "diffusers names": own_names,
    "prefixed": prefixed,
    "short prefix": short_prefix,
    "bf16": half,
    "plain fp8": plain_fp8,
    "ComfyUI scaled fp8": scaled_fp8,
    "ComfyUI described fp8": comfy_fp8,
    "WanGP quanto int8": quanto,
    "WanGP base and VACE module": base_and_module,
    "pickle": pickled,
    "GGUF Q8_0": gguf_of(gguf.GGMLQuantizationType.Q8_0),
    "GGUF Q4_0": gguf_of(gguf.GGMLQuantizationType.Q4_0),
    "GGUF Q5_1": gguf_of(gguf.GGMLQuantizationType.Q5_1),
    "GGUF F16": gguf_of(gguf.GGMLQuantizationType.F16),
    "GGUF BF16": gguf_of(gguf.GGMLQuantizationType.BF16),
}
"""By name: writes the files, and gives the weights that are in them."""


def add_entry(config: Path, name: str, model: Any, files: list[Path], **source: Any) -> None:
    """Put a model in files into a user's catalogue: its other parts are those of tiny_t2v or tiny_vace."""
    network = network_of(model).model_dump(mode="json", exclude={"name"})
    kind = "vace" if "VACE" in network["kind"] else "t2v"
    entry = {
        "title": name,
        "architecture": kind,
        "network": f"{name}_network",
        "source": {"file": [str(file) for file in files], "components": f"tiny_{kind}"} | source,
        "accepts": ["negative", "lora"],
        "defaults": TINY_SHOT,
        "text_length": 24,
    }
    file = {"family": "wan", "networks": {f"{name}_network": network}, "models": {name: entry}}
    (config / "models" / f"{name}.yaml").write_text(yaml.safe_dump(file))


def same(network: Any, weights: dict[str, torch.Tensor]) -> bool:
    """Every weight equal bit for bit, and none beside them."""
    found = network.state_dict()
    return found.keys() == weights.keys() and all(torch.equal(found[key], weights[key]) for key in weights)
