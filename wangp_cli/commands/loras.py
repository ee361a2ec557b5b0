"""`wangp loras`: list, show, check, presets, fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wangp_cli.catalogue import Catalogue
from wangp_cli.commands import _complete
from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._models import ModelsDir
from wangp_cli.commands._table import values_list, write_facts, write_json, write_table
from wangp_cli.commands._transfer import show_transfer
from wangp_cli.errors import ModelError, RequestError, WangpError
from wangp_cli.models import ModelSpec, Network
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import write_line, write_path, write_text
from wangp_cli.runtime.loras.header import Header, check_lora, check_usable
from wangp_cli.runtime.loras.source import fetch_source, find_source, lora_files
from wangp_cli.runtime.weights import locate
from wangp_cli.runtime.weights.hub import Hub

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[
    str,
    typer.Argument(
        help="File, folder, name in the LoRA folder, OWNER/REPOSITORY:FILE or https address.",
        metavar="LORA",
        autocompletion=_complete.loras,
    ),
]

app = typer.Typer(help="List, show, check and fetch LoRAs.", invoke_without_command=True)


@app.callback()
def overview(context: typer.Context, json: Json = False) -> None:
    """List the LoRAs in the LoRA folder, or use one of the commands below."""
    if not context.invoked_subcommand:
        list_loras(json=json)


@app.command("list")
def list_loras(json: Json = False) -> None:
    """List the LoRAs in the LoRA folder and the networks they fit."""
    with report_errors():
        folder, networks = _folder(), _networks(_catalogue())
        entries = [_facts(path, str(path.relative_to(folder)), networks) for path in lora_files(folder)]
        if json:
            write_json(entries)
            return
        if not entries:
            write_line(f"no LoRAs are in {folder}; `wangp loras fetch` downloads one")
            return
        rows = [
            (
                facts["name"],
                facts.get("error") or " + ".join(facts["kinds"]),
                _range_text(facts.get("ranks", [])),
                facts.get("layers", ""),
                ", ".join(facts.get("fits", [])),
                ", ".join(facts.get("trigger_words", [])),
            )
            for facts in entries
        ]
        write_table(("LoRA", "kind", "rank", "layers", "networks", "trigger words"), rows, no_wrap=["LoRA"])


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show the header of a LoRA file: kind, rank, layers, trigger words, metadata."""
    with report_errors():
        path = _local_path(name)
        header = check_lora(path)
        facts = _facts(path, name, _networks(_catalogue())) | {"metadata": header.metadata}
        if json:
            write_json(facts)
            return
        metadata = facts.pop("metadata")
        write_facts({key: ", ".join(map(str, v)) if isinstance(v, list) else v for key, v in facts.items()})
        if metadata:
            write_text("\nmetadata:")
            write_facts(
                {key: value if len(value) <= 200 else f"{value[:200]} ..." for key, value in metadata.items()}
            )


@app.command()
def check(
    name: Name,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Compare with this model only.",
            metavar="NAME",
            autocompletion=_complete.models,
        ),
    ] = None,
    json: Json = False,
    models_dir: ModelsDir = None,
) -> None:
    """Compare every key of a LoRA with the layers of a model, or of all models that it may fit."""
    with report_errors():
        path = _local_path(name)
        header = check_lora(path)
        catalogue = _catalogue()
        if model:
            spec = catalogue.get(model)
            networks, experts = [_network_of(spec, models_dir)], int(spec.experts)
        else:
            networks, experts = _candidate_networks(header, catalogue), header.transformers
        bootstrap.prepare_libraries()
        from wangp_cli.pipelines.lora.check import check_fit

        results = check_fit(path, networks, experts)
        if json:
            write_json([vars(fit) | {"fits": fit.fits} for fit in results])
        else:
            for fit in results:
                _write_fit(fit)
        if not any(fit.fits for fit in results):
            raise ModelError(f"LoRA {path.name} does not fit {', '.join(fit.network for fit in results)}")


def _write_fit(fit: Any) -> None:
    left_out = f", {len(fit.left_out)} keys of image layers are left out" if fit.left_out else ""
    word = "fits" if fit.fits else "does not fit"
    write_line(f"{fit.network}: {word}; {fit.layers} layers are changed{left_out}")
    if fit.rejected:
        write_table(("key", "reason"), list(fit.rejected.items()), no_wrap=["key"])


