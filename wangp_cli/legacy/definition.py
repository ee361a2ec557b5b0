"""Model definitions of WanGP: the files of a model, the LoRAs that are part of it, and its defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from wangp_cli.errors import RequestError
from wangp_cli.legacy.text_syntax import strengths
from wangp_cli.legacy.translate import translate
from wangp_cli.legacy.unknown_keys import unknown_keys_notice
from wangp_cli.legacy.value_parsers import ValueParser, list_of, parse_value, quote_value, text
from wangp_cli.tasks.shot import Shot

Files = str | list[str]
"""Several precisions of one file, or the name of a model whose file it is."""
_WITHOUT_EFFECT = frozenset(
    """
    name description group visible author profiles_dir profile_dirs settings_dir preset_profiles_dir
    auto_quantize attention image_outputs resolutions resolutions_categories lock_guidance_phases
    guidance_max_phases documented infos prompt_infos source finetune_source_model teacache_coefficients
    video_prompt_enhancer_instructions image_prompt_enhancer_instructions text_prompt_enhancer_instructions
    video_prompt_enhancer_max_tokens image_prompt_enhancer_max_tokens text_prompt_enhancer_max_tokens
    configs configs_name configs_default_label dtype
    """.split()  # noqa: SIM905
)
"""Keys about display, memory and the prompt enhancer of WanGP."""
_OTHER_PARTS = ("text_encoder_URLs", "text_encoder_folder", "VAE_URLs")
"""Keys that replace parts besides the transformer."""
_READ = ("architecture", "URLs", "URLs2", "modules", "loras", "loras_multipliers", "preload_URLs")
_PRECISIONS = (r"", r"fp8", r"int8", r"gguf")
"""Precisions that can be read, the best one first; a file is of the last one that its name holds."""
_UNREADABLE = re.compile(r"nvfp4|nf4|nunchaku|svdq|int4|fp4|convrot", re.IGNORECASE)
DEFAULTS = frozenset(Shot.model_fields) - {"prompt", "seed"} | {
    "sliding_window_size",
    "sliding_window_overlap",
    "sliding_window_discard_last_frames",
}
"""Fields that a model may have a default of."""
_HUB = re.compile(
    r"/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)/(?:resolve|blob)/(?P<revision>[\w.-]+)/(?P<path>.+)"
)
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")


@dataclass(frozen=True, kw_only=True)
class ModelDefinition:
    """What a definition says of a model.

    Args:
        title: name for people.
        architecture: name of WanGP's model with the same network.
        transformer: file of the transformer, or the name of a model.
        transformer_2: the same of the second transformer, of low noise; None without one.
        modules: for each module, its file or the name of a model, for both transformers.
        loras: source and strength of each LoRA that is always used; or the name of a model.
        defaults: values by field.
        notices: what is not used, for people.
    """

    title: str
    architecture: str
    transformer: str
    transformer_2: str | None
    modules: tuple[tuple[str, str], ...]
    loras: tuple[tuple[str, str], ...] | str
    defaults: Mapping[str, Any]
    notices: tuple[str, ...]


def architecture_of(document: Mapping[str, Any]) -> str:
    """The name of WanGP's model with the same network.

    Raises:
        RequestError: the definition has none.
    """
    architecture = parse_value("architecture", text, document["model"].get("architecture"))
    if not architecture:
        raise RequestError("architecture", "none, the document defines no model")
    return architecture


def read_definition(document: Mapping[str, Any]) -> ModelDefinition:
    """The definition in a document.

    Raises:
        RequestError: names the key that is wrong, or asks for what is not supported.
    """
    model: Mapping[str, Any] = document["model"]
    architecture = architecture_of(document)
    for key in _OTHER_PARTS:
        if model.get(key):
            raise RequestError(key, f"{quote_value(model[key])} is not served", hint="only transformers are")
    notices = [f"{key}: not used, no model here needs it" for key in ("preload_URLs",) if model.get(key)]
    known = [*_READ, *_OTHER_PARTS, *_WITHOUT_EFFECT]
    if unknown := [key for key in model if key not in known]:
        notices.append(unknown_keys_notice(unknown, known))
    settings = {key: value for key, value in document.items() if key not in ("model", "prompt")}
    made = translate({"settings_version": 0, "model_type": architecture, **settings}, addresses=True)
    return ModelDefinition(
        title=parse_value("name", text, model.get("name")) or architecture,
        architecture=architecture,
        transformer=_file("URLs", model.get("URLs")),
        transformer_2=_file("URLs2", model["URLs2"]) if model.get("URLs2") else None,
        modules=tuple(_module(module) for module in _list("modules", model.get("modules"))),
        loras=_loras(model),
        defaults={name: value for name, value in made.values.items() if name in DEFAULTS},
        notices=(*notices, *made.notices),
    )


def _list(key: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if value is not None and not isinstance(value, list):
        raise RequestError(key, f"{quote_value(value)} is no list")
    return value or []


def _module(value: Any) -> tuple[str, str]:
    """The file of a module for the first and for the second transformer."""
    if isinstance(value, dict):
        first = _file("modules", value.get("URLs"))
        return first, _file("modules", value["URLs2"]) if value.get("URLs2") else first
    file = _file("modules", value)
    return file, file


def _file(key: str, value: Any) -> str:
    """The file of the best precision, or the name of a model."""
    if isinstance(value, str) and value.strip():
        return value if not is_file_name(value) else _source(key, value)
    urls: list[str] = parse_value(key, list_of(_TEXT), value)
    readable = [url for url in urls if url and not _UNREADABLE.search(url)]
    if not readable:
        names = ", ".join(url.rpartition("/")[2] for url in urls) or "nothing"
        raise RequestError(key, f"no file is in a precision that is read: {names}")
    return _source(key, min(readable, key=_precision))


_TEXT: ValueParser[str] = text


def is_file_name(name: str) -> bool:
    """Whether a source is a file, not the name of a model."""
    return "/" in name or "\\" in name or name.lower().endswith((".safetensors", ".sft", ".gguf"))


def _precision(url: str) -> int:
    name = url.rpartition("/")[2].lower()
    return max(rank for rank, precision in enumerate(_PRECISIONS) if precision in name)


def _source(key: str, name: str) -> str:
    """A file as a source of the catalogue names it: `hf://owner/name/path` for an address on the hub."""
    if not re.match(r"https?://", name, re.IGNORECASE):
        return name
    parts = urlsplit(name.split("|", maxsplit=1)[0])
    match = _HUB.fullmatch(unquote(parts.path))
    if parts.netloc.lower() not in _HUB_HOSTS or not match:
        raise RequestError(
            key,
            f"{quote_value(name)} is no file on the hub",
            hint="fetch it, then `wangp models add NAME FILE --like MODEL`",
        )
    revision = "" if match["revision"] == "main" else f"@{match['revision']}"
    return f"hf://{match['owner']}/{match['name']}{revision}/{match['path']}"


def _loras(model: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | str:
    loras, multipliers = model.get("loras") or [], model.get("loras_multipliers") or []
    if isinstance(loras, str):
        return loras
    urls: list[str] = parse_value("loras", list_of(_TEXT), loras)
    numbers = strengths([] if isinstance(multipliers, str) and not multipliers else multipliers, len(urls))
    return tuple((url.split("|")[0], number) for url, number in zip(urls, numbers, strict=True))
