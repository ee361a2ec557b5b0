"""Device, dtypes, memory profile and attention: the fields of the Runtime options and settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from wangp_cli.errors import nearest
from wangp_cli.tasks.fields import Flag, Spec

Dtype = Literal["float32", "bfloat16", "float16"]
Quantization = Literal["none", "fp8", "int8"]
Profile = Literal["auto", "1", "2", "3", "4", "5"]
PreloadPolicy = Literal["task", "start", "unload"]

ATTENTION = {
    "sdpa": "native",
    "flash2": "flash",
    "flash3": "_flash_3",
    "sage2": "sage",
    "sage2++": "sage",
}
"""Aliases of backends of diffusers' attention dispatcher."""
BACKENDS = (
    "auto", "native", "flex", "flash", "flash_varlen", "_flash_3", "_flash_varlen_3", "sage", "sage_varlen",
    "_sage_qk_int8_pv_fp8_cuda", "_sage_qk_int8_pv_fp8_cuda_sm90", "_sage_qk_int8_pv_fp16_cuda",
    "_sage_qk_int8_pv_fp16_triton", "xformers", "_native_cudnn", "_native_efficient", "_native_flash",
    "_native_math",
)  # fmt: skip
MASKLESS = ("flash", "_flash", "sage", "_sage", "_native_flash")
"""Prefixes of the attention backends that support no attention mask."""
UNSERVED_ATTENTION = {
    "sage3": "comes as code from a hub only, which is not run",
    "radial": "is a kernel of the older app alone",
    "sol": "is a kernel of the older app alone",
}
TILE_BLOCK = 64
"""A quarter of a tile is shared with its neighbour, and must be whole latent pixels."""
CACHES = {"fbcache": 0.1, "magcache": 0.06}
"""Step caches, and their usual thresholds."""
CALIBRATE = "calibrate"
LESS_MEMORY: dict[str, Profile] = {"1": "3", "2": "4", "3": "4", "4": "5", "auto": "4"}
"""The profile to try after one that ran out of memory; `auto` where none was chosen yet."""


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?|mps", value):
        raise ValueError(f"{value!r} is not one of auto, cpu, cuda, cuda:1, mps")
    return value


def _attention(value: str) -> str:
    name = ATTENTION.get(value, value)
    if value in UNSERVED_ATTENTION:
        raise ValueError(f"{value!r} {UNSERVED_ATTENTION[value]}, use sage or native")
    if name not in BACKENDS:
        guess = nearest(name, [*BACKENDS, *ATTENTION]) or f"one of {', '.join(BACKENDS[:7])}, xformers, ..."
        raise ValueError(f"{value!r} is no attention backend, {guess}")
    return name


def _as_text(value: Any) -> Any:
    """A number as text, for fields that take names."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _quantization(value: Any) -> Any:
    return {"": "none", "bf16": "none"}.get(value, value) if isinstance(value, str) else value


def _tiling(value: Any) -> Any:
    text = str(value).strip().lower()
    if text in ("auto", "off"):
        return text
    if not re.fullmatch("[0-9]{1,4}", text) or not TILE_BLOCK <= int(text) <= 8192 or int(text) % TILE_BLOCK:
        raise ValueError(
            f"{value!r} is not auto, off or the side of a tile in pixels, a multiple of {TILE_BLOCK}"
        )
    return int(text)


def _cache(value: str | None) -> str | None:
    if value in (None, "", "none"):
        return None
    name, equals, threshold = str(value).partition("=")
    if name not in CACHES:
        raise ValueError(f"{name!r} is not one of {', '.join(CACHES)}")
    if threshold == CALIBRATE and name == "magcache":
        return value
    if not equals:
        return f"{name}={CACHES[name]:g}"
    if not re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", threshold) or float(threshold) > 10:
        raise ValueError(f"threshold {threshold!r} is not a number from 0 to 10, such as {CACHES[name]:g}")
    return f"{name}={float(threshold):g}"


class Compute(Spec):
    """Device and dtype of networks."""

    panel: ClassVar[str] = "Runtime"
    device: Annotated[
        str,
        AfterValidator(_device),
        Flag(
            "Device: auto, cpu, cuda, cuda:1 or mps.", metavar="NAME", choices=("auto", "cpu", "cuda", "mps")
        ),
    ] = "auto"
    dtype: Annotated[
        Literal["auto", Dtype],
        Flag("Dtype of networks: auto, float32, bfloat16 or float16.", metavar="TYPE"),
    ] = "auto"


class Runtime(Compute):
    """Device, dtypes, memory and speed."""

    dtype: Annotated[
        Literal["auto", Dtype],
        Flag("Dtype of transformer and text encoder: auto, float32, bfloat16 or float16.", metavar="TYPE"),
    ] = "auto"
    mixed_precision: Annotated[
        bool, Flag("Keep the layers in float32 that the model requires in float32.", default="on")
    ] = True
    vae_dtype: Annotated[
        Dtype, Flag("Dtype of the VAE: float32, bfloat16 or float16; fewer bits are faster.", metavar="TYPE")
    ] = "float32"
    transformer_quantization: Annotated[
        Quantization, BeforeValidator(_quantization), Flag("Keep the transformer's weights in 8 bits.")
    ] = "none"
    text_encoder_quantization: Annotated[
        Quantization, BeforeValidator(_quantization), Flag("Keep the text encoder's weights in 8 bits.")
    ] = "none"
    profile: Annotated[
        Profile,
        BeforeValidator(_as_text),
        Flag(
            "Memory profile: from all weights on the device (1) to the least memory (5).", metavar="auto|1..5"
        ),
    ] = "auto"
    preload: Annotated[
        int,
        Field(ge=0, le=1_000_000),
        Flag(
            "Megabytes of offloaded weights that are on the device at once; 0 is the profile's default.",
            metavar="MB",
        ),
    ] = 0
    preload_policy: Annotated[
        PreloadPolicy,
        Flag(
            "Load when first needed (task), before inputs are read (start), or free after the task (unload)."
        ),
    ] = "task"
    vae_tiling: Annotated[
        Literal["auto", "off"] | int,
        BeforeValidator(_tiling),
        Flag("Decode in tiles: auto, off, or a side in pixels such as 256.", metavar="SIDE"),
    ] = "auto"
    attention: Annotated[
        str,
        AfterValidator(_attention),
        Flag(
            "Attention backend, such as native, flash or sage.",
            metavar="NAME",
            choices=(*BACKENDS, *ATTENTION),
        ),
    ] = "auto"
    compile: Annotated[bool, Flag("Compile the transformer's blocks: a slow start, then faster.")] = False
    boost: Annotated[bool, Flag("Compute both guidance branches in one pass: faster, more memory.")] = False
    cache: Annotated[
        str | None,
        AfterValidator(_cache),
        Flag(
            "Skip steps that change little: fbcache or magcache.",
            metavar="NAME[=THRESHOLD]",
            choices=tuple(CACHES),
        ),
    ] = None
    exact: Annotated[bool, Flag("Bit for bit what diffusers' own pipeline gives.")] = False
    offline: Annotated[bool, Flag("Fetch nothing from the network.")] = False

    @model_validator(mode="after")
    def _exact_is_exact(self) -> Self:
        approximate = {
            "compile": self.compile,
            "boost": self.boost,
            "transformer_quantization": self.transformer_quantization != "none",
            "text_encoder_quantization": self.text_encoder_quantization != "none",
        }
        if self.exact and any(approximate.values()):
            field = next(name for name, active in approximate.items() if active)
            raise ValueError(f"{field}: not together with exact, it changes the last bits")
        return self
