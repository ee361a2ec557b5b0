"""CLIP image embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from wangp_cli.media.clip import as_uint8

if TYPE_CHECKING:
    pass


class ImageEncoder:
    """CLIP's view of a picture.

    Args:
        model: `CLIPVisionModel` in evaluation mode.
        processor: resizes and normalises for it.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self._processor = processor

    def embed(self, pictures: list[Any]) -> torch.Tensor:
        """Hidden states before the last layer, `[pictures, tokens, D]`, of frames `[H, W, 3]`."""
        images = [Image.fromarray(as_uint8(picture)) for picture in pictures]
        pixels = self._processor(images=images, return_tensors="pt").to(self.model.device)
        with torch.inference_mode():
            return self.model(**pixels, output_hidden_states=True).hidden_states[-2]
