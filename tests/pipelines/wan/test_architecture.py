"""Checks of checkpoints against the architecture of a catalogue entry."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.wan import (
    load,
)
from wangp_cli.errors import ModelError


@pytest.mark.parametrize(
    ("folder", "name"), [("t2v", "vace"), ("i2v", "t2v"), ("flf2v", "i2v"), ("t2v", "diffusion_forcing")]
)
def test_a_checkpoint_of_another_architecture_is_refused(checkpoint: Any, folder: str, name: str) -> None:
    with pytest.raises(ModelError):
        load(checkpoint(folder), name)


@pytest.mark.parametrize(
    ("folder", "name", "message"),
    [
        ("t2v_2_2", "t2v", "has 2 transformers, but tiny_t2v needs 1"),
        ("t2v", "t2v_2_2", "has 1 transformers, but tiny_t2v_2_2 needs 2"),
        ("ti2v", "t2v", "is not of the architecture t2v"),
        ("t2v", "ti2v", "is not of the architecture ti2v"),
        ("i2v_2_2", "t2v_2_2", "is not of the architecture t2v"),
    ],
)
def test_the_number_of_transformers_must_be_that_of_the_entry(
    checkpoint: Any, folder: str, name: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load(checkpoint(folder), name)
