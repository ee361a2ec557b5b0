"""`wangp models fetch`, `verify` and `remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._models import (
    Events,
    Json,
    ModelsContext,
    ModelsDir,
    Name,
    Names,
    models_context,
    show_licence,
)
from wangp_cli.commands._run import exit_with, open_run
from wangp_cli.commands._table import write_json, write_table
from wangp_cli.commands._transfer import show_transfer
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.files.units import format_bytes
from wangp_cli.models import ModelSpec
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import show_line, write_line, write_path

# Modules of a single command are imported when it runs, so that `wangp models` starts fast.
if TYPE_CHECKING:
    from wangp_cli.runtime.weights.fetch import FetchProgress
    from wangp_cli.runtime.weights.hub import Hub
    from wangp_cli.runtime.weights.remove import Removal


def fetch_command(
    name: Name,
    json: Events = False,
    models_dir: ModelsDir = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not use the network.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Use the newest commit, unless the catalogue names one.")
    ] = False,
) -> None:
    """Download a model's weights; a second call resumes."""
    from wangp_cli.runtime.weights.fetch import fetch
    from wangp_cli.runtime.weights.hub import Hub

    with report_errors():
        local = models_context(models_dir)
        spec = local.catalogue.get(name)
        hub = Hub(endpoint=local.settings.hub_endpoint, offline=offline or local.settings.offline)
        bootstrap.prepare_libraries()
        if json:
            _fetch_with_events(spec, local, hub, update=update)
        show_licence(spec)
        with show_transfer(f"fetch {name}", f"wangp models fetch {name}") as transfer:

            def show(step: FetchProgress) -> None:
                transfer.update(f"{step.done}/{step.total} {step.file}", step.bytes, step.bytes_total)

            paths = fetch(spec, local.models_dir, hub, show, update=update)
        for path in paths:
            write_path(path)
        show_line(f"next: {_use(spec)}")


def _use(spec: ModelSpec) -> str:
    """A command that uses a model, or that tells what it needs."""
    if spec.is_diffusion and not spec.requires:
        return f"wangp generate 'a red circle' --model {spec.name}"
    return f"wangp models show {spec.name}"


def _fetch_with_events(spec: ModelSpec, local: ModelsContext, hub: Hub, *, update: bool) -> NoReturn:
    from wangp_cli.runtime.events.types import DownloadProgress
    from wangp_cli.runtime.run_options import RunOptions
    from wangp_cli.runtime.weights.fetch import fetch

    with open_run("models fetch", RunOptions(json_lines=True, control=False)) as run:
        run.begin()
        session = run.session

        def report(step: FetchProgress) -> None:
            session.stream.emit(DownloadProgress(**vars(step)))
            session.control.check("")

        fetch(spec, local.models_dir, hub, report, update=update)
    exit_with(run)


def verify_command(name: Name, json: Json = False, models_dir: ModelsDir = None) -> None:
    """Check a model's weights: every file by its checksum, every part by the code that loads it."""
    from wangp_cli.runtime.weights.locate import fetchable
    from wangp_cli.runtime.weights.verify import GOOD, verify

    with report_errors():
        local = models_context(models_dir)
        spec = local.catalogue.get(name)
        bootstrap.prepare_libraries()
        findings = verify(spec, local.models_dir, (lambda _: None) if json else show_line)
        if json:
            write_json([vars(finding) for finding in findings])
        else:
            write_table(("file", "state", "note"), [tuple(vars(finding).values()) for finding in findings])
        if bad := [finding for finding in findings if finding.state not in GOOD]:
            fetched = fetchable(spec.source) and bad[0].state != "broken"
            raise ModelError(
                f"weights of {spec.name!r}: {bad[0].path} is {bad[0].state}"
                + (f": {bad[0].note}" if bad[0].note else ""),
                hint=f"wangp models fetch {spec.name}" if fetched else "replace the files that are named",
            )


def remove_command(
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    json: Json = False,
    models_dir: ModelsDir = None,
) -> None:
    """Delete fetched weights; files that other fetched models share are kept."""
    from wangp_cli.runtime.weights.remove import plan_removal, remove

    with report_errors():
        local = models_context(models_dir)
        specs = [local.catalogue.get(name) for name in names]
        removal = plan_removal(specs, local.catalogue, local.models_dir)
        if removal.gone:
            _confirm(removal, yes=yes)
            remove(removal, local.models_dir)
        if json:
            gone, kept = list(removal.gone), {str(path): name for path, name in removal.kept.items()}
            write_json({"removed": gone, "bytes": removal.bytes, "kept": kept})
            return
        if not removal.gone and not removal.kept:
            write_line(f"{', '.join(names)}: the weights are absent, there is nothing to remove")
            return
        sharing = sorted(set(removal.kept.values()))
        write_line(f"removed {len(removal.gone)} files, {format_bytes(removal.bytes)}")
        if sharing:
            write_line(f"kept {len(removal.kept)} files that {', '.join(sharing)} share")


def _confirm(removal: Removal, *, yes: bool) -> None:
    from wangp_cli.runtime.events.stdin import stdin_for_answers

    if yes:
        return
    question = f"remove {len(removal.gone)} files, {format_bytes(removal.bytes)}?"
    try:
        with stdin_for_answers():
            agreed = typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise RequestError(
            "remove", "not confirmed, nothing was removed", hint="--yes removes without asking"
        )
