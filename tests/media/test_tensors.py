from __future__ import annotations

import numpy as np
import pytest
import torch

from wangp_cli.media.clip import as_float
from wangp_cli.media.tensors import from_batch, to_batch


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_frames_come_back_from_a_batch_as_floats(dtype: type[np.generic]) -> None:
    frames = (np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4) / (120 if dtype == np.float32 else 1)).astype(
        dtype
    )
    batch = to_batch(frames[..., :3])
    assert batch.shape == (2, 3, 3, 5)
    assert batch.dtype == torch.float32
    assert np.array_equal(from_batch(batch), as_float(frames)[..., :3])
    assert from_batch(batch.to(torch.float16)).dtype == np.float32
