"""Convert a single weight file, such as a pickle, to safetensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from wangp_cli.files.folders import check_free_space
from wangp_cli.pipelines.checkpoints.safetensors_writer import TensorSpec, total_bytes, write_file

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.pipelines.checkpoints.files import WeightFile


def convert_file(
    file: WeightFile, target: Path, dtype: torch.dtype | None, report: Callable[[str, int, int], None]
) -> None:
    """Write the tensors of a weight file as one safetensors file, under their own keys.

    Args:
        file: the file.
        target: the file to write; it appears atomically when it is complete.
        dtype: of floating-point tensors; None for those of the file.
        report: called with the file name, the bytes written and the bytes in total.

    Raises:
        NoSpaceError: the disk is too small.
    """

    def tensor(key: str) -> torch.Tensor:
        value = file.tensor(key)
        return value.to(dtype) if dtype and value.is_floating_point() else value

    specs = {key: TensorSpec(tensor(key).dtype, info.shape) for key, info in file.tensor_info.items()}
    bytes_total = total_bytes(specs)
    target.parent.mkdir(parents=True, exist_ok=True)
    check_free_space(target.parent, bytes_total)
    write_file(target, specs, tensor, lambda size: report(target.name, size, bytes_total))
