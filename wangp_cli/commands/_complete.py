"""Names for shell completion; each function takes what is typed so far, and imports only what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args, get_origin

from wangp_cli.tasks.fields import Flag

Completer = Callable[[str], list[str]]


def _names(listed: Callable[[str], Iterable[str]]) -> Completer:
    """A completer of listed names; it gives none where they cannot be read: a shell shows no error."""

    def complete(incomplete: str) -> list[str]:
        try:
            return [name for name in listed(incomplete) if name.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - a shell shows no error
            return []

    return complete


@_names
def models(_incomplete: str) -> Iterable[str]:
    """Names of models."""
    from wangp_cli.runtime import bootstrap

    return bootstrap.catalogue(bootstrap.user_folders()).models


@_names
def presets(_incomplete: str) -> Iterable[str]:
    """Names of presets."""
    from wangp_cli.runtime import bootstrap

    return bootstrap.presets(bootstrap.user_folders()).all


@_names
def accelerators(_incomplete: str) -> Iterable[str]:
    """Names of accelerators, and the word that turns them off."""
    from wangp_cli.accelerators import NO_ACCELERATOR
    from wangp_cli.runtime import bootstrap

    return [*bootstrap.accelerators(bootstrap.user_folders()).all, NO_ACCELERATOR]


@_names
def loras(incomplete: str) -> Iterable[str]:
    """Names in the LoRA folder; LoRA files and folders of the path that is typed."""
    from wangp_cli.runtime import bootstrap
    from wangp_cli.runtime.loras.header import ENDINGS
    from wangp_cli.runtime.loras.source import lora_files

    settings, _, folders = bootstrap.load_settings()
    folder = bootstrap.loras_dir(settings, folders)
    named = [str(file.relative_to(folder)) for file in lora_files(folder)]
    return [*named, *_paths(incomplete, ENDINGS)]


def _paths(incomplete: str, endings: Iterable[str]) -> list[str]:
    """Files with one of the endings, and folders, beside the path that is typed."""
    parent, slash, _ = incomplete.rpartition("/")
    folder = Path(parent + slash).expanduser() if slash else Path()
    return [
        f"{parent}{slash}{path.name}" + ("/" if path.is_dir() else "")
        for path in sorted(folder.iterdir())
        if path.is_dir() or path.suffix.lower() in endings
    ]


@_names
def runs(_incomplete: str) -> Iterable[str]:
    """Ids of running commands, and the word for the last one."""
    from wangp_cli.runtime import bootstrap
    from wangp_cli.runtime.control.registry import records

    found = [record.run for folder in bootstrap.control_folders() for record in records(folder)]
    return [*found, "last"]


def among(names: Iterable[str]) -> Completer:
    """A completer of some names."""
    listed = list(names)
    return _names(lambda _incomplete: listed)


BY_NAME: dict[str, Completer] = {
    "models": models,
    "presets": presets,
    "accelerators": accelerators,
    "loras": loras,
}
"""The completer that `Flag.complete` names."""


def completer(flag: Flag, annotation: Any) -> Completer | None:
    """What completes the values of a flag: a list that it names, its choices, or those of its type."""
    if flag.complete:
        return BY_NAME[flag.complete]
    choices = flag.choices or _choices_of_items(annotation)
    return among(choices) if choices else None


def _choices_of_items(annotation: Any) -> tuple[str, ...]:
    """The choices of the items of a tuple; those of a single value are completed by Typer."""
    if get_origin(annotation) is not tuple:
        return ()
    return tuple(choice for choice in get_args(get_args(annotation)[0]) if isinstance(choice, str))
