"""The last lines of `wangp batch` on stderr: where the results are, and what to do next."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wangp_cli.commands._batch_options import BatchOptions
from wangp_cli.files.safe_text import quote_for_shell
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import show_line
from wangp_cli.runtime.history.log import HISTORY


def show_summary(folder: Path, history: Path, options: BatchOptions, *, complete: bool) -> None:
    """Print the folder of results, the run history and the next command.

    Args:
        folder: of the results.
        history: the run history.
        options: of the batch.
        complete: whether every line is done.
    """
    if options.quiet or (options.json_lines and os.isatty(sys.stdout.fileno())):
        return
    results = _shown(folder)
    lines = [f"results: {results}", f"history: {_shown(history)}"]
    report = f"wangp report {quote_for_shell(results)}"
    if history != folder / HISTORY:
        report += f" --manifest-path {quote_for_shell(_shown(history))}"
    lines.append(f"next: {report}")
    if not complete:
        lines.append(f"to run what is not done: {_resume_command(results, options)}")
    for line in lines:
        show_line(line)


def _resume_command(folder: str, options: BatchOptions) -> str:
    """The command of this run with `--resume`; tasks that were read as a stream are in the job store."""
    if options.is_stream:
        return f"wangp batch --output-dir {quote_for_shell(folder)} --resume"
    words = ["wangp", *bootstrap.command_line()]
    if not options.resume and options.watch is None:
        words.append("--resume")
    return " ".join(map(quote_for_shell, words))


def _shown(path: Path) -> str:
    """A path relative to the working folder if it lies inside."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
