"""ViTPose with an RT-DETR detector of people, from folders in the layout of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from wangp_cli.errors import ModelError
from wangp_cli.media.clip import Frames, as_uint8
from wangp_cli.pipelines.checkpoints.pretrained import load_transformers_model, model_type
from wangp_cli.preprocess.pose.boxes import LEAST_SCORE
from wangp_cli.preprocess.pose.keypoints import Crop, People, decode_heatmaps, to_openpose

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.tasks.runtime import Dtype

SIDE = 640
"""Width and height of the detector's input in pixels."""
COCO = 0
"""The expert of ViTPose+ for COCO's keypoints."""


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> VitPose:
    """Load both networks: the folder finds keypoints, the files of the module `detector` find people.

    Raises:
        ModelError: a folder holds another model, or its weights do not fit.
    """
    from transformers import RTDetrForObjectDetection, VitPoseForPoseEstimation

    files = dict(weights.files)
    if "detector" not in files:
        raise ModelError(f"model {spec.name!r} names no detector", hint="modules: {detector: [FILE, ...]}")
    networks = [
        _load(kind, name, folder, device, dtype)
        for kind, name, folder in (
            (RTDetrForObjectDetection, "rt_detr", files["detector"][0].parent),
            (VitPoseForPoseEstimation, "vitpose", weights.folder),
        )
    ]
    return VitPose(*networks)


def _load(kind: Any, wanted: str, folder: Path, device: str, dtype: Dtype) -> Any:
    if (found := model_type(folder)) != wanted:
        raise ModelError(f"{folder} holds a model of type {found}, {wanted} is wanted")
    return load_transformers_model(kind, folder, getattr(torch, dtype), device)


class VitPose:
    """Finds people and the keypoints of their bodies; a `PoseNetwork`.

    Args:
        detector: `RTDetrForObjectDetection` with a class `person`.
        estimator: `VitPoseForPoseEstimation` for the keypoints of COCO.
    """

    def __init__(self, detector: Any, estimator: Any) -> None:
        self._detector, self._estimator = detector, estimator
        labels = {str(name).lower(): index for index, name in detector.config.id2label.items()}
        self._person = labels.get("person", 0)
        height, width = estimator.config.backbone_config.image_size
        self._size = (width, height)

    def people(self, frame: Frames) -> People:
        """The people in an RGB frame `[H, W, 3]`, the surest first; the whole frame is one where none is."""
        crops = [Crop.around(box, self._size) for box in self._boxes(frame)]
        pixels = torch.from_numpy(np.stack([crop.pixels(frame) for crop in crops]))
        options = {}
        if self._estimator.config.backbone_config.num_experts > 1:
            options["dataset_index"] = torch.full((len(crops),), COCO, device=self._estimator.device)
        with torch.inference_mode():
            found = self._estimator(pixels.to(self._estimator.device, self._estimator.dtype), **options)
        points = decode_heatmaps(found.heatmaps.float().cpu().numpy(), self._size)
        for person, crop in zip(points, crops, strict=True):
            person[:, :2] = crop.to_frame(person[:, :2])
        return to_openpose(points)

    def _boxes(self, frame: Frames) -> NDArray[np.float32]:
        size = frame.shape[1], frame.shape[0]
        small = Image.fromarray(as_uint8(frame)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None] / 255
        with torch.inference_mode():
            found = self._detector(pixel_values=pixels.to(self._detector.device, self._detector.dtype))
        scores = found.logits[0, :, self._person].float().sigmoid().cpu().numpy()
        return sure_boxes(found.pred_boxes[0].float().cpu().numpy(), scores, size)


def sure_boxes(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float32]:
    """The boxes that are sure enough, the surest first; the whole frame if none is.

    Args:
        boxes: `[N, 4]`: centre, width and height as shares of the frame.
        scores: `[N]`.
        size: width and height of the frame in pixels.

    Returns:
        float32 `[M, 4]`: left, top, right, bottom in pixels.
    """
    order = [index for index in np.argsort(-scores, kind="stable") if scores[index] > LEAST_SCORE]
    if not order:
        return np.array([[0, 0, *size]], np.float32)
    centre, half = boxes[order, :2], boxes[order, 2:] / 2
    return np.asarray(np.concatenate([centre - half, centre + half], axis=1) * np.tile(size, 2), np.float32)
