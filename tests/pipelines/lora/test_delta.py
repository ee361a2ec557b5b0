"""Changes of a linear layer."""

from __future__ import annotations

import pytest
import torch

from wangp_cli.pipelines.lora.delta import AppliedChange, Change, Hadamard, Kronecker, LowRank


def low_rank(scale: float = 1.0) -> LowRank:
    """A random matrix of 6 x 4."""
    return LowRank(down=torch.randn(2, 4), up=torch.randn(6, 2), scale=scale)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", ["low rank", "kronecker", "hadamard"])
def test_a_product_is_that_of_the_dense_matrix(kind: str) -> None:
    deltas: dict[str, LowRank | Kronecker | Hadamard] = {
        "low rank": low_rank(0.5),
        "kronecker": Kronecker(left=torch.randn(2, 2), right=torch.randn(3, 2), scale=0.5),
        "hadamard": Hadamard(left=low_rank(), right=low_rank(), scale=0.5),
    }
    delta, x = deltas[kind], torch.randn(3, 5, 4)
    assert delta.shape == tuple(delta.dense().shape) == (6, 4)
    assert torch.allclose(delta.product(x) * delta.scale, x @ delta.dense().T, atol=1e-5)


@pytest.mark.parametrize("rows", [True, False])
def test_dora_at_full_strength_has_the_norms_of_its_magnitude(rows: bool) -> None:
    layer = torch.nn.Linear(4, 6)
    magnitude = torch.rand(6, 1) + 0.5 if rows else torch.rand(1, 4) + 0.5
    applied = AppliedChange(Change(delta=low_rank(), magnitude=magnitude), layer)
    with torch.no_grad():
        zero = layer(torch.zeros(1, 4))
        eye = layer(torch.eye(4))
        weight = (eye + applied(torch.eye(4), eye, 1.0) - zero).T
        assert torch.allclose(weight.norm(dim=int(rows), keepdim=True), magnitude, atol=1e-5)
        assert not applied(torch.eye(4), eye, 0.0).any()
