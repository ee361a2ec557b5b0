"""Options of diffusion forcing."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.forcing import DiffusionForcing


def test_fields_that_differ_from_their_defaults_are_named() -> None:
    assert DiffusionForcing().forcing_fields == []
    assert DiffusionForcing(ar_step=5, causal_block_size=1).forcing_fields == ["ar_step"]


@pytest.mark.parametrize("values", [{"ar_step": -1}, {"causal_block_size": 0}, {"addnoise_condition": 151}])
def test_values_out_of_range_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="should be"):
        DiffusionForcing(**values)
