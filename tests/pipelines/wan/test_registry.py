"""The table of Wan architectures."""

from __future__ import annotations

from dataclasses import fields

import pytest

from wangp_cli.pipelines.base import Inputs
from wangp_cli.pipelines.checkpoints.network_classes import network_class
from wangp_cli.pipelines.wan.architecture import Architecture
from wangp_cli.pipelines.wan.registry import ARCHITECTURES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_names_a_network_and_inputs_that_exist(name: str) -> None:
    architecture = ARCHITECTURES[name]
    assert issubclass(architecture, Architecture)
    assert network_class(architecture.network).__name__ == architecture.network
    assert architecture.supported_inputs <= {field.name for field in fields(Inputs)}


def test_no_class_stands_for_two_architectures() -> None:
    assert len(set(ARCHITECTURES.values())) == len(ARCHITECTURES)
