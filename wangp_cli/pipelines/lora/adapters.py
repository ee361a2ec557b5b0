"""Activate LoRAs on a pipeline's networks, set their scales at each step, and remove them."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import LoadedLora
from wangp_cli.pipelines.lora import read_file
from wangp_cli.pipelines.lora.delta import AppliedChange
from wangp_cli.tasks.lora_strength import Strength

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wangp_cli.pipelines.base import Lora
    from wangp_cli.pipelines.lora.read_file import LoraFile
    from wangp_cli.tasks.lora_strength import Moment

log = logging.getLogger(__name__)
Identity = tuple[str, int, int]


@dataclass(eq=False)
class _ActiveLora:
    """An active LoRA and its scale at the current step."""

    identity: Identity
    content: LoraFile
    strength: Strength
    scale: float = 0.0


class LoraAdapters:
    """LoRAs on networks whose own weights stay unchanged.

    Low-rank factors are applied by forward hooks, from a layer's input. A parameter for which a file has a
    full difference is replaced by a changed copy while the LoRA is active.

    Args:
        networks: diffusers models of one architecture: the experts of one model.
        device: where they compute.
        dtype: dtype in which factors compute.
        onloaded: a context in which the weights of its arguments are on the device; None if they always are.
        template: a network with the same layers and shapes; by default the first of `networks`.
    """

    def __init__(
        self,
        networks: Sequence[Any],
        device: str,
        dtype: torch.dtype,
        onloaded: Callable[..., AbstractContextManager[None]] | None = None,
        template: Any = None,
    ) -> None:
        self._networks = networks
        self._template = networks[0] if template is None else template
        self._onloaded = onloaded
        self._device, self._dtype = device, dtype
        self._active: list[_ActiveLora] = []
        self._undo: list[Callable[[], None]] = []
        self._replaced: list[_ReplacedParameter] = []

    def set_loras(self, loras: Sequence[Lora]) -> list[LoadedLora]:
        """Activate exactly these LoRAs; files that are active already are not read again.

        Returns:
            the LoRAs whose files were read.

        Raises:
            ModelError: a file is missing or broken, or does not fit; the active LoRAs do not change.
        """
        contents = {active.identity: active.content for active in self._active}
        read: list[LoadedLora] = []
        for lora in loras:
            if (identity := _identity(lora.path)) not in contents:
                content = read_file.read(lora.path, self._template)
                self._check_replaceable(lora.path, content)
                contents[identity] = content.to(self._device, self._dtype)
                loaded = LoadedLora(path=lora.path, layers=content.layers, left_out=len(content.left_out))
                log.info(
                    "read LoRA %s: %d layers, %d keys left out", loaded.path, loaded.layers, loaded.left_out
                )
                read.append(loaded)
        identities = [_identity(lora.path) for lora in loras]
        if identities != [active.identity for active in self._active]:
            self.remove_all()
            self._active = [_ActiveLora(identity, contents[identity], Strength()) for identity in identities]
            with self._weights_on_device(needed=any(active.content.reads_weights for active in self._active)):
                self._attach()
        for active, lora in zip(self._active, loras, strict=True):
            active.strength = lora.strength
        return read

    def set_step(self, step: Moment) -> None:
        """Set the scales of the LoRAs for a step."""
        before = [active.scale for active in self._active]
        for active in self._active:
            active.scale = active.strength.at(step)
        if before != [active.scale for active in self._active]:
            with self._weights_on_device(needed=bool(self._replaced)):
                for replaced in self._replaced:
                    replaced.update()

    def remove_all(self) -> None:
        """Remove all LoRAs from the networks."""
        with self._weights_on_device(needed=bool(self._replaced)):
            for undo in self._undo:
                undo()
        self._undo, self._replaced, self._active = [], [], []

    def _check_replaceable(self, path: Path, content: LoraFile) -> None:
        """Raise if a file has a full difference of a quantised parameter."""
        for name in content.differences:
            if not self._networks[0].get_parameter(name).is_floating_point():
                raise ModelError(
                    f"LoRA {path.name} replaces {name}, which is quantised to 8 bits",
                    hint="--transformer-quantization none",
                )

    def _weights_on_device(self, *, needed: bool) -> AbstractContextManager[None]:
        return self._onloaded(*self._networks) if needed and self._onloaded else nullcontext()

    def _attach(self) -> None:
        """Add a hook to each layer with factors, and replace each parameter with a full difference."""
        for network in self._networks:
            terms: dict[str, list[tuple[_ActiveLora, AppliedChange]]] = defaultdict(list)
            differences: dict[str, list[tuple[_ActiveLora, torch.Tensor]]] = defaultdict(list)
            for active in self._active:
                for name, change in active.content.changes.items():
                    terms[name].append((active, AppliedChange(change, network.get_submodule(name))))
                for name, difference in active.content.differences.items():
                    differences[name].append((active, difference))
            for name, added in terms.items():
                hook = network.get_submodule(name).register_forward_hook(
                    # Prepended, so that it runs before a hook that offloads the layer's weight.
                    _delta_hook(added, self._dtype),
                    prepend=True,
                )
                self._undo.append(hook.remove)
            for name, by_lora in differences.items():
                replaced = _ReplacedParameter(network, name, by_lora, self._device)
                self._replaced.append(replaced)
                self._undo.append(replaced.undo)


def _delta_hook(
    terms: Sequence[tuple[_ActiveLora, AppliedChange]], dtype: torch.dtype
) -> Callable[..., torch.Tensor]:
    """A forward hook that adds the scaled changes of LoRAs to a layer's output."""

    def add(_layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        result = output
        for active, term in terms:
            if active.scale:
                result = result + term(inputs[0].to(dtype), output, active.scale)
        return result.to(output.dtype)

    return add


class _ReplacedParameter:
    """A parameter of a network, replaced by a copy to which the differences of LoRAs are added."""

    def __init__(
        self, network: Any, name: str, differences: Sequence[tuple[_ActiveLora, torch.Tensor]], device: str
    ) -> None:
        owner, _, self._name = name.rpartition(".")
        self._owner = network.get_submodule(owner)
        self._own: torch.nn.Parameter = getattr(self._owner, self._name)
        self._copy = torch.nn.Parameter(self._own.detach().to(device, copy=True), requires_grad=False)
        self._differences = differences
        setattr(self._owner, self._name, self._copy)

    def update(self) -> None:
        """Recompute the copy for the current scales."""
        value = self._own.detach().to(self._copy.device, torch.float32, copy=True)
        for active, difference in self._differences:
            value.add_(difference, alpha=active.scale)
        self._copy.data.copy_(value)

    def undo(self) -> None:
        """Restore the network's own parameter."""
        setattr(self._owner, self._name, self._own)


def _identity(path: Path) -> Identity:
    """Path, size and time of a file, which tell whether it has changed."""
    try:
        facts = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def check(loras: Sequence[Lora], template: Any) -> None:
    """Raise if a LoRA file is missing, broken or does not fit.

    Args:
        loras: the files.
        template: a network with the layers and shapes of the model, possibly on the meta device.

    Raises:
        ModelError: names the file and the keys that do not fit.
    """
    for lora in loras:
        read_file.read(lora.path, template)
