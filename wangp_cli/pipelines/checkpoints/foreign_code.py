"""Refusing weights that bring or name code: nothing in a folder of weights is ever run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError, first_line
from wangp_cli.pipelines.checkpoints.network_classes import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FETCH = "`wangp models fetch NAME` gets the weights"
NO_CODE = "nothing in a folder of weights is run; take weights that need no code of their own"
CODE_KEYS = ("auto_map", "custom_pipeline", "custom_pipelines", "quantization_config")
"""Keys by which transformers and diffusers import what a folder, a hub or another library brings."""
KERNEL_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
"""Keys of which a value with a slash is a repository whose kernel is fetched and run."""
LIBRARIES = ("diffusers", "transformers")
TOKENIZERS = ("PreTrainedTokenizerFast", "T5Tokenizer", "T5TokenizerFast", "TokenizersBackend")
"""Classes of tokenizers that Wan models have; others of transformers import further packages."""


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object of a file beside weights.

    Raises:
        ModelError: the file is missing, is no JSON object, or names code.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{file} is missing", hint=FETCH) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {first_line(error)}") from error
    if not isinstance(data, dict):
        raise ModelError(f"{file} does not hold a JSON object")
    for key, value in _entries(data):
        kernel = key in KERNEL_KEYS and "/" in str(value)
        if (key in CODE_KEYS and value) or kernel or (key == "_class_name" and not isinstance(value, str)):
            raise _refused(file, key, value)
    return data


def read_index(file: Path) -> dict[str, Any]:
    """A `model_index.json`; each part is of a class of diffusers, of transformers or of ours.

    Raises:
        ModelError: the file is missing, is no JSON object, or names code.
    """
    index = read_json(file)
    for part, kind in index.items():
        if not isinstance(kind, list) or part.startswith("_"):
            continue
        named = len(kind) == 2 and all(isinstance(word, str) for word in kind)
        # A class of ours is taken from our own table; the module that diffusers writes for it is not read.
        ours = named and kind[1] in OWN
        if kind != [None, None] and not (ours or (named and kind[0] in LIBRARIES)):
            raise _refused(file, part, kind)
        if part in ("", ".", "..") or "/" in part:
            raise ModelError(f"{file} names a part {part!r}, which is no name of a folder")
    return index


def check(folder: Path, index: Mapping[str, Any], files: Mapping[str, Sequence[Path]]) -> None:
    """Refuse weights of which a part brings code or names it.

    Args:
        folder: in diffusers layout.
        index: its `model_index.json`.
        files: of parts that are not in the folder.

    Raises:
        ModelError: one does; the message names the file.
    """
    for part in (name for name, kind in index.items() if isinstance(kind, list) and name not in files):
        if code := next((folder / part).rglob("*.py"), None):
            raise ModelError(f"{code} is code", hint=NO_CODE)
        _check_configurations(folder / part)
    # Libraries read the folder around a file only where it is a configuration.
    named = [file for several in files.values() for file in several if file.suffix == ".json"]
    for around in {file.parent for file in named}:
        _check_configurations(around)


def _check_configurations(folder: Path) -> None:
    for file in sorted(folder.glob("*config.json")):
        data = read_json(file)
        # With peft installed, transformers reads another model by it, from wherever it says.
        if file.name == "adapter_config.json":
            raise _refused(file, "base_model_name_or_path", data.get("base_model_name_or_path"))
        kind = data.get("tokenizer_class")
        if folder.name == "tokenizer" and kind is not None and kind not in TOKENIZERS:
            raise _refused(file, "tokenizer_class", kind)


def _entries(data: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _refused(file: Path, key: str, value: Any) -> ModelError:
    return ModelError(f"{file} names code that is not known: {key}: {str(value)[:100]}", hint=NO_CODE)
