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
    from wangp_cli.pipelines.lora.match import LoraChanges
    from wangp_cli.tasks.lora_strength import Moment

log = logging.getLogger(__name__)
Identity = tuple[str, int, int]


@dataclass(eq=False)
class _ActiveLora:
    """An active LoRA, its changes of each network, and its scale at the current step."""

    identity: Identity
    contents: tuple[LoraChanges, ...]
    strength: Strength
    scale: float = 0.0


class LoraAdapters:
    """LoRAs on networks whose own weights stay unchanged.

    Low-rank factors are applied by forward hooks, from a layer's input. A parameter that a file changes as
    a whole is replaced by a changed copy while the LoRA is active.

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
        contents = {active.identity: active.contents for active in self._active}
        read: list[LoadedLora] = []
        for lora in loras:
            if (identity := _identity(lora.path)) not in contents:
                halves = read_file.read(lora.path, self._template, len(self._networks))
                self._check_replaceable(lora.path, halves)
                moved = {id(half): half.to(self._device, self._dtype) for half in halves}
                contents[identity] = tuple(moved[id(half)] for half in halves)
                left_out = {key for half in halves for key in half.left_out}
                loaded = LoadedLora(
                    path=lora.path, layers=read_file.layers_of(halves), left_out=len(left_out)
                )
                log.info(
                    "read LoRA %s: %d layers, %d keys left out", loaded.path, loaded.layers, loaded.left_out
                )
                read.append(loaded)
        identities = [_identity(lora.path) for lora in loras]
        if identities != [active.identity for active in self._active]:
            self.remove_all()
            self._active = [_ActiveLora(identity, contents[identity], Strength()) for identity in identities]
            changes = [each for active in self._active for each in active.contents]
            with self._weights_on_device(needed=any(each.reads_weights for each in changes)):
                for number, network in enumerate(self._networks):
                    self._attach(network, number)
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

    def _check_replaceable(self, path: Path, halves: Sequence[LoraChanges]) -> None:
        """Raise if a file changes a whole parameter that is quantised."""
        for name in (name for half in halves for name in half.parameters):
            if not self._networks[0].get_parameter(name).is_floating_point():
                raise ModelError(
                    f"LoRA {path.name} replaces {name}, which is quantised to 8 bits",
                    hint="--transformer-quantization none",
                )

    def _weights_on_device(self, *, needed: bool) -> AbstractContextManager[None]:
        return self._onloaded(*self._networks) if needed and self._onloaded else nullcontext()

    def _attach(self, network: Any, number: int) -> None:
        """Add a hook to each layer with factors, and replace each parameter that is changed as a whole."""
        terms: dict[str, list[tuple[_ActiveLora, AppliedChange]]] = defaultdict(list)
        whole: dict[str, list[_WholeChange]] = defaultdict(list)
        for active in self._active:
            content = active.contents[number]
            for name, change in content.changes.items():
                terms[name].append((active, AppliedChange(change, network.get_submodule(name))))
            for name, difference in content.differences.items():
                whole[name].append(_WholeChange(active, difference))
            for name, value in content.replacements.items():
                own = network.get_parameter(name).detach()
                whole[name].append(_WholeChange(active, value - own.to(value)))
        for name, added in terms.items():
            hook = network.get_submodule(name).register_forward_hook(
                # Prepended, so that it runs before a hook that offloads the layer's weight.
                _delta_hook(added, self._dtype),
                prepend=True,
            )
            self._undo.append(hook.remove)
        for name, changes in whole.items():
            replaced = _ReplacedParameter(network, name, changes, self._device)
            self._replaced.append(replaced)
            self._undo.append(replaced.undo)


@dataclass(frozen=True, eq=False)
class _WholeChange:
    """What a LoRA adds to a parameter at strength 1."""

    lora: _ActiveLora
    difference: torch.Tensor


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

    def __init__(self, network: Any, name: str, changes: Sequence[_WholeChange], device: str) -> None:
        owner, _, self._name = name.rpartition(".")
        self._owner = network.get_submodule(owner)
        self._own: torch.nn.Parameter = getattr(self._owner, self._name)
        self._copy = torch.nn.Parameter(self._own.detach().to(device, copy=True), requires_grad=False)
        self._changes = changes
        setattr(self._owner, self._name, self._copy)

    def update(self) -> None:
        """Recompute the copy for the current scales."""
        value = self._own.detach().to(self._copy.device, torch.float32, copy=True)
        for change in self._changes:
            value.add_(change.difference, alpha=change.lora.scale)
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


def check(loras: Sequence[Lora], template: Any, experts: int = 1) -> None:
    """Raise if a LoRA file is missing, broken or does not fit.

    Args:
        loras: the files.
        template: a network with the layers and shapes of the model, possibly on the meta device.
        experts: number of transformers of the model.

    Raises:
        ModelError: names the file and the keys that do not fit.
    """
    for lora in loras:
        read_file.read(lora.path, template, experts)
