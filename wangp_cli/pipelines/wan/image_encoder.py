"""CLIP image embeddings."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from wangp_cli.media.clip import Frames, as_uint8


class ImageEncoder:
    """Embeds images with CLIP's vision model.

    Args:
        model: `CLIPVisionModel` in evaluation mode.
        processor: resizes and normalises for it.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self._processor = processor

    def embed(self, images: list[Frames]) -> torch.Tensor:
        """Hidden states before the last layer, `[images, tokens, D]`, of frames `[H, W, 3]`."""
        uint8_images = [Image.fromarray(as_uint8(image)) for image in images]
        pixels = self._processor(images=uint8_images, return_tensors="pt").to(self.model.device)
        with torch.inference_mode():
            return self.model(**pixels, output_hidden_states=True).hidden_states[-2]
