"""`wangp report`: an HTML page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_json
from wangp_cli.errors import RequestError
from wangp_cli.files.same_file import is_same_file
from wangp_cli.runtime.events.messages import show_note, write_path
from wangp_cli.runtime.history.log import HISTORY


def report(
    run_dir: Annotated[Path, typer.Argument(help="Folder of results, with its run history.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page to write; report.html in the folder by default."),
    ] = None,
    manifest_path: Annotated[
        Path | None,
        typer.Option("--manifest-path", help="File of the run history, if elsewhere."),
    ] = None,
    embed: Annotated[
        bool,
        typer.Option(
            "--embed/--link", help="Put files of the folder up to 4 MiB each into the page, or link all."
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace a page that exists; an earlier report.html is replaced without it."
        ),
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write one HTML page with every task of a run: results, requests, failures."""
    from wangp_cli.runtime.report.page import Page
    from wangp_cli.runtime.report.read_history import read_history

    with report_errors():
        if not run_dir.is_dir():
            raise RequestError("run_dir", f"{str(run_dir)!r} is not a folder")
        folder = run_dir.absolute()
        manifest = manifest_path or folder / HISTORY
        history = read_history(manifest, folder)
        page = Page(path=(output or folder / "report.html").absolute(), run_dir=folder, embed=embed)
        if page.path.is_dir():
            raise RequestError("output", f"{page.path} is a folder")
        results = [result.file for entry in history.entries for result in entry.results if result.file]
        if any(is_same_file(page.path, path) for path in (manifest, *results)):
            raise RequestError(
                "output",
                f"{page.path} is shown on the page, and never replaced by it",
                hint="name another file",
            )
        generated = output is None and page.path.is_file() and page.is_report()
        counts = page.write(history, overwrite=overwrite or generated)
        if history.skipped:
            show_note(f"skipped lines of the history: {history.skipped}")
        if json:
            write_json({"report": str(page.path), **counts})
        else:
            write_path(page.path)
        if show:
            typer.launch(page.path.as_uri())
