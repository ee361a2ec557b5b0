"""The change of a linear layer by a LoRA, LoKr, LoHa or DoRA, independent of the layout of the file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from wangp_cli.pipelines.memory.quantized import weight_of

# R rank, I input features, O output features of a layer


@dataclass(frozen=True, kw_only=True, eq=False)
class LowRank:
    """The low-rank matrix `scale * up @ down` `[O, I]`.

    Args:
        down: `[R, I]`.
        up: `[O, R]`.
        scale: alpha / rank.
    """

    down: torch.Tensor
    up: torch.Tensor
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Output and input features."""
        return self.up.shape[0], self.down.shape[1]

    def product(self, x: torch.Tensor) -> torch.Tensor:
        """The matrix times `x [..., I]`, without `scale`."""
        return F.linear(F.linear(x, self.down), self.up)

    def dense(self) -> torch.Tensor:
        """The matrix with `scale`, float32 `[O, I]`."""
        return self.up.float() @ self.down.float() * self.scale

    def to(self, device: str, dtype: torch.dtype) -> LowRank:
        """A copy on a device and in a dtype."""
        return replace(self, down=self.down.to(device, dtype), up=self.up.to(device, dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class Kronecker:
    """The Kronecker product of two matrices times `scale`, `[A * B, C * D]`.

    Args:
        left: `[A, C]`.
        right: `[B, D]`.
        scale: alpha / rank, or 1 where the file has no factors.

    Source: LoKr, Yeh et al. 2023, arXiv:2309.14859.
    """

    left: torch.Tensor
    right: torch.Tensor
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Output and input features."""
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
        """A copy on a device and in a dtype."""
        return replace(self, left=self.left.to(device, dtype), right=self.right.to(device, dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class Hadamard:
    """The elementwise product of two low-rank matrices times `scale`.

    Args:
        left: the first matrix.
        right: the second matrix, of the same shape.
        scale: alpha / rank.

    Source: LoHa, Hyeon-Woo et al. 2022, arXiv:2108.06098.
    """

    left: LowRank
    right: LowRank
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Output and input features."""
        return self.left.shape

    def product(self, x: torch.Tensor) -> torch.Tensor:
        """The matrix times `x [..., I]`, without `scale`."""
        return F.linear(x, (self.left.up @ self.left.down) * (self.right.up @ self.right.down))

    def dense(self) -> torch.Tensor:
        """The matrix with `scale`, float32 `[O, I]`."""
        return self.left.dense() * self.right.dense() * self.scale

    def to(self, device: str, dtype: torch.dtype) -> Hadamard:
        """A copy on a device and in a dtype."""
        return replace(self, left=self.left.to(device, dtype), right=self.right.to(device, dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """The change of one linear layer by a LoRA file.

    Args:
        delta: matrix that is added to the weight.
        magnitude: norms to which DoRA scales the rows `[O, 1]` or columns `[1, I]` of the changed weight;
            None without DoRA.
        bias: `[O]`, with its scale, that is added to the bias; None without one. DoRA has none.

    Source: DoRA, Liu et al. 2024, arXiv:2402.09353.
    """

    delta: LowRank | Kronecker | Hadamard
    magnitude: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def to(self, device: str, dtype: torch.dtype) -> Change:
        """A copy on a device and in a dtype; magnitudes stay float32."""
        magnitude = None if self.magnitude is None else self.magnitude.to(device, torch.float32)
        bias = None if self.bias is None else self.bias.to(device, dtype)
        return Change(delta=self.delta.to(device, dtype), magnitude=magnitude, bias=bias)


class AppliedChange:
    """A change applied to one layer: computes what it adds to the layer's output.

    With the layer's weight `W` and the changed weight `W'` of the file, a strength `s` gives the weight
    `W + s * (W' - W)`; 0 is the unchanged layer, also with DoRA.

    Args:
        change: the change.
        layer: the layer; its weight must not be offloaded if the change has a magnitude.
    """

    def __init__(self, change: Change, layer: torch.nn.Linear) -> None:
        self._delta = change.delta
        self._bias = change.bias
        self._layer = layer
        self._ratio: torch.Tensor | None = None
        if change.magnitude is not None:
            changed = weight_of(layer, torch.float32) + change.delta.dense()
            rows = change.magnitude.shape[1] == 1
            norms = torch.linalg.vector_norm(changed, dim=int(rows), keepdim=True)
            ratio = change.magnitude / norms
            # One row in both cases: output or input features are the last axis of activations.
            self._ratio, self._scales_outputs = ratio.flatten(), rows

    def __call__(self, x: torch.Tensor, output: torch.Tensor, strength: float) -> torch.Tensor:
        """What to add to `output [..., O]`, the layer's output for `x [..., I]`."""
        weight = strength * self._delta.scale
        if self._ratio is None:
            added = self._delta.product(x) * weight
            return added if self._bias is None else added + self._bias * strength
        ratio = self._ratio.to(x.dtype)
        if self._scales_outputs:
            product = output if self._layer.bias is None else output - self._layer.bias
            return (ratio - 1) * product * strength + ratio * self._delta.product(x) * weight
        rescaled = F.linear(x * (ratio - 1), weight_of(self._layer, x.dtype)) * strength
        return rescaled + self._delta.product(x * ratio) * weight
