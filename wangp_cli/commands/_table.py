"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def write_json(value: Any) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def write_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, no_wrap: str = "") -> None:
    """Print rows under headings; the cells of the column `no_wrap` are never wrapped."""
    # Here and below, so that JSON is written without importing rich.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from wangp_cli.runtime.events.messages import plain

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == no_wrap)
    for row in rows:
        table.add_row(*(plain(str(cell)) for cell in row))
    Console(file=sys.stdout, highlight=False).print(table)


def values_line(values: Mapping[str, object], separator: str = ", ") -> str:
    """Names and values of fields, joined by `separator`."""
    return separator.join(f"{key} {value}" for key, value in values.items())


def write_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one pair a line; empty values are left out."""
    from rich.console import Console
    from rich.table import Table

    from wangp_cli.runtime.events.messages import plain

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], (), {}):
            table.add_row(name, plain(str(value)))
    Console(file=sys.stdout, highlight=False).print(table)
