"""Adapters by model family."""

from __future__ import annotations

from importlib import import_module

import pytest

from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.errors import ModelError
from wangp_cli.models import NO_ARCHITECTURE
from wangp_cli.pipelines.base import Pipeline
from wangp_cli.pipelines.registry import ADAPTERS, NETWORKS, adapter
from wangp_cli.pipelines.wan.pipeline import Wan
from wangp_cli.pipelines.wan.registry import ARCHITECTURES


def test_every_family_of_the_catalogue_has_an_adapter_that_loads() -> None:
    specs = Catalogue(presets_dir() / "models").models.values()
    assert {spec.family for spec in specs if spec.is_diffusion} == set(ADAPTERS)
    for place in ADAPTERS.values():
        module, _, function = place.partition(":")
        assert adapter("wan", ADAPTERS) is getattr(import_module(module), function)


def test_wan_computes_every_architecture_that_its_models_have() -> None:
    specs = Catalogue(presets_dir() / "models").models.values()
    named = {spec.architecture for spec in specs if spec.family == "wan"} - {NO_ARCHITECTURE}
    assert named == set(ARCHITECTURES)


def test_every_tool_of_the_catalogue_has_a_loader_and_every_loader_a_tool() -> None:
    specs = Catalogue(presets_dir() / "models").models.values()
    assert {spec.architecture for spec in specs if not spec.is_diffusion} == set(NETWORKS)


def test_an_adapter_can_be_handed_in_as_a_function() -> None:
    def load(*_: object) -> Pipeline:
        raise NotImplementedError

    assert adapter("toy", {"toy": load}) is load


def test_a_family_without_an_adapter_is_named_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="family 'wann'") as error:
        adapter("wann", ADAPTERS)
    assert error.value.hint is not None
    assert "wan" in error.value.hint


def test_wan_is_a_pipeline() -> None:
    kind: type[Pipeline] = Wan
    assert kind is Wan
