"""The LoRAs on a pipeline's networks: put on, weighed at each step, taken off."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import LoraPut
from wangp_cli.pipelines.lora import read_file
from wangp_cli.pipelines.lora.delta import Term
from wangp_cli.tasks.loras import Strength

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wangp_cli.pipelines.base import Lora
    from wangp_cli.pipelines.lora.read_file import LoraFile
    from wangp_cli.tasks.loras import Moment

log = logging.getLogger(__name__)
Identity = tuple[str, int, int]


@dataclass(eq=False)
class _Worn:
    """A LoRA on the networks, and how strong it is at the step that is made now."""

    identity: Identity
    content: LoraFile
    strength: Strength
    now: float = 0.0


class Adapters:
    """LoRAs on top of networks whose own weights they never touch.

    What factors add is computed beside a layer, from the layer's input. Parameters of which a file brings
    whole differences are replaced by changed copies for as long as the LoRA is on.

    Args:
        networks: diffusers models of one architecture: the experts of one model.
        device: where they compute.
        dtype: in which number format.
        opened: a context in which the weights of networks are there, wherever they wait.
        like: a network of the same shapes; the first of `networks` if not said.
    """

    def __init__(
        self,
        networks: Sequence[Any],
        device: str,
        dtype: torch.dtype,
        opened: Callable[..., AbstractContextManager[None]] | None = None,
        like: Any = None,
    ) -> None:
        self._networks = networks
        self._like = networks[0] if like is None else like
        self._opened = opened
        self._device, self._dtype = device, dtype
        self._worn: list[_Worn] = []
        self._undo: list[Callable[[], None]] = []
        self._replaced: list[_Replaced] = []

    def put(self, loras: Sequence[Lora]) -> list[LoraPut]:
        """Put on exactly these LoRAs; files that are on already are not read again.

        Returns:
            one for each file that was read.

        Raises:
            ModelError: a file is missing or broken, or does not fit; what was on before stays on.
        """
        known = {worn.identity: worn.content for worn in self._worn}
        read: list[LoraPut] = []
        for lora in loras:
            if (identity := _identity(lora.path)) not in known:
                content = read_file.read(lora.path, self._like)
                self._check_kept_whole(lora.path, content)
                known[identity] = content.to(self._device, self._dtype)
                put = LoraPut(path=lora.path, layers=content.layers, left_out=len(content.left_out))
                log.info("read LoRA %s: %d layers, %d keys left out", put.path, put.layers, put.left_out)
                read.append(put)
        wanted = [_identity(lora.path) for lora in loras]
        if wanted != [worn.identity for worn in self._worn]:
            self.take_off()
            self._worn = [_Worn(identity, known[identity], Strength()) for identity in wanted]
            with self._weights_there(needed=any(worn.content.reads_weights for worn in self._worn)):
                self._mount()
        for worn, lora in zip(self._worn, loras, strict=True):
            worn.strength = lora.strength
        return read

    def at(self, step: Moment) -> None:
        """Weigh the LoRAs for a step of a run."""
        before = [worn.now for worn in self._worn]
        for worn in self._worn:
            worn.now = worn.strength.at(step)
        if before != [worn.now for worn in self._worn]:
            with self._weights_there(needed=bool(self._replaced)):
                for replaced in self._replaced:
                    replaced.update()

    def take_off(self) -> None:
        """Leave the networks as they were."""
        with self._weights_there(needed=bool(self._replaced)):
            for undo in self._undo:
                undo()
        self._undo, self._replaced, self._worn = [], [], []

    def _check_kept_whole(self, path: Path, content: LoraFile) -> None:
        for name in content.differences:
            if not self._networks[0].get_parameter(name).is_floating_point():
                raise ModelError(
                    f"LoRA {path.name} replaces {name}, which is kept in 8 bits",
                    hint="--transformer-quantization none",
                )

    def _weights_there(self, *, needed: bool) -> AbstractContextManager[None]:
        return self._opened(*self._networks) if needed and self._opened else nullcontext()

    def _mount(self) -> None:
        for network in self._networks:
            terms: dict[str, list[tuple[_Worn, Term]]] = defaultdict(list)
            differences: dict[str, list[tuple[_Worn, torch.Tensor]]] = defaultdict(list)
            for worn in self._worn:
                for name, change in worn.content.changes.items():
                    terms[name].append((worn, Term(change, network.get_submodule(name))))
                for name, difference in worn.content.differences.items():
                    differences[name].append((worn, difference))
            for name, added in terms.items():
                hook = network.get_submodule(name).register_forward_hook(
                    # Before a hook that sends the layer's weight away.
                    _adding(added, self._dtype),
                    prepend=True,
                )
                self._undo.append(hook.remove)
            for name, added_whole in differences.items():
                replaced = _Replaced(network, name, added_whole, self._device)
                self._replaced.append(replaced)
                self._undo.append(replaced.undo)


def _adding(terms: Sequence[tuple[_Worn, Term]], dtype: torch.dtype) -> Callable[..., torch.Tensor]:
    """A forward hook that adds to a layer's answer what the LoRAs say."""

    def add(_layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        result = output
        for worn, term in terms:
            if worn.now:
                result = result + term(inputs[0].to(dtype), output, worn.now)
        return result.to(output.dtype)

    return add


class _Replaced:
    """A parameter of a network, replaced by a copy that LoRAs change."""

    def __init__(
        self, network: Any, name: str, differences: Sequence[tuple[_Worn, torch.Tensor]], device: str
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
        for worn, difference in self._differences:
            value.add_(difference, alpha=worn.now)
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


def check(loras: Sequence[Lora], like: Any) -> None:
    """Refuse LoRA files that are missing, broken or do not fit.

    Args:
        loras: the files.
        like: a network of the same shapes, with weights or without.

    Raises:
        ModelError: naming the file, and what of it does not fit.
    """
    for lora in loras:
        read_file.read(lora.path, like)
