"""Tiny networks in the ONNX format with the inputs and outputs of those of DWPose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper, save
from onnx.checker import check_model

from wangp_cli.pipelines.auxiliary.dwpose import CELLS, HEIGHT, WIDTH

PEOPLE_CELLS = ((0, (0.5, 0.5)), (40 * 80 + 60, (0.5, 0.5)))
"""Cells of the finest grid that find somebody, and the offset of the centre."""
LOG_SIDE = float(np.log(20))
"""Of every box: 20 cells of 8 pixels."""


def write_detector(path: Path) -> Path:
    """A detector that finds people in the cells `PEOPLE_CELLS` if a pixel is brighter than the padding."""
    cells = np.zeros((1, CELLS, 85), np.float32)
    for cell, offset in PEOPLE_CELLS:
        cells[0, cell, :4] = (*offset, LOG_SIDE, LOG_SIDE)
        cells[0, cell, 4:6] = 1
    return _write(
        path,
        [
            helper.make_node("ReduceMax", ["pixels"], ["brightest"], keepdims=0),
            helper.make_node("Sub", ["brightest", "padding"], ["above"]),
            helper.make_node("Clip", ["above", "zero", "one"], ["seen"]),
            helper.make_node("Mul", ["cells", "seen"], ["boxes"]),
        ],
        (1, 3, 640, 640),
        {"boxes": cells.shape},
        {"cells": cells, "padding": np.float32(114), "zero": np.float32(0), "one": np.float32(1)},
    )


def write_estimator(path: Path) -> Path:
    """A pose network whose keypoints are all in the brightest column and the brightest row."""
    across, down = np.zeros((WIDTH, 2 * WIDTH), np.float32), np.zeros((HEIGHT, 2 * HEIGHT), np.float32)
    across[np.arange(WIDTH), 2 * np.arange(WIDTH)] = down[np.arange(HEIGHT), 2 * np.arange(HEIGHT)] = 1
    nodes = []
    for axis, name, sides in (("rows", "x", "across"), ("columns", "y", "down")):
        nodes += [
            helper.make_node("ReduceMax", ["pixels", f"{axis}_axes"], [f"{name}_bright"], keepdims=0),
            helper.make_node("MatMul", [f"{name}_bright", sides], [f"{name}_cells"]),
            helper.make_node("Unsqueeze", [f"{name}_cells", "one_axis"], [f"{name}_one"]),
            helper.make_node("Expand", [f"{name}_one", f"{name}_shape"], [f"simcc_{name}"]),
        ]
    return _write(
        path,
        nodes,
        (1, 3, HEIGHT, WIDTH),
        {"simcc_x": (1, 133, 2 * WIDTH), "simcc_y": (1, 133, 2 * HEIGHT)},
        {
            "across": across,
            "down": down,
            "rows_axes": np.array([1, 2]),
            "columns_axes": np.array([1, 3]),
            "one_axis": np.array([1]),
            "x_shape": np.array([1, 133, 2 * WIDTH]),
            "y_shape": np.array([1, 133, 2 * HEIGHT]),
        },
    )


def _write(
    path: Path,
    nodes: list[object],
    pixels: tuple[int, ...],
    outputs: dict[str, tuple[int, ...]],
    constants: dict[str, np.ndarray | np.generic],
) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, pixels)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    check_model(model)
    save(model, path)
    return path
