"""Changes of layers from the tensors of LoRA files."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from wangp_cli.pipelines.lora.parse import LoraMismatchError, change_of

FACTORS = {"down": torch.ones(4, 3), "up": torch.ones(2, 4)}


@pytest.mark.parametrize(
    ("metadata", "scale"),
    [
        ({}, 1.0),
        ({"lora_alpha": 8}, 2.0),
        ({"lora_alpha": 8, "use_rslora": True}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"to_q": 2}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"to_k": 2}}, 2.0),
    ],
)
def test_the_scale_is_alpha_by_rank(metadata: dict[str, Any], scale: float) -> None:
    assert change_of(FACTORS, (2, 3), metadata, ["blocks.0.to_q"]).delta.scale == scale
    own = FACTORS | {"alpha": torch.tensor(6.0)}
    assert change_of(own, (2, 3), metadata, ["blocks.0.to_q"]).delta.scale == 1.5


@pytest.mark.parametrize(
    ("tensors", "metadata", "reason"),
    [
        ({"down": torch.ones(4, 3)}, {}, "down comes without up"),
        (FACTORS | {"w1": torch.ones(1, 1)}, {}, "two kinds"),
        ({"alpha": torch.tensor(1.0)}, {}, "without factors"),
        ({"w1": torch.ones(2, 2), "w2": torch.ones(2, 2)}, {}, "makes 4 x 4, the layer is 2 x 3"),
        (FACTORS | {"magnitude": torch.ones(5)}, {}, "magnitude is 5"),
        (FACTORS, {"lora_alpha": "much"}, "cannot be read"),
        (FACTORS, {"lora_alpha": 1, "alpha_pattern": {"(a+)+": 2}}, "cannot be read"),
    ],
)
def test_tensors_that_make_no_change_are_refused(
    tensors: dict[str, torch.Tensor], metadata: dict[str, Any], reason: str
) -> None:
    with pytest.raises(LoraMismatchError, match=reason):
        change_of(tensors, (2, 3), metadata, ["blocks.0.to_q"])
