"""Choose the device, dtypes and memory options of a task."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import ResourceError
from wangp_cli.pipelines.base import Placement
from wangp_cli.pipelines.memory.cpu_dtypes import is_slow

if TYPE_CHECKING:
    from wangp_cli.tasks.runtime import Compute, Dtype, Runtime

log = logging.getLogger(__name__)


def choose_device(task: Compute) -> tuple[str, Dtype]:
    """The device and the dtype of a task, with `auto` replaced by the best of this machine.

    Raises:
        ResourceError: the device does not exist.
    """
    device = best_device() if task.device == "auto" else task.device
    _check(device)
    wanted = best_dtype(device) if task.dtype == "auto" else task.dtype
    return device, _dtype(wanted, device, free=task.device == "auto")


def choose(task: Runtime) -> Placement:
    """The placement of a task, with `auto` values replaced by the best ones of this machine.

    The profile stays `auto` until the model is loaded: it depends on its size and on free memory.

    Raises:
        ResourceError: the device does not exist.
    """
    device = best_device() if task.device == "auto" else task.device
    _check(device)
    free = task.device == "auto" and not task.exact
    return Placement(
        device=device,
        dtype=_dtype(best_dtype(device) if task.dtype == "auto" else task.dtype, device, free=free),
        mixed_precision=task.mixed_precision,
        vae_dtype=_dtype(task.vae_dtype, device, free=free),
        transformer_quantization=task.transformer_quantization,
        text_encoder_quantization=task.text_encoder_quantization,
        profile=task.profile,
        preload=task.preload,
        compile=task.compile,
        attention="native" if task.attention == "auto" else task.attention,
        vae_tiling=task.vae_tiling,
        boost=task.boost,
        cache=task.cache,
        exact=task.exact,
    )


def _dtype(wanted: Dtype, device: str, *, free: bool) -> Dtype:
    """The wanted dtype, or float32 if it is slow on the CPU that `auto` stands for, where one is `free`.

    Most such tasks have float32 already: that the device is the CPU is usually known without torch.
    """
    if not free or device != "cpu" or not is_slow(wanted):
        return wanted
    log.warning("this CPU has no instructions for %s: float32 takes its place", wanted)
    return "float32"


def best_device() -> str:
    """`cuda` or `mps` if this machine has such a device, else `cpu`."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def best_dtype(device: str) -> Dtype:
    """float32 on a CPU, bfloat16 on GPUs that support it, else float16."""
    if device == "cpu":
        return "float32"
    if device.startswith("cuda") and torch.cuda.get_device_capability(device)[0] < 8:
        return "float16"
    return "bfloat16"


def _check(device: str) -> None:
    kind, _, index = device.partition(":")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= count:
            devices = f"this machine has {count} CUDA devices" if count else "this torch finds no CUDA device"
            raise ResourceError(
                f"device: {device!r} is not there, {devices}", hint="--device cpu; see `wangp doctor`"
            )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ResourceError("device: 'mps' is not there", hint="--device cpu; see `wangp doctor`")
