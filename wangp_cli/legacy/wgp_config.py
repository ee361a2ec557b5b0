"""Translate WanGP's `wgp_config.json` into settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.open_input import read_input
from wangp_cli.legacy.documents import DocumentKind, kind_of
from wangp_cli.tasks.runtime import ATTENTION

_CODECS = {
    "libx264_8": "h264",
    "libx264_10": "h264-10",
    "libx264_lossless": "h264-lossless",
    "libx265_28": "hevc",
    "libx265_8": "hevc",
    "prores_422": "prores",
    "dnxhr_hq": "dnxhr",
}
_TABLES: dict[str, tuple[str, dict[Any, Any]]] = {
    "video_output_codec": ("codec", _CODECS),
    "attention_mode": (
        "attention",
        {**ATTENTION, "auto": "auto", "flash": "flash", "xformers": "xformers", "sage": "sage"},
    ),
    "metadata_type": ("metadata_mode", {"metadata": "embed", "json": "sidecar", "none": "none"}),
    "profile": ("profile", {1: "1", 2: "2", 3: "3", 3.5: "3", 4: "4", 4.5: "4", 5: "5", -1: "auto"}),
    "compile": ("compile", {"": False, "transformer": True}),
    "boost": ("boost", {1: True, 2: False}),
    "vae_config": ("vae_tiling", {0: "auto", 1: 512, 2: 256, 3: 128}),
    "vae_precision": ("vae_dtype", {"16": "bfloat16", "32": "float32"}),
    "mixed_precision": ("mixed_precision", {"0": False, "1": True}),
    "transformer_dtype_policy": ("dtype", {"": "auto", "bf16": "bfloat16", "fp16": "float16"}),
    "transformer_quantization": (
        "transformer_quantization",
        {"": "none", "bf16": "none", "int8": "int8", "fp8": "fp8"},
    ),
    "text_encoder_quantization": (
        "text_encoder_quantization",
        {"": "none", "bf16": "none", "int8": "int8", "fp8": "fp8"},
    ),
}
"""Name of the setting and its value by old value, by old key."""
_INSTEAD: Mapping[DocumentKind, tuple[str, str]] = {
    "wangp": ("settings of one generation", "wangp generate --settings-file FILE"),
    "lightx2v": ("a configuration of LightX2V", "wangp generate --settings-file FILE"),
    "worker": ("a task of the older worker", "wangp batch FILE"),
    "definition": ("the definition of a model", "wangp models add NAME FILE"),
}
"""What other documents of older tools hold, and the command that takes them."""
_POLICIES = {(): "task", ("P",): "start", ("U",): "unload"}


def setting_of_key(key: str) -> str | None:
    """The setting that a key of `wgp_config.json` is translated to; None where there is none."""
    return _TABLES[key][0] if key in _TABLES else None


def translate_wgp_config(file: Path) -> tuple[dict[str, Any], list[str]]:
    """Read a `wgp_config.json`.

    Returns:
        the settings that could be translated, and the names of the other keys, sorted.

    Raises:
        RequestError: the file cannot be read, or is no such configuration.
    """
    try:
        data = strict_json.loads(read_input(file, strict_json.MAX_BYTES))
    except OSError as error:
        raise RequestError("file", f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise RequestError("file", f"{file}: {error}") from None
    if not isinstance(data, dict):
        raise RequestError("file", f"{file} holds no JSON object")
    if (kind := kind_of(data)) in _INSTEAD:
        what, command = _INSTEAD[kind]
        raise RequestError("file", f"{file} holds {what}, no settings of the program", hint=command)
    values: dict[str, Any] = {}
    rest: list[str] = []
    for key, value in data.items():
        known = _translate(key, value)
        if known:
            values[known[0]] = known[1]
        else:
            rest.append(key)
    if not values:
        raise RequestError(
            "file", f"{file} has no setting that is known here", hint="give the wgp_config.json of WanGP"
        )
    return values, sorted(rest)


def _translate(key: str, value: Any) -> tuple[str, Any] | None:
    if key in _TABLES:
        name, table = _TABLES[key]
        known = isinstance(value, str | int | float) and not isinstance(value, bool) and value in table
        return (name, table[value]) if known else None
    return _READERS[key](value) if key in _READERS else None


def _text(name: str) -> Callable[[Any], tuple[str, Any] | None]:
    return lambda value: (name, value) if isinstance(value, str) and value else None


def _first_folder(value: Any) -> tuple[str, Any] | None:
    return ("models_dir", str(value[0])) if isinstance(value, list) and value else None


def _picture_format(value: Any) -> tuple[str, Any] | None:
    format_ = {"jpeg": "jpg", "png": "png", "webp": "webp"}.get(str(value).split("_")[0])
    return ("image_format", format_) if format_ else None


def _megabytes(value: Any) -> tuple[str, Any] | None:
    return ("preload", value) if isinstance(value, int) and not isinstance(value, bool) else None


def _policy(value: Any) -> tuple[str, Any] | None:
    known = _POLICIES.get(tuple(value)) if isinstance(value, list) else None
    return ("preload_policy", known) if known else None


_READERS: dict[str, Callable[[Any], tuple[str, Any] | None]] = {
    "save_path": _text("output_dir"),
    "loras_root": _text("loras_dir"),
    "checkpoints_paths": _first_folder,
    "image_output_codec": _picture_format,
    "preload_in_VRAM": _megabytes,
    "preload_model_policy": _policy,
}
