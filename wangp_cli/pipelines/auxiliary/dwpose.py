"""DWPose: a detector of people and a network for their keypoints, both in the ONNX format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wangp_cli.errors import ModelError, first_line
from wangp_cli.media.clip import Frames
from wangp_cli.preprocess.pose.boxes import SIDE, STRIDES, letterbox, people_boxes
from wangp_cli.preprocess.pose.keypoints import CELLS_PER_PIXEL, Crop, People, decode_simcc, to_openpose

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.tasks.runtime import Dtype


class Interface(NamedTuple):
    """What a network takes and gives.

    Args:
        name: of the network, for messages.
        pixels: shape of its input.
        outputs: shapes of its outputs.
    """

    name: str
    pixels: tuple[int, ...]
    outputs: tuple[tuple[int, ...], ...]


CELLS = sum((SIDE // stride) ** 2 for stride in STRIDES)
DETECTOR = Interface("YOLOX detector of COCO's classes", (1, 3, SIDE, SIDE), ((1, CELLS, 85),))
WIDTH, HEIGHT = 288, 384
ESTIMATOR = Interface(
    "whole-body pose network of DWPose",
    (1, 3, HEIGHT, WIDTH),
    ((1, 133, CELLS_PER_PIXEL * WIDTH), (1, 133, CELLS_PER_PIXEL * HEIGHT)),
)


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> DwPose:
    """Load both networks: the file of the model finds keypoints, its module `detector` finds people.

    Raises:
        ModelError: onnxruntime is not installed, or a file is broken or of another network.
    """
    files = dict(weights.files)
    if "detector" not in files:
        raise ModelError(f"model {spec.name!r} names no detector", hint="modules: {detector: FILE}")
    [estimator], [detector] = files["transformer"], files["detector"]
    return DwPose(_session(detector, device, DETECTOR), _session(estimator, device, ESTIMATOR))


class DwPose:
    """Finds people and their keypoints; a `PoseNetwork`.

    Args:
        detector: session of `DETECTOR`.
        estimator: session of `ESTIMATOR`.
    """

    def __init__(self, detector: Any, estimator: Any) -> None:
        self._detector, self._estimator = detector, estimator

    def people(self, frame: Frames) -> People:
        """The people in an RGB frame `[H, W, 3]`, the surest first."""
        height, width = frame.shape[:2]
        pixels, scale = letterbox(frame)
        [cells] = _run(self._detector, pixels)
        crops = [Crop.around(box, (WIDTH, HEIGHT)) for box in people_boxes(cells, scale, (width, height))]
        found = []
        for crop in crops:
            across, down = _run(self._estimator, crop.pixels(frame)[None])
            points = decode_simcc(across, down)
            points[..., :2] = crop.to_frame(points[..., :2])
            found.append(points)
        return to_openpose(np.concatenate(found))


def _session(file: Path, device: str, wanted: Interface) -> Any:
    """A session of a file that holds the network `wanted`."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("onnxruntime is not installed", hint="pip install 'wangp-cli[onnx]'") from None
    on_device = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    providers = [name for name in on_device if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(file), providers=[*providers, "CPUExecutionProvider"])
    except Exception as error:
        # Its errors have no base class of their own.
        raise ModelError(f"{file} is no network in the ONNX format: {first_line(error)}") from error
    shapes = [
        [tuple(one.shape) for one in values] for values in (session.get_inputs(), session.get_outputs())
    ]
    if not _fit(shapes[0], [wanted.pixels]) or not _fit(shapes[1], wanted.outputs):
        raise ModelError(f"{file} is no {wanted.name}: it makes {shapes[1]} of {shapes[0]}")
    return session


def _fit(shapes: Sequence[tuple[Any, ...]], wanted: Sequence[tuple[int, ...]]) -> bool:
    """Whether shapes are those wanted; sides that a file leaves open have names."""
    return [len(shape) for shape in shapes] == [len(shape) for shape in wanted] and all(
        side == other or not isinstance(side, int)
        for shape, right in zip(shapes, wanted, strict=True)
        for side, other in zip(shape, right, strict=True)
    )


def _run(session: Any, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    outputs: list[NDArray[np.float32]] = session.run(None, {session.get_inputs()[0].name: pixels})
    return outputs
