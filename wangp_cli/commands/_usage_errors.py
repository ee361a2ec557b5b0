"""Errors of the command line in the form of all other errors: what is wrong, and what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import typer

from wangp_cli.commands._renamed_flags import replacement
from wangp_cli.errors import nearest
from wangp_cli.runtime.events.messages import show_error

_UsageError: Any = typer.BadParameter.__base__
"""The class of all errors of a command line, which Typer does not export."""
_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((?P<words>.*)\)", re.DOTALL)
_NO_COMMAND = re.compile(r"No such command '(?P<name>.*)'\.", re.DOTALL)


@contextlib.contextmanager
def report_usage_errors() -> Iterator[None]:
    """Show an error of the command line as one message, and exit with 2."""
    try:
        yield
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            raise
        _show(error)


def _show(error: Any) -> NoReturn:
    message, hint = _message(error)
    context = error.ctx
    if hint is None and context is not None:
        hint = f"`{context.command_path} -h` lists the options"
    show_error(message, hint)
    raise SystemExit(2)


def _message(error: Any) -> tuple[str, str | None]:
    match type(error).__name__:
        case "NoSuchOption":
            return _unknown_option(error)
        case "MissingParameter":
            return f"{_label(error)}: is needed", None
        case "BadParameter":
            return f"{_label(error)}: {error.message.removeprefix('Value error, ').removesuffix('.')}", None
    if extra := _EXTRA.fullmatch(error.message):
        return _extra_words(extra["words"], error.ctx)
    if unknown := _NO_COMMAND.match(error.message):
        names = list(error.ctx.command.commands) if hasattr(error.ctx.command, "commands") else []
        return f"there is no command {unknown['name']!r}", nearest(unknown["name"], names) or None
    return error.message[:1].lower() + error.message[1:].removesuffix("."), None


def _label(error: Any) -> str:
    """The option as it is typed, or the name of the argument."""
    if error.param is None:
        return str(error.param_hint or "value").strip("'")
    if error.param.param_type_name == "argument":
        return str(error.param.metavar or error.param.name).strip("[].").lower()
    return str(max(error.param.opts, key=len))


def _unknown_option(error: Any) -> tuple[str, str | None]:
    name = error.option_name
    if use := replacement(name):
        return f"{name}: there is no such flag any more", f"use {use}"
    possible = sorted(error.possibilities or ())
    return f"{name}: there is no such option", f"did you mean {', '.join(possible)}?" if possible else None


def _extra_words(words: str, context: Any) -> tuple[str, str | None]:
    """Words after the last argument: of a prompt, they need quotes."""
    first = context.params.get("words_prompt")
    if isinstance(first, str) and context.info_name == "generate":
        prompt = f"{first} {words}".replace('"', r"\"")
        return "the prompt is several words without quotes", f'{context.command_path} "{prompt}"'
    return f"there is no argument for {words!r}", None
