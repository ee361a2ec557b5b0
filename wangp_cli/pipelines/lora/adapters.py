"""The LoRAs on a pipeline's networks: put on, weighed at each step, taken off."""

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
from wangp_cli.pipelines.lora.delta import Term
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
    """A LoRA on the networks, and how strong it is at the step that is made now."""

    identity: Identity
    content: LoraFile
    strength: Strength
    scale: float = 0.0


class LoraAdapters:
    """LoRAs on top of networks whose own weights they never touch.

    What factors add is computed beside a layer, from the layer's input. Parameters of which a file brings
    whole differences are replaced by changed copies for as long as the LoRA is on.

    Args:
        networks: diffusers models of one architecture: the experts of one model.
        device: where they compute.
        dtype: in which number format.
        onloaded: a context in which the weights of networks are there, wherever they wait.
        template: a network of the same shapes; the first of `networks` if not said.
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
        """Put on exactly these LoRAs; files that are on already are not read again.

        Returns:
            one for each file that was read.

        Raises:
            ModelError: a file is missing or broken, or does not fit; what was on before stays on.
        """
        known = {active.identity: active.content for active in self._active}
        read: list[LoadedLora] = []
        for lora in loras:
            if (identity := _identity(lora.path)) not in known:
                content = read_file.read(lora.path, self._template)
                self._check_replaceable(lora.path, content)
                known[identity] = content.to(self._device, self._dtype)
                loaded = LoadedLora(path=lora.path, layers=content.layers, left_out=len(content.left_out))
                log.info(
                    "read LoRA %s: %d layers, %d keys left out", loaded.path, loaded.layers, loaded.left_out
                )
                read.append(loaded)
        wanted = [_identity(lora.path) for lora in loras]
        if wanted != [active.identity for active in self._active]:
            self.remove_all()
            self._active = [_ActiveLora(identity, known[identity], Strength()) for identity in wanted]
            with self._weights_on_device(needed=any(active.content.reads_weights for active in self._active)):
                self._attach()
        for active, lora in zip(self._active, loras, strict=True):
            active.strength = lora.strength
        return read

    def set_step(self, step: Moment) -> None:
        """Weigh the LoRAs for a step of a run."""
        before = [active.scale for active in self._active]
        for active in self._active:
            active.scale = active.strength.at(step)
        if before != [active.scale for active in self._active]:
            with self._weights_on_device(needed=bool(self._replaced)):
                for replaced in self._replaced:
                    replaced.update()

    def remove_all(self) -> None:
        """Leave the networks as they were."""
        with self._weights_on_device(needed=bool(self._replaced)):
            for undo in self._undo:
                undo()
        self._undo, self._replaced, self._active = [], [], []

    def _check_replaceable(self, path: Path, content: LoraFile) -> None:
        for name in content.differences:
            if not self._networks[0].get_parameter(name).is_floating_point():
                raise ModelError(
                    f"LoRA {path.name} replaces {name}, which is kept in 8 bits",
                    hint="--transformer-quantization none",
                )

    def _weights_on_device(self, *, needed: bool) -> AbstractContextManager[None]:
        return self._onloaded(*self._networks) if needed and self._onloaded else nullcontext()

    def _attach(self) -> None:
        for network in self._networks:
            terms: dict[str, list[tuple[_ActiveLora, Term]]] = defaultdict(list)
            differences: dict[str, list[tuple[_ActiveLora, torch.Tensor]]] = defaultdict(list)
            for active in self._active:
                for name, change in active.content.changes.items():
                    terms[name].append((active, Term(change, network.get_submodule(name))))
                for name, difference in active.content.differences.items():
                    differences[name].append((active, difference))
            for name, added in terms.items():
                hook = network.get_submodule(name).register_forward_hook(
                    # Before a hook that sends the layer's weight away.
                    _delta_hook(added, self._dtype),
                    prepend=True,
                )
                self._undo.append(hook.remove)
            for name, added_whole in differences.items():
                replaced = _ReplacedParameter(network, name, added_whole, self._device)
                self._replaced.append(replaced)
                self._undo.append(replaced.undo)


def _delta_hook(terms: Sequence[tuple[_ActiveLora, Term]], dtype: torch.dtype) -> Callable[..., torch.Tensor]:
    """A forward hook that adds to a layer's answer what the LoRAs say."""

    def add(_layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        result = output
        for active, term in terms:
            if active.scale:
                result = result + term(inputs[0].to(dtype), output, active.scale)
        return result.to(output.dtype)

    return add


class _ReplacedParameter:
    """A parameter of a network, replaced by a copy that LoRAs change."""

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
        """Follow the strengths."""
        value = self._own.detach().to(self._copy.device, torch.float32, copy=True)
        for active, difference in self._differences:
            value.add_(difference, alpha=active.scale)
        self._copy.data.copy_(value)

    def undo(self) -> None:
        """Put the network's own parameter back."""
        setattr(self._owner, self._name, self._own)


def _identity(path: Path) -> Identity:
    """Equal as long as a file has not changed."""
    try:
        facts = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def check(loras: Sequence[Lora], template: Any) -> None:
    """Refuse LoRA files that are missing, broken or do not fit.

    Args:
        loras: the files.
        template: a network of the same shapes, with weights or without.

    Raises:
        ModelError: naming the file, and what of it does not fit.
    """
    for lora in loras:
        read_file.read(lora.path, template)
