"""The change of a layer by a LoRA, in one form for every file layout."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from wangp_cli.pipelines.memory.quantized import weight_of

# R rank, I inputs, O outputs of a layer


@dataclass(frozen=True, kw_only=True, eq=False)
class LowRank:
    """A matrix `[O, I]` that is added to a layer's weight, times `scale`, kept as its factors: `up @ down`.

    Args:
        down: `[R, I]`.
        up: `[O, R]`.
        scale: the file's own, alpha over rank.
    """

    down: torch.Tensor
    up: torch.Tensor
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return self.up.shape[0], self.down.shape[1]

    def product(self, x: torch.Tensor) -> torch.Tensor:
        """The matrix times `x [..., I]`, without `scale`."""
        return F.linear(F.linear(x, self.down), self.up)

    def dense(self) -> torch.Tensor:
        """The matrix with `scale`, float32 `[O, I]`."""
        return self.up.float() @ self.down.float() * self.scale

    def to(self, device: str, dtype: torch.dtype) -> LowRank:
        """The same on a device, in a dtype."""
        return replace(self, down=self.down.to(device, dtype), up=self.up.to(device, dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class Kronecker:
    """The Kronecker product of two matrices, `[A * B, C * D]`.

    Args:
        left: `[A, C]`.
        right: `[B, D]`.
        scale: the file's own.

    Source: Yeh et al. 2023, arXiv:2309.14859, LoKr.
    """

    left: torch.Tensor
    right: torch.Tensor
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return (
            self.left.shape[0] * self.right.shape[0],
            self.left.shape[1] * self.right.shape[1],
        )

    def product(self, x: torch.Tensor) -> torch.Tensor:
        """The matrix times `x [..., I]`, without `scale`."""
        columns = x.unflatten(-1, (self.left.shape[1], self.right.shape[1]))
        return (self.left @ (columns @ self.right.T)).flatten(-2)

    def dense(self) -> torch.Tensor:
        """The matrix with `scale`, float32 `[O, I]`."""
        return torch.kron(self.left.float(), self.right.float()) * self.scale

    def to(self, device: str, dtype: torch.dtype) -> Kronecker:
        """The same on a device, in a dtype."""
        return replace(self, left=self.left.to(device, dtype), right=self.right.to(device, dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class Hadamard:
    """Two matrices `up @ down`, multiplied number by number.

    Args:
        left: one of them.
        right: the other, of the same shape.
        scale: the file's own, alpha over rank.

    Source: Hyeon-Woo et al. 2022, arXiv:2108.06098; LoHa.
    """

    left: LowRank
    right: LowRank
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return self.left.shape

    def product(self, x: torch.Tensor) -> torch.Tensor:
        """The matrix times `x [..., I]`, without `scale`."""
        return F.linear(x, (self.left.up @ self.left.down) * (self.right.up @ self.right.down))

    def dense(self) -> torch.Tensor:
        """The matrix with `scale`, float32 `[O, I]`."""
        return self.left.dense() * self.right.dense() * self.scale

    def to(self, device: str, dtype: torch.dtype) -> Hadamard:
        """The same on a device, in a dtype."""
        return replace(self, left=self.left.to(device, dtype), right=self.right.to(device, dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """The change of one linear layer by a LoRA file.

    Args:
        delta: added to the weight.
        magnitude: of DoRA: the norms that the rows `[O, 1]`, or columns `[1, I]`, of the weight have after
            the delta is added.

    Source of the magnitude: Liu et al. 2024, arXiv:2402.09353, DoRA.
    """

    delta: LowRank | Kronecker | Hadamard
    magnitude: torch.Tensor | None = None

    def to(self, device: str, dtype: torch.dtype) -> Change:
        """The same on a device, in a dtype; magnitudes stay float32."""
        magnitude = None if self.magnitude is None else self.magnitude.to(device, torch.float32)
        return Change(delta=self.delta.to(device, dtype), magnitude=magnitude)


class Term:
    """A change on one layer, ready to be added to what the layer gives.

    A strength `s` means the weight `W + s * (W' - W)`, where `W'` is what the file makes of `W`: 0 is the
    layer as it was, also where `W'` is rescaled to its magnitude.

    Args:
        change: of the layer.
        layer: with a plain weight where the change has a magnitude.
    """

    def __init__(self, change: Change, layer: torch.nn.Linear) -> None:
        self._delta = change.delta
        self._layer = layer
        self._ratio: torch.Tensor | None = None
        if change.magnitude is not None:
            changed = weight_of(layer, torch.float32) + change.delta.dense()
            rows = change.magnitude.shape[1] == 1
            norms = torch.linalg.vector_norm(changed, dim=int(rows), keepdim=True)
            ratio = change.magnitude / norms
            # As a row, whichever it scales: outputs and inputs are the last axis of what passes through.
            self._ratio, self._of_outputs = ratio.flatten(), rows

    def __call__(self, x: torch.Tensor, output: torch.Tensor, strength: float) -> torch.Tensor:
        """What the change adds to `output [..., O]`, the layer's own output for `x [..., I]`."""
        weight = strength * self._delta.scale
        if self._ratio is None:
            return self._delta.product(x) * weight
        ratio = self._ratio.to(x.dtype)
        if self._of_outputs:
            plain = output if self._layer.bias is None else output - self._layer.bias
            return (ratio - 1) * plain * strength + ratio * self._delta.product(x) * weight
        rescaled = F.linear(x * (ratio - 1), weight_of(self._layer, x.dtype)) * strength
        return rescaled + self._delta.product(x * ratio) * weight
