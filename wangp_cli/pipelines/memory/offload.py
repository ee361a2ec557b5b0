"""Offload weights to main memory or disk, and load them to the device when a module is called."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import send_to_device
from diffusers.hooks import apply_group_offloading
from diffusers.hooks._common import _GO_LC_SUPPORTED_PYTORCH_LAYERS as LEAVES
from safetensors.torch import load_file, save_file

from wangp_cli.pipelines.memory.meter import weight_bytes
from wangp_cli.pipelines.memory.profiles import Offload, offload

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.pipelines.base import Placement

MEGABYTE = 1_000_000
FILE = "weights.safetensors"


class WeightOffloader:
    """Offloads the weights of large networks as a profile defines; networks may be added and freed.

    Args:
        placement: device, profile, preload and work folder; the profile is not `auto`.
        how: replaces the offloading of the profile.
    """

    def __init__(self, placement: Placement, how: Offload | None = None) -> None:
        self._placement = placement
        self._how = how or offload(placement.profile, placement.device)
        self._whole_network_hooks: weakref.WeakSet[_OffloadHook] = weakref.WeakSet()
        self._hooks: weakref.WeakKeyDictionary[Any, list[_OffloadHook]] = weakref.WeakKeyDictionary()

    @property
    def first_device(self) -> str:
        """Device to load the weights of a large network to before `add`."""
        offloaded = self._how.turns or self._how.groups != "none"
        return "cpu" if offloaded else self._placement.device

    @property
    def on_disk(self) -> bool:
        """Whether weights are offloaded to the disk."""
        return self._how.disk

    def add(self, network: Any) -> None:
        """Offload a network that is on `first_device`; its weights are loaded when it is called."""
        how, device = self._how, self._placement.device
        folder = self._folder(network) if how.disk else None
        if how.turns:
            self.offload_all()
            hook = _OffloadHook(network, device, folder, stays_onloaded=True, before_onload=self.offload_all)
            self._whole_network_hooks.add(hook)
            self._hooks[network] = [hook]
            hook.offload()
            if how.disk:
                _trim_heap()
        elif how.groups != "none" and how.pinned and device.startswith("cuda"):
            self._stream(network)
        elif how.groups != "none":
            self._offload_groups(network, folder)

    def offload_all(self) -> None:
        """Offload every network that is offloaded as a whole, to free the device's memory."""
        for hook in list(self._whole_network_hooks):
            hook.offload()

    @contextmanager
    def onloaded(self, *networks: Any) -> Iterator[None]:
        """A context in which all weights of these networks are on the device, so that they can be changed."""
        hooks = [hook for network in networks for hook in self._hooks.get(network, ())]
        self.offload_all()
        for hook in hooks:
            hook.onload()
        try:
            yield
        finally:
            for hook in hooks:
                hook.offload(changed=True)

    def offload_all_before(self, network: Any) -> None:
        """Call `offload_all` before each call of a network that itself stays on the device."""
        if self._how.turns:
            network.register_forward_pre_hook(lambda *_: self.offload_all())

    def _stream(self, network: Any) -> None:
        """Offload groups of blocks to pinned memory; a CUDA stream loads the next group during a call."""
        blocks = self._how.blocks
        if self._placement.preload:
            largest = max((weight_bytes(block) for block in blocks_of(network)), default=1)
            blocks = max(1, self._placement.preload * MEGABYTE // largest)
        apply_group_offloading(
            network,
            onload_device=torch.device(self._placement.device),
            offload_device=torch.device("cpu"),
            offload_type="block_level",
            num_blocks_per_group=blocks,
            use_stream=True,
            record_stream=True,
        )

    def _offload_groups(self, network: Any, folder: Path | None) -> None:
        """Offload every block or layer except during its own call.

        The first ones, up to `preload` megabytes, and weights outside of blocks or layers stay on the device.
        """
        device, preload = self._placement.device, self._placement.preload * MEGABYTE
        _merge_tied(network)
        groups = list(blocks_of(network) if self._how.groups == "block" else leaves_of(network))
        for number, group in enumerate(groups):
            if (size := weight_bytes(group)) <= preload:
                preload -= size
                continue
            group_folder = folder / str(number) if folder else None
            if group_folder:
                group_folder.mkdir()
            hook = _OffloadHook(group, device, group_folder, stays_onloaded=False)
            self._hooks.setdefault(network, []).append(hook)
            hook.offload()
        for tensor in _tensors(network).values():
            if tensor.numel():
                # Resident weights are copied because their file may be memory-mapped.
                tensor.data = tensor.data.to(device, copy=self._how.disk)
        if self._how.disk:
            _trim_heap()

    def _folder(self, network: Any) -> Path:
        """A new folder for the weights of a network; it is deleted when the network is garbage-collected."""
        parent = self._placement.work_dir
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="weights-", dir=parent))
        weakref.finalize(network, shutil.rmtree, folder, ignore_errors=True)
        return folder


