"""Classes of networks by name."""

from __future__ import annotations

import pytest

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.key_names import KeyNames
from wangp_cli.pipelines.checkpoints.network_classes import (
    OWN_CLASSES,
    TRANSFORMER_CLASSES,
    key_names,
    network_class,
)
from wangp_cli.pipelines.wan.key_names import WAN


def test_every_class_that_a_catalogue_may_name_is_there() -> None:
    for name in TRANSFORMER_CLASSES:
        assert network_class(name).__name__ == name
        assert key_names(name) is WAN
    assert {"ReCamTransformer3DModel"} == OWN_CLASSES


@pytest.mark.parametrize("name", ["WanTransformer3DModle", "WanPipeline", "utils", "os"])
def test_what_is_no_class_of_networks_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"no network class '{name}'"):
        network_class(name)


def test_a_name_that_is_nearly_right_is_told() -> None:
    with pytest.raises(ModelError) as error:
        network_class("WanTransformer3DModle")
    assert "WanTransformer3DModel" in str(error.value.hint)


def test_a_network_that_is_not_known_has_its_own_names_alone() -> None:
    names = key_names("AutoencoderKLWan")
    assert names == KeyNames()
    assert names.own_names(["encoder.weight"]) == {"encoder.weight": "encoder.weight"}
    assert names.split("a.linear1_kv.weight") == [("a.linear1_kv.weight", None)]
