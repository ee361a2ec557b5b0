"""Where a model's weights are on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from wangp_cli.catalogue import ModelSpec
from wangp_cli.errors import ModelError

INDEX = "model_index.json"


def locate(spec: ModelSpec, models_dir: Path) -> Path:
    """The local folder with the model's weights in diffusers layout.

    Raises:
        ModelError: they are not on this machine.
    """
    folder = expected_folder(spec, models_dir)
    if not (folder / INDEX).is_file():
        hint = (
            f"wangp models fetch {spec.name}"
            if spec.source.repository
            else f"put {INDEX} and the weights there"
        )
        raise ModelError(f"weights of {spec.name!r} are not in {folder}", hint=hint)
    return folder


def present(spec: ModelSpec, models_dir: Path) -> bool:
    """Whether the weights are on this machine."""
    return (expected_folder(spec, models_dir) / INDEX).is_file()


def expected_folder(spec: ModelSpec, models_dir: Path) -> Path:
    """Where the weights belong."""
    source = spec.source
    if source.package:
        return package_folder(source.package)
    if source.folder:
        return source.folder.expanduser()
    if source.components:
        return expected_folder(spec.model_copy(update={"source": source.components}), models_dir)
    return models_dir / str(source.repository).replace("/", "--")


def card(spec: ModelSpec) -> dict[str, Any] | None:
    """What was measured of a model that ships with us: its world, its compute and its figures."""
    file = package_folder(spec.source.package) / "card.json" if spec.source.package else None
    return json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else None


@cache
def shipped_vocabulary(package: str) -> frozenset[str]:
    """The words that a model inside the package knows; empty if its tokenizer is no list of words."""
    file = package_folder(package) / "tokenizer" / "tokenizer.json"
    model = json.loads(file.read_text(encoding="utf-8"))["model"] if file.is_file() else {}
    return frozenset(model["vocab"]) if model.get("type") == "WordLevel" else frozenset()


def package_folder(package: str) -> Path:
    """A folder of weights inside the package."""
    return Path(str(files("wangp_cli") / package))


def fetch(spec: ModelSpec, models_dir: Path, report: Callable[[str, int, int], None]) -> Path:
    """Download the model's repository, file by file; what is complete already is not fetched again.

    Args:
        spec: a model with a hub repository.
        models_dir: folder of all weights.
        report: called with (file, files done, files in all).

    Raises:
        ModelError: there is no repository, no network, no access or too little disk.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    source = spec.source
    if not source.repository:
        raise ModelError(f"{spec.name!r} has no repository to fetch from")
    folder = expected_folder(spec, models_dir)
    try:
        info = HfApi().model_info(source.repository, revision=source.revision, files_metadata=True)
        wanted = [file for file in info.siblings or [] if _needed(file.rfilename)]
        _check_room(folder, sum(file.size or 0 for file in wanted))
        # The index comes last: its presence says that everything else is there.
        wanted.sort(key=lambda file: (file.rfilename == INDEX, file.rfilename))
        for done, file in enumerate(wanted):
            report(file.rfilename, done, len(wanted))
            hf_hub_download(source.repository, file.rfilename, revision=info.sha, local_dir=folder)
        report(INDEX, len(wanted), len(wanted))
    except GatedRepoError:
        raise ModelError(
            f"{source.repository} asks you to accept its licence first",
            hint=f"accept it on the hub page of {source.repository}, then run `hf auth login`",
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(f"{source.repository} is not on the hub, or asks for a login") from None
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"cannot fetch {source.repository}: {_first_line(error)}", hint="try again; it resumes"
        ) from None
    return folder


def _needed(name: str) -> bool:
    return name == INDEX or ("/" in name and name.endswith((".json", ".safetensors", ".model", ".txt")))


def _check_room(folder: Path, needed: int) -> None:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise ModelError(
            f"{existing} has {free / 1e9:.1f} GB free, the weights take {needed / 1e9:.1f} GB",
            hint="set models_dir to a larger disk (wangp settings path)",
        )


def _first_line(error: Any) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
