"""Report an error as a message on stderr and an exit code."""

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
    except Exception as error:  # noqa: BLE001 - outermost handler of a command
        # Here, because rich takes longer to import than most commands take.
        from wangp_cli.runtime.error_mapping import to_wangp_error
        from wangp_cli.runtime.events.messages import show_error

        reported = to_wangp_error(error)
        show_error(reported.message, reported.hint)
        raise typer.Exit(reported.exit_code) from None
