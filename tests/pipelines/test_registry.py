"""The closed table of adapters."""

from __future__ import annotations

from importlib import import_module
from typing import get_args

from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import Pipeline
from wangp_cli.pipelines.registry import ADAPTERS
from wangp_cli.pipelines.wan.pipeline import Wan


def test_every_family_of_the_catalogue_has_an_adapter_that_loads() -> None:
    assert set(ADAPTERS) == set(get_args(ModelSpec.model_fields["family"].annotation))
    for place in ADAPTERS.values():
        module, _, function = place.partition(":")
        assert callable(getattr(import_module(module), function))


def test_wan_is_a_pipeline() -> None:
    kind: type[Pipeline] = Wan
    assert kind is Wan
