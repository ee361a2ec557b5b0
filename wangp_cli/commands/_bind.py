"""Turn a task class and a command's options into a Typer command; flags that are not given stay unset."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from wangp_cli.commands._complete import completer
from wangp_cli.commands._errors import report_errors
from wangp_cli.errors import RequestError
from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.flags import flag_of, flags
from wangp_cli.tasks.task import Task
from wangp_cli.validation import fault_message

METAVARS = {bool: "", Path: "FILE", list[Path]: "FILE", str: "TEXT"}
Options = TypeVar("Options", bound=Spec)


def cli_type(annotation: Any) -> Any:
    """The type Typer parses: booleans, paths and literals as they are, sequences as lists, else text.

    The task checks numbers, so that they are refused in the same words from a flag and from a file.
    """
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
    return annotation if origin is Literal or annotation in (bool, Path) else str


def option(name: str, field: FieldInfo, flag: Flag, panel: str) -> inspect.Parameter:
    """The parameter that Typer reads for one field; its value is None where the flag is not given."""
    kind = cli_type(field.annotation)
    if flag.positional:
        argument = typer.Argument(help=flag.help, show_default=False, metavar=flag.metavar)
        return (
            _required(name, Annotated[kind, argument])
            if field.is_required()
            else _optional(name, Annotated[kind | None, argument])
        )
    default = default_of(field, flag)
    typer_parameter = typer.Option(
        *_names(name, kind, flag),
        help=f"{flag.help} Default: {default}." if default else flag.help,
        metavar=flag.metavar or metavar_of(kind),
        rich_help_panel=panel,
        show_default=False,
        autocompletion=completer(flag, field.annotation),
    )
    return _optional(name, Annotated[kind | None, typer_parameter])


def _names(name: str, kind: Any, flag: Flag) -> list[str]:
    """The names of an option as Typer takes them: `--yes/--no`, then the short one."""
    long = flag.option(name)
    negative = f"no-{long[2:]}" if flag.negative is None else flag.negative.replace("_", "-")
    both = f"{long}/--{negative}" if kind is bool and negative else long
    aliases = ["--" + alias.replace("_", "-") for alias in flag.aliases]
    return [both, *aliases, *([flag.short] if flag.short else [])]


def metavar_of(kind: Any) -> str:
    """The placeholder of a value in the help: its choices, or a word for its type."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return "|".join(choices) or METAVARS.get(kind, "VALUE")


def default_of(field: FieldInfo, flag: Flag) -> str:
    """A field's default as the help shows it; empty where there is none worth showing."""
    if flag.default is not None:
        return flag.default
    if field.is_required() or field.default in (None, (), "", False):
        return ""
    values = field.default if isinstance(field.default, tuple) else (field.default,)
    return ", ".join(map(str, values))


def _optional(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _required(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)


def _argument(task: type[Task], field: str) -> inspect.Parameter:
    """The parameter `words_FIELD`: the field, given without its flag."""
    kind, flag = cli_type(task.model_fields[field].annotation), flag_of(task, field)
    assert flag is not None
    metavar = flag.option(field)[2:].upper()
    typer_parameter = typer.Argument(
        help=f"The same as {flag.option(field)}.", show_default=False, metavar=metavar
    )
    return _optional(_argument_name(field), Annotated[kind | None, typer_parameter])


def _argument_name(field: str) -> str:
    return f"words_{field}"


def _merge_arguments(task: type[Task], positional: Sequence[str], values: dict[str, Any]) -> None:
    """Move the values of arguments to the fields that they stand for."""
    for field in positional:
        if (words := values.pop(_argument_name(field), None)) is None:
            continue
        if field in values:
            flag = flag_of(task, field)
            assert flag is not None
            raise typer.BadParameter(
                f"given twice: as {str(words)!r} and by {flag.option(field)}", param_hint=field
            )
        values[field] = words


def parse_options(options: type[Options], values: Mapping[str, Any]) -> Options:
    """The options of a command from their given values.

    Raises:
        RequestError: a value is out of range.
    """
    try:
        return options.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        flag = flag_of(options, name)
        label = name if flag is None or flag.positional else flag.option(name)
        raise RequestError(label, fault_message(first)) from None


def bind(
    task: type[Task],
    call: Callable[[dict[str, Any], Options], None],
    options: type[Options],
    *,
    positional: str | tuple[str, ...] = (),
    leave_out: Collection[str] = (),
) -> Callable[..., None]:
    """Make the function that Typer registers for `task`.

    Args:
        task: the task class.
        call: called with the given values of the task and with the command's options; its errors are shown
            as messages.
        options: the options of the command that are not the task's.
        positional: the fields of the task that may also be given without their flags, in this order.
        leave_out: fields of the task that get no flag.
    """
    params = [option(*field) for field in flags(task) if field[0] not in leave_out]
    arguments = (positional,) if isinstance(positional, str) else positional
    params = [*(_argument(task, field) for field in arguments), *params]

    def command(**given: Any) -> None:
        values = {name: value for name, value in given.items() if value is not None and value != []}
        _merge_arguments(task, arguments, values)
        with report_errors():
            own = {name: values.pop(name) for name in options.model_fields if name in values}
            call(values, parse_options(options, own))

    signature = inspect.Signature([*params, *(option(*field) for field in flags(options))])
    setattr(command, "__signature__", signature)  # noqa: B010 - read by Typer
    command.__name__, command.__doc__ = task.model_fields["type"].default, task.__doc__
    return command
