"""Tiny checkpoints, loaded by the adapter and by the stock pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers

from tests.support import tiny
from wangp_cli.pipelines.base import Placement
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.pipelines.wan import pipeline as wan


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny checkpoint by name."""
    folders: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in folders:
            folders[name] = tiny.save(name, tmp_path_factory.mktemp(name))
        return folders[name]

    return folder


@pytest.fixture(scope="session")
def loaded(checkpoint: Callable[[str], Path]) -> Callable[..., wan.Wan]:
    """The adapter's pipeline of a tiny checkpoint, in exact mode unless said otherwise."""
    pipelines: dict[tuple[str, bool], wan.Wan] = {}
    parts = tiny.Parts()

    def pipeline(name: str, *, exact: bool = True) -> wan.Wan:
        if (name, exact) not in pipelines:
            placement = Placement(exact=exact)
            pipelines[name, exact] = wan_load.load(
                tiny.spec(name), checkpoint(name), placement, [], parts, tiny.quiet
            )
        return pipelines[name, exact]

    return pipeline


@pytest.fixture(scope="session")
def stock(checkpoint: Callable[[str], Path]) -> Callable[[str], Any]:
    """The stock pipeline of a tiny checkpoint."""
    pipelines: dict[str, Any] = {}

    def pipeline(name: str) -> Any:
        if name not in pipelines:
            kind = getattr(diffusers, tiny.STOCK[tiny.architecture(name)])
            pipelines[name] = kind.from_pretrained(checkpoint(name), disable_mmap=True)
            pipelines[name].set_progress_bar_config(disable=True)
        return pipelines[name]

    return pipeline
