"""Operations of a pass of a transformer."""

from __future__ import annotations

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch.utils.flop_counter import FlopCounterMode

from wangp_cli.grid import Grid
from wangp_cli.pipelines.memory.estimate import Model, pass_operations
from wangp_cli.traits import Traits


def test_operations_are_those_that_torch_counts() -> None:
    with torch.device("meta"):
        network = WanTransformer3DModel(
            num_attention_heads=4, attention_head_dim=64, num_layers=4, ffn_dim=1024, text_dim=64
        )
        inputs = torch.empty(1, 16, 5, 32, 32), torch.empty(1), torch.empty(1, 512, 64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    config = {"num_attention_heads": 4, "attention_head_dim": 64, "num_layers": 4}
    weights = {"transformer": sum(value.numel() for value in network.parameters())}
    model = Model(traits=Traits(), grid=Grid(), config=config, weights=weights, bytes=0)
    assert pass_operations(model, 17, 256, 256) == pytest.approx(counter.get_total_flops(), rel=0.15)
