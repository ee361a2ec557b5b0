"""SAM 2 or SAM 3 from a folder in the layout of transformers: masks of objects that are marked or named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.matting.matter import Alpha, Mask
from wangp_cli.media.clip import Frames
from wangp_cli.pipelines.auxiliary.sam.pixels import SAM2_COLOURS, SAM3_COLOURS, Preprocessing
from wangp_cli.pipelines.auxiliary.sam.prompts import Box, ObjectPrompt, Point
from wangp_cli.pipelines.auxiliary.sam.text import TextFinder
from wangp_cli.pipelines.auxiliary.sam.tracker import Tracker
from wangp_cli.pipelines.checkpoints.files import open_weights
from wangp_cli.pipelines.checkpoints.part_files import check_any, tensor_files
from wangp_cli.pipelines.checkpoints.pretrained import (
    from_pretrained,
    load_errors,
    load_transformers_model,
    model_type,
)

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.tasks.runtime import Dtype

SAM2, SAM3 = "sam2_video", "sam3_video"
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> Segmenter:
    """The loader of the architectures `sam2` and `sam3`.

    Raises:
        ModelError: as `Segmenter`.
    """
    return Segmenter(weights.folder, getattr(torch, dtype), device)


class Segmenter:
    """SAM 2 or SAM 3 from a folder; its networks are loaded when they are needed. A `Matter`.

    Args:
        folder: with `config.json`, `model.safetensors` and, for SAM 3, the files of a CLIP tokenizer.
        dtype: of the weights.
        device: where they compute.

    Raises:
        ModelError: the folder is missing or holds another model, or a file of it is missing or broken.
    """

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> None:
        self.folder, self._dtype, self._device = folder, dtype, device
        self.kind = model_type(folder)
        if self.kind not in (SAM2, SAM3):
            raise ModelError(
                f"{folder} holds a model of type {self.kind}; {SAM2} or {SAM3} is wanted",
                hint="the repositories of Meta named facebook/sam2.1-hiera-... and facebook/sam3",
            )
        for file in tensor_files(folder):
            open_weights(file)
        if self.reads_text:
            check_any(folder, TOKENIZER_FILES)

    @property
    def reads_text(self) -> bool:
        """Whether it finds objects by words."""
        return self.kind == SAM3

    def first_mask(
        self,
        frame: NDArray[Any],
        *,
        points: Sequence[Point] = (),
        points_outside: Sequence[Point] = (),
        box: Box | None = None,
        text: str | None = None,
    ) -> NDArray[np.float32]:
        """The mask of what points and a box mark, or of everything that words name, in one frame.

        Args:
            frame: `[H, W, 3]`, any dtype of `Frames`.
            points, points_outside: on the object, and on what does not belong to it.
            box: around the object.
            text: words, in place of all of these.

        Returns:
            float32 `[H, W]`, of zeros and ones.

        Raises:
            RequestError: both words and points are given, or neither; a point lies outside the frame; the
                model finds no such object, or does not read words.
        """
        prompt = ObjectPrompt(points=tuple(points), points_outside=tuple(points_outside), box=box)
        mask: NDArray[np.float32]
        if text is None:
            mask = self.tracker.masks(frame, [prompt])[0]
        elif prompt != ObjectPrompt():
            raise RequestError("text", "given together with points or a box", hint="one of both")
        else:
            mask = self.finder.masks(frame, text)[0].max(axis=0)
        if not mask.any():
            raise RequestError(
                "text" if text else "points",
                "the model finds no object there",
                hint="another point, or --box",
            )
        return mask

    def mattes(self, frames: Iterable[Frames], key_masks: Mapping[int, Mask]) -> Iterator[Alpha]:
        """The masks that follow from key masks as alpha, with hard edges; see `Matter`."""
        for mask in self.tracker.follow_masks(frames, key_masks):
            yield mask[None, :, :, None]

    @cached_property
    def tracker(self) -> Tracker:
        """The network that follows objects marked by points, boxes and masks."""
        if self.kind == SAM2:
            from transformers.models.sam2_video import modeling_sam2_video as sam2

            model = self._load(sam2.Sam2VideoModel)
            return Tracker(model, sam2.Sam2VideoInferenceSession, self._preprocessing(model, SAM2_COLOURS))
        from transformers.models.sam3_tracker_video import modeling_sam3_tracker_video as sam3

        model = self._load(sam3.Sam3TrackerVideoModel)
        session = sam3.Sam3TrackerVideoInferenceSession
        return Tracker(model, session, self._preprocessing(model, SAM3_COLOURS))

    @cached_property
    def finder(self) -> TextFinder:
        """The network that finds objects by words.

        Raises:
            RequestError: SAM 2 does not read words.
        """
        if not self.reads_text:
            raise RequestError(
                "text", "SAM 2 takes points and boxes only", hint="SAM 3, or --point X,Y or --box X0,Y0,X1,Y1"
            )
        from transformers import CLIPTokenizer
        from transformers.models.sam3_video import modeling_sam3_video as sam3

        model = self._load(sam3.Sam3VideoModel)
        with load_errors(self.folder):
            tokenizer = from_pretrained(CLIPTokenizer, self.folder)
        preprocessing = self._preprocessing(model, SAM3_COLOURS)
        return TextFinder(model, sam3.Sam3VideoInferenceSession, tokenizer, preprocessing)

    def _load(self, kind: Any) -> Any:
        return load_transformers_model(kind, self.folder, self._dtype, self._device)

    @staticmethod
    def _preprocessing(model: Any, colours: tuple[tuple[float, float, float], ...]) -> Preprocessing:
        mean, deviation = colours
        return Preprocessing(model.config.image_size, mean, deviation)
