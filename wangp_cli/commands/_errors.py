"""Report an error as a message on stderr and an exit code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer

from wangp_cli.errors import WangpError


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Show an error of the block as one message, and exit with its code."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - outermost handler of a command
        # Here, because they take longer to import than most commands take.
        from wangp_cli.runtime import bootstrap
        from wangp_cli.runtime.error_mapping import to_wangp_error
        from wangp_cli.runtime.events.messages import show_error

        if not isinstance(error, WangpError):
            bootstrap.ensure_logging()
        reported = to_wangp_error(error)
        show_error(reported.message, reported.hint)
        raise typer.Exit(reported.exit_code) from None
