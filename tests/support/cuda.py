# mypy: allow-untyped-decorators, allow-subclassing-any
"""A CUDA device without a GPU: it computes on the CPU, and refuses to mix devices as a GPU does.

Tensors that are sent to it say that they are on `cuda:0`. Streams, and so profile 2, are not simulated.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch._dynamo  # When it is imported it looks at functions of torch, which change below.
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

MEMORY = 80 << 30
CPU = torch.device("cpu")
GUARD = """
#include <c10/core/impl/DeviceGuardImplInterface.h>
using Guard = c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::CUDA>;
C10_REGISTER_GUARD_IMPL(CUDA, Guard)
"""
"""Lets a CPU build of torch change to the device and back, which does nothing."""
INDEXING = frozenset({"aten::index", "aten::index_put", "aten::index_put_"})
"""Operations on a tensor of the device that take indices on the CPU."""


class OnDevice(torch.Tensor):
    """A tensor on the simulated device; its values are in `inner`, on the CPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OnDevice:
        """Put numbers on the device, without a copy."""
        made: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="cuda:0",
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute."""
        return compute(function, args, kwargs or {})


class Dispatch(TorchDispatchMode):
    """Intercepts operations that create tensors as well."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute."""
        return compute(function, args, kwargs or {})


class Data(TorchFunctionMode):
    """Lets `tensor.data` go to another device: its place is taken by a tensor of that."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call, unless it is about `data`."""
        if getattr(function, "__self__", None) is torch.Tensor.data and any(
            isinstance(given, OnDevice) for given in args
        ):
            if function.__name__ == "__get__":
                return args[0].detach()
            tensor, data = args
            of_network = isinstance(tensor, torch.nn.Parameter)
            data = data.detach()
            torch.utils.swap_tensors(tensor, torch.nn.Parameter(data, False) if of_network else data)
            return None
        return function(*args, **(kwargs or {}))


def compute(function: Any, args: Any, kwargs: Any) -> Any:
    """Call a torch operation on the CPU; the result is on the device where a GPU would put it."""
    name, given = function._schema.name, tree_leaves((args, kwargs))
    tensors = [leaf for leaf in given if isinstance(leaf, torch.Tensor)]
    here = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
    others = [tensor for tensor in tensors if tensor.dim() and not isinstance(tensor, OnDevice)]
    wanted = next((leaf for leaf in given if isinstance(leaf, torch.device)), None)
    may_mix = name == "aten::copy_" or (name in INDEXING and isinstance(args[0], OnDevice))
    if here and others and not may_mix:
        raise RuntimeError(f"{name}: tensors on cuda:0 and on cpu: {[tuple(each.shape) for each in others]}")
    goes = bool(here) if wanted is None else wanted.type == "cuda"
    if goes and kwargs.get("generator") is not None:
        raise RuntimeError(f"{name}: a generator of the CPU for a tensor on cuda:0")
    with _disable_current_modes():
        made = function(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if function._schema.is_mutable:
        changed = {id(_inner(tensor)): tensor for tensor in tensors}
        return tree_map(lambda each: changed.get(id(each), each), made)
    return tree_map(lambda each: OnDevice(each) if goes and isinstance(each, torch.Tensor) else each, made)


def _inner(leaf: Any) -> Any:
    if isinstance(leaf, OnDevice):
        return leaf.inner
    return CPU if isinstance(leaf, torch.device) and leaf.type == "cuda" else leaf


@cache
def _lay_guard() -> None:
    if torch.version.cuda:
        torch._C._ensureCUDADeviceGuardSet()
        return
    compiler = shutil.which("g++")
    if compiler is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no g++")
    torch_folder = Path(torch.__file__).parent
    with TemporaryDirectory() as folder:
        source, library = Path(folder) / "guard.cpp", Path(folder) / "guard.so"
        source.write_text(GUARD, encoding="utf-8")
        places = [f"-I{torch_folder}/include", f"-L{torch_folder}/lib", "-lc10"]
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-std=c++20", source, *places, "-o", library], check=True
        )
        ctypes.CDLL(str(library))


@contextmanager
def simulated() -> Iterator[None]:
    """A context with a simulated `cuda` device and without gradients."""
    if torch.cuda.is_available():
        pytest.skip("there is a real one")
    _lay_guard()
    shallow = torch._has_compatible_shallow_copy_type

    def compatible(tensor: torch.Tensor, other: torch.Tensor) -> bool:
        return not isinstance(tensor, OnDevice) and not isinstance(other, OnDevice) and shallow(tensor, other)

    answers: dict[str, Any] = {
        "torch.cuda._lazy_init": lambda: None,
        "torch.cuda.is_available": lambda: True,
        "torch.cuda.device_count": lambda: 1,
        "torch.cuda.current_device": lambda: 0,
        "torch.cuda.get_device_capability": lambda *_: (9, 0),
        "torch.cuda.mem_get_info": lambda *_: (MEMORY, MEMORY),
        "torch.cuda.empty_cache": lambda: None,
        "torch.cuda.synchronize": lambda *_: None,
        "torch._has_compatible_shallow_copy_type": compatible,
        # Views of inference tensors cannot be wrapped.
        "torch.inference_mode": lambda *_: torch.no_grad(),
    }
    with ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(patch(name, answer))
        # `torch.tensor` makes a tensor of the CPU and sends it, which is seen; otherwise it asks the device.
        stack.callback(torch._C._set_only_lift_cpu_tensors, torch._C._only_lift_cpu_tensors())
        torch._C._set_only_lift_cpu_tensors(True)
        stack.enter_context(torch.no_grad())
        stack.enter_context(Dispatch())
        stack.enter_context(Data())
        yield
