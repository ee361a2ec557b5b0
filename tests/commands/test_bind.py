"""Commands from task classes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from wangp_cli.commands._bind import bind, cli_type, parse_options
from wangp_cli.commands._options import TaskOptions
from wangp_cli.errors import RequestError
from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.tasks.generate import Generate

Mode = Literal["a", "b"]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Annotated[int, Field(ge=1)], str),
        (Path | None, Path),
        (tuple[Path, ...], list[Path]),
        (Mode, Mode),
        (tuple[Mode, ...], list[str]),
        (int | str, str),
        (dict[str, int], str),
    ],
)
def test_typer_parses_paths_choices_and_lists_of_them_and_the_task_the_rest(
    annotation: Any, kind: Any
) -> None:
    assert cli_type(annotation) == kind


def test_flags_that_are_not_given_stay_unset() -> None:
    called: list[tuple[dict[str, Any], TaskOptions]] = []

    def call(values: dict[str, Any], options: TaskOptions) -> None:
        called.append((values, options))

    app = typer.Typer()
    app.command()(bind(Generate, call, TaskOptions, positional="prompt"))
    done = CliRunner().invoke(app, ["a fox", "--steps", "7", "--quiet"])
    assert done.exit_code == 0, done.output
    [(values, options)] = called
    assert values == {"prompt": "a fox", "steps": "7"}
    assert options == TaskOptions(quiet=True)


def test_an_option_out_of_range_is_named_by_its_flag() -> None:
    with pytest.raises(RequestError, match="--control-port: 70000"):
        parse_options(RunOptions, {"control_port": 70000})
