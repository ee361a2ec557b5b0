"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wangp_cli.runtime.events.messages import plain, stdout_console

if TYPE_CHECKING:
    from rich.text import Text


LONGEST_NAME = 40
"""Characters of a name beside its value."""


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON, in ASCII."""
    sys.stdout.write(json.dumps(value, indent=indent, default=str) + "\n")


def write_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, no_wrap: Collection[str] = ()
) -> None:
    """Print rows under headings; the cells of the columns `no_wrap` are never wrapped.

    A cell that is a list has a line for each item.
    """
    # Here and below, so that JSON is written without importing rich.
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in no_wrap)
    for row in rows:
        table.add_row(*map(_cell, row))
    stdout_console().print(table)


def _cell(value: object) -> Text:
    from rich.text import Text

    return Text("\n").join(map(plain, value)) if isinstance(value, list) else plain(value)


def values_line(values: Mapping[str, object]) -> str:
    """Names and values of fields on one line."""
    return ", ".join(values_list(values))


def values_list(values: Mapping[str, object]) -> list[str]:
    """Names and values of fields."""
    return [f"{key} {value}" for key, value in values.items()]


def write_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one pair a line; empty values are left out."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], (), {}):
            table.add_row(plain(name[:LONGEST_NAME]), plain(value))
    stdout_console().print(table)
