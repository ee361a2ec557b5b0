"""From an error to a message on stderr and an exit code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Show an error of the block as one message, and exit with its code."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - the console edge
        # Here, because rich takes longer to import than most commands take.
        from wangp_cli.runtime.error_mapping import to_wangp_error
        from wangp_cli.runtime.events.messages import show_error

        known = to_wangp_error(error)
        show_error(known.message, known.hint)
        raise typer.Exit(known.exit_code) from None
