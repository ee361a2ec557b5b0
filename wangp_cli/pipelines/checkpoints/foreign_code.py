"""Refuse checkpoints that contain code or make a library import some: a checkpoint is untrusted input."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError, first_line
from wangp_cli.files.shard_index import INDEX_ENDING, shards_of
from wangp_cli.pipelines.checkpoints.network_classes import OWN_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FETCH = "`wangp models fetch NAME` gets the weights"
NO_CODE = "code in a checkpoint is never run; use a checkpoint without custom code"
CODE_KEYS = ("auto_map", "custom_pipeline", "custom_pipelines", "quantization_config")
"""Keys that make transformers or diffusers import code from the folder, a hub or another library."""
KERNEL_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
"""Keys whose value is a repository if it has a slash; transformers downloads and runs its kernel."""
MOST_LAYERS, MOST = 1000, 1 << 24
"""Largest number of layers or extra tokens, and largest number of any other kind, in a configuration."""
LAYERS = re.compile(r"layers|blocks|extra_ids")
UNBOUNDED = ("model_max_length", "max_length", "rope_theta", "lambda_min_clipped")
"""Keys that may have any number, such as 1e30 or minus infinity for no limit."""
LIBRARIES = ("diffusers", "transformers")
TOKENIZERS = ("PreTrainedTokenizerFast", "T5Tokenizer", "T5TokenizerFast", "TokenizersBackend")
"""Tokenizer classes of Wan checkpoints; other classes of transformers import further packages."""


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a configuration file of a checkpoint.

    Raises:
        ModelError: the file is missing, is not a JSON object, or refers to code.
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
    """A `model_index.json` whose parts are all of classes of diffusers, transformers or wangp.

    Raises:
        ModelError: the file is missing, is not a JSON object, or names another class.
    """
    index = read_json(file)
    for part, kind in index.items():
        if not isinstance(kind, list) or part.startswith("_"):
            continue
        is_class = len(kind) == 2 and all(isinstance(word, str) for word in kind)
        # A class of wangp comes from TRANSFORMER_CLASSES; the module that diffusers writes for it is ignored.
        own = is_class and kind[1] in OWN_CLASSES
        if kind != [None, None] and not (own or (is_class and kind[0] in LIBRARIES)):
            raise _refused(file, part, kind)
        if part in ("", ".", "..") or "/" in part:
            raise ModelError(f"{file} has the part {part!r}, which is not a folder name")
    return index


def check_code(folder: Path, index: Mapping[str, Any], files: Mapping[str, Sequence[Path]]) -> None:
    """Refuse a checkpoint with code in a part, or with a configuration that refers to code or other folders.

    Args:
        folder: the checkpoint in diffusers layout.
        index: its `model_index.json`.
        files: single files by part, of parts that are not in the folder.

    Raises:
        ModelError: the message names the file.
    """
    for part in (name for name, kind in index.items() if isinstance(kind, list) and name not in files):
        if code := next((folder / part).rglob("*.py"), None):
            raise ModelError(f"{code} is code", hint=NO_CODE)
        check_configurations(folder / part)
    # For a single configuration file, transformers reads the whole folder that it is in.
    configurations = [file for several in files.values() for file in several if file.suffix == ".json"]
    for parent in {file.parent for file in configurations}:
        check_configurations(parent)


def read_shards(index: Path) -> list[Path]:
    """The weight files that an index of a checkpoint names.

    Raises:
        ModelError: the index is missing or damaged, or names a file outside its folder.
    """
    try:
        return shards_of(index)
    except FileNotFoundError:
        raise ModelError(f"{index} is missing", hint=FETCH) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{index} is broken: {first_line(error)}", hint="get it again") from None


def check_configurations(folder: Path) -> None:
    """Refuse a folder whose configurations refer to code or other folders, or have absurd numbers.

    Raises:
        ModelError: the message names the file.
    """
    # Libraries open every file that an index names.
    for index in sorted(folder.glob(f"*{INDEX_ENDING}")):
        read_shards(index)
    for file in sorted(folder.glob("*config.json")):
        data = read_json(file)
        _check_numbers(file, data)
        # If peft is installed, transformers loads the base model that this file refers to, from any place.
        if file.name == "adapter_config.json":
            raise _refused(file, "base_model_name_or_path", data.get("base_model_name_or_path"))
        kind = data.get("tokenizer_class")
        if folder.name == "tokenizer" and kind is not None and kind not in TOKENIZERS:
            raise _refused(file, "tokenizer_class", kind)


def _check_numbers(file: Path, data: Mapping[str, Any]) -> None:
    """Refuse numbers with which a library would build a network or a vocabulary without end."""
    for key, value in _entries(data):
        most = MOST_LAYERS if LAYERS.search(key) else MOST
        numbers = value if isinstance(value, list) else [value]
        absurd = next((n for n in numbers if isinstance(n, int | float) and abs(n) > most), None)
        if absurd and key not in UNBOUNDED:
            raise ModelError(f"{file} is broken: {key} is {absurd}", hint="get it again")


def _entries(data: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    pending = [data]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from value.items()
            pending += value.values()
        elif isinstance(value, list):
            pending += value


def _refused(file: Path, key: str, value: Any) -> ModelError:
    return ModelError(f"{file} refers to unknown code: {key}: {str(value)[:100]}", hint=NO_CODE)
