"""Settings of earlier results: from a JSON file, or from a picture or video that carries them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.presets import Layer
from wangp_cli.runtime import strict_json
from wangp_cli.runtime.manifest import LOCAL
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.legacy import translate
from wangp_cli.tasks.task import MediaInputs


def load_settings_file(path: Path) -> Layer:
    """The request that a file holds, as a layer; its paths are relative to the file's folder.

    Args:
        path: a JSON file (our request, a line of the run history, WanGP settings), or a result of ours or
            WanGP's with the settings embedded.

    Raises:
        RequestError: the file cannot be read, holds no settings, or asks for what we do not serve.
    """
    document = read_document(path)
    name, folder = f"file {path.name}", path.absolute().parent
    body = _part(document, "wangp") or document
    if not (request := _part(body, "request")):
        return Layer(name=name, values=_absolute(translate(document), folder))
    if isinstance(document.get("output_dir"), str) and body is document:
        folder = Path(document["output_dir"])
    sums = _part(body, "checksums") or _part(_part(body, "inputs"), "checksums")
    return Layer(
        name=name,
        # A file from elsewhere says what to make, not where on this machine.
        values=_absolute({key: value for key, value in request.items() if key not in LOCAL}, folder),
        checksums={_join(folder, file): str(value) for file, value in sums.items()},
    )


def _part(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object that a settings file or a result holds."""
    try:
        if path.suffix.lower() == ".json":
            text: str | bytes | None = path.read_bytes()
        else:
            from wangp_cli.media.metadata import read_comment

            text = read_comment(path)
    except OSError as error:
        raise RequestError("settings_file", f"cannot read {path}: {error.strerror}") from None
    except MediaError as error:
        raise RequestError("settings_file", error.message, hint=error.hint) from None
    if not text:
        raise RequestError(
            "settings_file", f"{path} carries no settings", hint="give the JSON file beside it, if any"
        )
    try:
        document = strict_json.loads(text)
    except ValueError as error:
        raise RequestError("settings_file", f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise RequestError("settings_file", f"{path} holds no JSON object")
    return document


def _absolute(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Media paths joined to `folder`; what is already absolute stays."""
    joined = dict(values)
    for field in MediaInputs.model_fields:
        value = joined.get(field)
        if isinstance(value, str):
            joined[field] = _join(folder, value)
        elif isinstance(value, list) and Generate.model_fields[field].default == ():
            joined[field] = [_join(folder, item) if isinstance(item, str) else item for item in value]
    return joined


def _join(folder: Path, name: str) -> str:
    import os.path

    return os.path.normpath(folder / name)