@app.command()
def presets(json: Json = False) -> None:
    """List the accelerators, and the LoRA presets of WanGP in the LoRA folder."""
    with report_errors():
        accelerators = bootstrap.accelerators(bootstrap.user_folders()).all.values()
        folder = _folder()
        files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".lset", ".json")]
        if json:
            dumped = [each.model_dump(mode="json") for each in accelerators]
            write_json({"accelerators": dumped, "files": [_preset_facts(path) for path in files]})
            return
        rows = [
            (
                each.name,
                each.description,
                variant.made_for,
                values_list(variant.values),
                len(variant.loras),
            )
            for each in accelerators
            for variant in each.variants
        ]
        columns = ("--accelerator", "what it is", "networks", "values", "LoRAs")
        write_table(columns, rows, no_wrap=["values"])
        if files:
            write_table(("--settings-file", "LoRAs"), [tuple(_preset_facts(path).values()) for path in files])


def _preset_facts(path: Path) -> dict[str, Any]:
    """Path and LoRAs of a preset of WanGP, with the error if it cannot be read."""
    from wangp_cli.runtime.intake.settings_file import load_settings_file

    try:
        loras = load_settings_file(path).values.get("loras") or ()
    except WangpError as error:
        return {"path": str(path), "loras": [], "error": error.message}
    return {"path": str(path), "loras": list(loras)}


@app.command()
def fetch(name: Name) -> None:
    """Download a LoRA from the hub or an https address into the LoRA folder."""
    with report_errors():
        settings, _, folders = bootstrap.load_settings()
        bootstrap.prepare_libraries()
        source = find_source(name, bootstrap.loras_dir(settings, folders))
        hub = Hub(endpoint=settings.hub_endpoint, offline=settings.offline)
        with show_transfer(f"fetch {name}", f"wangp loras fetch {name}") as transfer:
            fetched = fetch_source(source, hub, lambda done, total: transfer.update(name, done, total))
        write_path(fetched.path)


def _folder() -> Path:
    settings, _, folders = bootstrap.load_settings()
    return bootstrap.loras_dir(settings, folders)


def _catalogue() -> Catalogue:
    return bootstrap.catalogue(bootstrap.user_folders())


def _local_path(name: str) -> Path:
    source = find_source(name, _folder())
    if not source.is_local:
        raise RequestError("lora", f"{name!r} is not on this machine", hint=f"wangp loras fetch {name}")
    return source.path


def _networks(catalogue: Catalogue) -> list[tuple[Network, int]]:
    """The networks of the catalogue, with the most transformers of a model that has it."""
    found: dict[str, tuple[Network, int]] = {}
    for spec in catalogue.models.values():
        if spec.network:
            _, experts = found.get(spec.network.name, (spec.network, 1))
            found[spec.network.name] = spec.network, max(experts, spec.experts)
    return list(found.values())


def _candidate_networks(header: Header, catalogue: Catalogue) -> list[Network]:
    networks = _networks(catalogue)
    if not (fitting := _fitting(header, networks)):
        widths = sorted({network.width for network, _ in networks})
        width = header.width or "an unknown number of features"
        raise ModelError(
            f"the LoRA was made for at least {header.blocks} blocks, {width} wide; the "
            f"networks of the catalogue are {', '.join(map(str, widths))} wide",
            hint="--model NAME compares it with one model",
        )
    return fitting


def _fitting(header: Header, networks: list[tuple[Network, int]]) -> list[Network]:
    return [network for network, experts in networks if header.may_fit(network, experts)]


def _network_of(spec: ModelSpec, models_dir: Path | None) -> Network:
    """A model's network, from the catalogue or from its weights."""
    if spec.network:
        return spec.network
    from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint

    settings, _, folders = bootstrap.load_settings()
    weights = locate.locate(spec, bootstrap.models_dir(settings, folders, models_dir))
    config = Checkpoint(weights).config("transformer")
    return Network.model_validate({"name": spec.name, "kind": config["_class_name"], "config": config})


def _facts(path: Path, name: str, networks: list[tuple[Network, int]]) -> dict[str, Any]:
    """The facts of a file; with the error instead if it is broken, or cannot be read."""
    facts: dict[str, Any] = {"name": name, "path": str(path)}
    try:
        facts["bytes"] = path.stat().st_size
        header = check_usable(path)
    except WangpError as error:
        return facts | {"error": error.message}
    except OSError as error:
        return facts | {"error": f"cannot be read: {error.strerror or error}"}
    return facts | header.facts() | {"fits": [network.name for network in _fitting(header, networks)]}


def _range_text(values: list[int]) -> str:
    return "" if not values else str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
