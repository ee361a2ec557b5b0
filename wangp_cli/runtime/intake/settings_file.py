"""Settings of earlier results: from a JSON file, or from an image or video in which they are embedded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.open_input import read_input
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.legacy import is_definition
from wangp_cli.runtime.intake.json_tasks import LineContext, lines_of
from wangp_cli.runtime.intake.task_line import TaskLine
from wangp_cli.tasks import TASKS, TaskTypes
from wangp_cli.value_layers import Layer


def load_settings_file(
    path: Path,
    tasks: TaskTypes = TASKS,
    *,
    task: str = "generate",
    given: Collection[str] | None = None,
    models: Collection[str] = (),
) -> Layer:
    """The request in a file as a layer; relative paths count from the file's folder.

    Args:
        path: a JSON file (our request, a line of the run history, settings, a profile or a model definition
            of WanGP, a configuration of LightX2V), or a result of ours or WanGP's with settings embedded.
        tasks: the task types, whose fields may hold paths.
        task: type of the task that takes the values.
        given: fields that flags set; None if that is not known.
        models: names of the catalogue's models.

    Raises:
        RequestError: the file cannot be read, holds no settings, or asks for what we do not serve.
    """
    document = _read_json(path)
    folder = path.absolute().parent
    context = LineContext(
        source=path.name, folder=folder, given=given, tasks=tasks, task=task, addresses=True
    )
    if isinstance(document, dict) and is_definition(document):
        document = _settings_of_definition(document, path, given or (), models)
    documents = document if isinstance(document, list) else [document]
    lines = [
        line for number, each in enumerate(documents, start=1) for line in lines_of(each, context.at(number))
    ]
    line = replace(_the_one(lines, path, context), number=0)
    # A task that starts from another one's values is not that task.
    left_out = {"task_id"}
    if given and "prompt" in given and "window_prompts" not in given:
        # They would win over the prompt that is given.
        left_out.add("window_prompts")
    return line.layer({name: value for name, value in (line.values or {}).items() if name not in left_out})


def _the_one(lines: list[TaskLine], path: Path, context: LineContext) -> TaskLine:
    """The single task of a file; one of several prompts where flags give the prompt.

    Raises:
        RequestError: there is another number of tasks, or the task is wrong.
    """
    for line in lines:
        if line.error:
            raise line.error
    if len(lines) > 1 and len({line.number for line in lines}) == 1:
        if context.given is None or "prompt" in context.given:
            return lines[0]
        if context.tasks[context.task].model_fields["prompt"].annotation is not str:
            values = {**(lines[0].values or {}), "prompt": [(line.values or {})["prompt"] for line in lines]}
            return replace(lines[0], values=values)
        raise RequestError(
            "prompt", f"{path} holds {len(lines)} prompts, a task takes one", hint=f"wangp batch {path}"
        )
    if not lines:
        raise RequestError("settings_file", f"{path} holds no JSON object")
    if len(lines) > 1:
        raise RequestError(
            "settings_file", f"{path} holds {len(lines)} tasks, one is wanted", hint=f"wangp batch {path}"
        )
    return lines[0]


def _settings_of_definition(
    document: Mapping[str, Any], path: Path, given: Collection[str], models: Collection[str]
) -> dict[str, Any]:
    """The settings in a model definition of WanGP, for the model of the file's name.

    Raises:
        RequestError: that model is not in the catalogue, and no other is given.
    """
    if path.stem not in models and "model" not in given:
        architecture = str(document["model"].get("architecture", ""))
        hint = f"`wangp models add {path.stem} {path}` adds it, or name another with --model"
        if not {architecture, f"{architecture}_2_2"} & set(models):
            hint = "no model here has this architecture; `wangp models` lists those that are here"
        raise RequestError(
            "model",
            f"{path.name} defines the model {quote_for_message(path.stem)} of architecture "
            f"{quote_for_message(architecture)}, which is not in the catalogue",
            hint=hint,
        )
    settings = {key: value for key, value in document.items() if key != "model"}
    if path.stem in models:
        settings["model_type"] = path.stem
    return {"settings_version": 0, **settings}


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object that a settings file or a result holds.

    Raises:
        RequestError: the file cannot be read, or holds no JSON object.
    """
    document = _read_json(path)
    if not isinstance(document, dict):
        raise RequestError("settings_file", f"{path} holds no JSON object")
    return document


def _read_json(path: Path) -> Any:
    try:
        if path.suffix.lower() in (".json", ".lset"):
            text: str | bytes | None = read_input(path, strict_json.MAX_BYTES)
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
        return strict_json.loads(text)
    except ValueError as error:
        raise RequestError("settings_file", f"{path}: {error}") from None
