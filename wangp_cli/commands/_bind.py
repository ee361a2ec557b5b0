"""Turn a task model into a Typer command: one option per flagged field; what is not said stays unsaid."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from wangp_cli.tasks.fields import Flag
from wangp_cli.tasks.flags import flag_of, flags
from wangp_cli.tasks.task import Task

METAVARS = {bool: "", Path: "FILE", list[Path]: "FILE", str: "TEXT"}


def cli_type(annotation: Any) -> Any:
    """The type Typer parses: scalars, paths and literals as they are, sequences as lists, else text."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return cli_type(args[0])
    if origin is tuple:
        inner = cli_type(args[0])
        # Typer takes no list of choices; the task checks them.
        return list[str] if get_origin(inner) is Literal else list[inner]  # type: ignore[valid-type]
    if origin in (Union, UnionType):
        kinds = [arg for arg in args if arg is not type(None)]
        return cli_type(kinds[0]) if len(kinds) == 1 else str
    return annotation if origin is Literal or annotation in (bool, int, float, str, Path) else str


def option(name: str, field: FieldInfo, flag: Flag, panel: str) -> inspect.Parameter:
    """The parameter Typer reads for one field; None means not said."""
    kind, long = cli_type(field.annotation), flag.option(name)
    names = [f"{long}/--no-{long[2:]}" if kind is bool else long, *([flag.short] if flag.short else [])]
    default = default_of(field, flag)
    mark = typer.Option(
        *names,
        help=f"{flag.help} Default: {default}." if default else flag.help,
        metavar=flag.metavar or metavar_of(kind),
        rich_help_panel=panel,
        show_default=False,
    )
    return parameter(name, Annotated[kind | None, mark])


def metavar_of(kind: Any) -> str:
    """What a value is called in the help: its choices, or a word for its kind."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return "|".join(choices) or METAVARS.get(kind, "VALUE")


def default_of(field: FieldInfo, flag: Flag) -> str:
    """What the help says of a field's default; nothing where there is none to speak of."""
    if flag.default is not None:
        return flag.default
    if field.is_required() or field.default in (None, (), "", False):
        return ""
    values = field.default if isinstance(field.default, tuple) else (field.default,)
    return ", ".join(map(str, values))


def parameter(name: str, annotation: Any) -> inspect.Parameter:
    """A keyword parameter that defaults to None."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def argument(task: type[Task], field: str) -> inspect.Parameter:
    """The parameter `words`: the field `field`, said without its flag."""
    kind, flag = cli_type(task.model_fields[field].annotation), flag_of(task, field)
    assert flag is not None
    many = "..." if get_origin(kind) is list else ""
    metavar = f"{flag.option(field)[2:].upper()}{many}"
    mark = typer.Argument(help=f"The same as {flag.option(field)}.", show_default=False, metavar=metavar)
    return parameter("words", Annotated[kind | None, mark])


def bind(
    task: type[Task],
    call: Callable[[dict[str, Any], dict[str, Any]], None],
    *,
    positional: str | None = None,
    extra: Sequence[inspect.Parameter] = (),
    leave_out: Collection[str] = (),
) -> Callable[..., None]:
    """Make the function that Typer registers for `task`.

    Args:
        task: the task class.
        call: called with the task's values that were given and the extra ones that were given.
        positional: the field that may also be said without its flag.
        extra: parameters of the command that are not the task's.
        leave_out: fields that get no flag.
    """
    params = [option(*each) for each in flags(task) if each[0] not in leave_out]
    if positional:
        params.insert(0, argument(task, positional))
    extras = {each.name for each in extra}

    def command(**given: Any) -> None:
        said = {name: value for name, value in given.items() if value is not None and value != []}
        if positional and (words := said.pop("words", None)) is not None:
            if positional in said:
                flag = flag_of(task, positional)
                assert flag is not None
                raise typer.BadParameter(
                    f"say it once: {words!r}, or {flag.option(positional)}", param_hint=positional
                )
            said[positional] = words
        call(
            {name: value for name, value in said.items() if name not in extras},
            {name: value for name, value in said.items() if name in extras},
        )

    setattr(command, "__signature__", inspect.Signature([*params, *extra]))  # noqa: B010 - read by Typer
    command.__name__, command.__doc__ = task.model_fields["type"].default, task.__doc__
    return command
