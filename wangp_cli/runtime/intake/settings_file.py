"""Settings of earlier results: from a JSON file, or from an image or video in which they are embedded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.files import strict_json
from wangp_cli.legacy import translate_values
from wangp_cli.runtime.intake.json_tasks import earlier_request
from wangp_cli.runtime.intake.paths import absolute
from wangp_cli.tasks import TASKS, TaskTypes
from wangp_cli.value_layers import Layer


def load_settings_file(path: Path, tasks: TaskTypes = TASKS) -> Layer:
    """The request in a file as a layer; relative paths count from the file's folder.

    Args:
        path: a JSON file (our request, a line of the run history, WanGP settings), or a result of ours or
            WanGP's with the settings embedded.
        tasks: the task types, whose fields may hold paths.

    Raises:
        RequestError: the file cannot be read, holds no settings, or asks for what we do not serve.
    """
    document = read_document(path)
    folder = path.absolute().parent
    if earlier := earlier_request(document, folder, tasks):
        values, checksums = earlier
    else:
        translated = translate_values(document, addresses=True, tasks=tasks)
        values, checksums = absolute(translated, folder, tasks), {}
    return Layer(kind="file", name=path.name, values=values, checksums=checksums)


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object that a settings file or a result holds."""
    try:
        if path.suffix.lower() in (".json", ".lset"):
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