def blocks_of(network: Any) -> Iterator[Any]:
    """The repeated blocks of a network: the members of its outermost `ModuleList`s."""
    for child in network.children():
        if isinstance(child, torch.nn.ModuleList):
            yield from child
        else:
            yield from blocks_of(child)


def leaves_of(network: Any) -> Iterator[Any]:
    """The layers of a network that diffusers offloads at leaf level and that have weights."""
    return (module for module in network.modules() if isinstance(module, LEAVES) and weight_bytes(module))


class _OffloadHook:
    """Loads the weights of a module to the device before its call, and offloads them.

    Args:
        module: a module with weights on any device.
        device: where it computes.
        folder: folder for offloaded weights; None offloads to main memory.
        stays_onloaded: keep the weights on the device after a call until `offload`.
        before_onload: called before the weights are loaded for a call.
    """

    def __init__(
        self,
        module: Any,
        device: str,
        folder: Path | None,
        *,
        stays_onloaded: bool,
        before_onload: Callable[[], None] | None = None,
    ) -> None:
        self._module = weakref.ref(module)
        self._device = device
        self._file = folder / FILE if folder else None
        self._before_onload = before_onload
        self._on_device = True
        self._offloaded: dict[str, torch.Tensor] = {}
        self._saved_owners: dict[str, int] = {}
        module.register_forward_pre_hook(self._pre_forward, with_kwargs=True)
        if not stays_onloaded:
            module.register_forward_hook(lambda *_: self.offload(), always_call=True)

    def offload(self, *, changed: bool = False) -> None:
        """Offload the weights.

        Args:
            changed: their values have changed since `onload`, so that they must be saved again.
        """
        if not self._on_device:
            return
        self._on_device = False
        tensors = _tensors(self._module())
        owners = {name: id(tensor) for name, tensor in tensors.items()}
        if changed or self._saved_owners != owners:
            self._save({name: tensor.data.to("cpu").contiguous() for name, tensor in tensors.items()})
            self._saved_owners = owners
        for name, tensor in tensors.items():
            tensor.data = torch.empty(0, dtype=tensor.dtype) if self._file else self._offloaded[name]

    def _save(self, weights: dict[str, torch.Tensor]) -> None:
        if self._file is None:
            self._offloaded = weights
        else:
            # A new file, because weights may still be memory-mapped from the old one.
            self._file.unlink(missing_ok=True)
            save_file(weights, self._file)

    def onload(self) -> None:
        """Load the weights to the device."""
        if self._on_device:
            return
        offloaded = load_file(self._file) if self._file else self._offloaded
        for name, tensor in _tensors(self._module()).items():
            if name not in offloaded:
                tensor.data = tensor.data.to(self._device)
            elif self._device == "cpu" and self._file:
                # Tensors in the memory-mapped file are misaligned, which slows kernels.
                tensor.data = offloaded[name].clone()
            else:
                tensor.data = offloaded[name].to(self._device)
        self._on_device = True

    def _pre_forward(self, _module: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if self._before_onload and not self._on_device:
            self._before_onload()
        self.onload()
        return send_to_device(args, self._device), send_to_device(kwargs, self._device)


def _trim_heap() -> None:
    """Return freed memory to the system, which glibc would keep."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _tensors(module: Any) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name; a tied tensor only by its first name."""
    first: dict[int, str] = {}
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor for name, tensor in named if first.setdefault(id(tensor), name) == name}


def _merge_tied(network: Any) -> None:
    """Replace modules that share a weight by one module: two hooks would offload the weight of each other."""
    owners: dict[int, Any] = {}
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            weight = getattr(child, "weight", None)
            if isinstance(weight, torch.Tensor):
                first = owners.setdefault(id(weight), child)
                if first is not child and type(first) is type(child):
                    setattr(parent, name, first)
