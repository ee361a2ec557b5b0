"""Bringing weights to the device as they are needed."""

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

from wangp_cli.pipelines.memory.meter import weigh
from wangp_cli.pipelines.memory.profiles import Offload, offload

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.pipelines.base import Placement

MEGABYTE = 1_000_000
FILE = "weights.safetensors"


class WeightOffloader:
    """Offloads the weights of large networks as a profile defines; networks may be added and freed.

    Args:
        placement: with the profile that was chosen.
        how: what to do instead of what the profile says.
    """

    def __init__(self, placement: Placement, how: Offload | None = None) -> None:
        self._placement = placement
        self._how = how or offload(placement.profile, placement.device)
        self._whole_network_hooks: weakref.WeakSet[_OffloadHook] = weakref.WeakSet()
        self._hooks: weakref.WeakKeyDictionary[Any, list[_OffloadHook]] = weakref.WeakKeyDictionary()

    @property
    def first_device(self) -> str:
        """Device that a large network is loaded to."""
        waits = self._how.turns or self._how.groups != "none"
        return "cpu" if waits else self._placement.device

    @property
    def on_disk(self) -> bool:
        """Whether weights are offloaded to the disk."""
        return self._how.disk

    def add(self, network: Any) -> None:
        """Offload a network on `first_device`: from now on its weights are loaded when it is called."""
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
        """Offload all networks that take turns on the device, before something else needs its memory."""
        for hook in list(self._whole_network_hooks):
            hook.offload()

    @contextmanager
    def onloaded(self, *networks: Any) -> Iterator[None]:
        """A context in which all weights of these networks are on the device, to be changed."""
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
        """Do so whenever a network is called that stays on the device itself."""
        if self._how.turns:
            network.register_forward_pre_hook(lambda *_: self.offload_all())

    def _stream(self, network: Any) -> None:
        blocks = self._how.blocks
        if self._placement.preload:
            heaviest = max((weigh(block) for block in blocks_of(network)), default=1)
            blocks = max(1, self._placement.preload * MEGABYTE // heaviest)
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
        """Load every block or layer for its own call alone; the rest, and what `preload` allows, stays."""
        device, room = self._placement.device, self._placement.preload * MEGABYTE
        _merge_tied(network)
        groups = list(blocks_of(network) if self._how.groups == "block" else leaves_of(network))
        for number, group in enumerate(groups):
            if (weight := weigh(group)) <= room:
                room -= weight
                continue
            place = folder / str(number) if folder else None
            if place:
                place.mkdir()
            hook = _OffloadHook(group, device, place, stays_onloaded=False)
            self._hooks.setdefault(network, []).append(hook)
            hook.offload()
        for tensor in _tensors(network).values():
            if tensor.numel():
                # A copy of what stays on the device: its file may only be mapped.
                tensor.data = tensor.data.to(device, copy=self._how.disk)
        if self._how.disk:
            _trim_heap()

    def _folder(self, network: Any) -> Path:
        """A new folder on the disk, which goes when the network does."""
        parent = self._placement.work_dir
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="weights-", dir=parent))
        weakref.finalize(network, shutil.rmtree, folder, ignore_errors=True)
        return folder


def blocks_of(network: Any) -> Iterator[Any]:
    """The repeated blocks of a network: the members of its outermost lists of modules."""
    for child in network.children():
        if isinstance(child, torch.nn.ModuleList):
            yield from child
        else:
            yield from blocks_of(child)


def leaves_of(network: Any) -> Iterator[Any]:
    """The layers that hold a network's large weights."""
    return (module for module in network.modules() if isinstance(module, LEAVES) and weigh(module))


class _OffloadHook:
    """Loads a module's weights to the device for its call, and offloads them.

    Args:
        module: anywhere.
        device: where it computes.
        folder: where its weights wait on the disk; None lets them wait in main memory.
        stays: until it is sent away; else it leaves after each call.
        before: called before it comes for a call.
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
        """Go off the device.

        Args:
            changed: weights are others than when they came.
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
            # A mapping of the old file, if there is one, stays what it was.
            self._file.unlink(missing_ok=True)
            save_file(weights, self._file)

    def onload(self) -> None:
        """Come to the device."""
        if self._on_device:
            return
        offloaded = load_file(self._file) if self._file else self._offloaded
        for name, tensor in _tensors(self._module()).items():
            if name not in offloaded:
                tensor.data = tensor.data.to(self._device)
            elif self._device == "cpu" and self._file:
                # Out of the mapped file, whose tensors are not aligned as kernels like it.
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
    """Return freed memory to the system: the C library keeps it otherwise."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _tensors(module: Any) -> dict[str, torch.Tensor]:
    """Weights and buffers by name; one with two names has the first."""
    first: dict[int, str] = {}
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor for name, tensor in named if first.setdefault(id(tensor), name) == name}


def _merge_tied(network: Any) -> None:
    """Make modules one that share a weight: apart, each would send the other's weight away."""
    owners: dict[int, Any] = {}
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            weight = getattr(child, "weight", None)
            if isinstance(weight, torch.Tensor):
                first = owners.setdefault(id(weight), child)
                if first is not child and type(first) is type(child):
                    setattr(parent, name, first)
