"""Parameter names in weight files."""

from __future__ import annotations

import re

import pytest

from wangp_cli.pipelines.checkpoints.key_names import KeyNames, first_keys

NAMES = KeyNames(
    parameter=lambda name: name.replace("attn1", "self_attn"),
    image_layers=re.compile("k_img"),
    fused={".kv.": (".k.", ".v.")},
    constants=re.compile(r"blur\.\d+"),
)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("model.diffusion_model.head.weight", "head.weight"),
        ("diffusion_model.head.weight", "head.weight"),
        ("head.transformer.weight", "head.transformer.weight"),
        ("model.blocks.0.weight", "blocks.0.weight"),
        ("model._fsdp_wrapped_module.blocks.0._orig_mod.q.weight", "blocks.0.q.weight"),
        ("module.model.head.weight", "head.weight"),
    ],
)
def test_the_prefix_of_a_tool_is_removed(key: str, name: str) -> None:
    assert NAMES.bare(key) == name


@pytest.mark.parametrize(("count", "text"), [(1, "0"), (3, "0, 1, 2"), (5, "0, 1, 2 and 2 more")])
def test_three_keys_are_listed_and_the_others_counted(count: int, text: str) -> None:
    assert first_keys(map(str, range(count))) == text


def test_a_fused_tensor_has_the_rows_of_two_parameters() -> None:
    assert NAMES.split("a.kv.weight") == [("a.k.weight", 0), ("a.v.weight", 1)]
    assert NAMES.split("a.q.weight") == [("a.q.weight", None)]


def test_a_parameter_has_its_own_name_and_that_of_the_original_code() -> None:
    assert NAMES.own_names(["attn1.q"]) == {"attn1.q": "attn1.q", "self_attn.q": "attn1.q"}


def test_keys_of_images_and_of_constants_are_recognised() -> None:
    assert (NAMES.is_of_images("a.k_img.weight"), NAMES.is_of_images("a.k.weight")) == (True, False)
    assert (NAMES.is_constant("blur.1"), NAMES.is_constant("blur.1.weight")) == (True, False)
