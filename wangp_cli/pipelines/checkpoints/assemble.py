"""Building a network from files: every parameter found, of its shape, and nothing left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from accelerate import init_empty_weights

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.files import open_weights
from wangp_cli.pipelines.checkpoints.key_names import some_of
from wangp_cli.pipelines.checkpoints.network_classes import key_names, network_class
from wangp_cli.pipelines.checkpoints.number_formats import StoredParameter, parameters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wangp_cli.models import Network
    from wangp_cli.pipelines.checkpoints.key_names import KeyNames


class NetworkFiles:
    """The weights of one network in files of any known layout, checked by their headers.

    Args:
        empty: what is to be built, without memory for its weights.
        files: in which its parameters are.
        name: of the network, for messages.
        names: of its parameters; files may use these or its own.
        allow_pickle: read pickles too, without running what they hold.

    Raises:
        ModelError: a file cannot be read, a parameter is missing, left over or of a wrong shape.
    """

    def __init__(
        self,
        empty: Any,
        files: Sequence[Path],
        *,
        name: str,
        names: KeyNames,
        allow_pickle: bool = False,
    ) -> None:
        self._name, self._file_names = name, ", ".join(file.name for file in files)
        self._key_names = names
        self.empty = empty
        self._wanted = self.empty.state_dict()
        opened = [open_weights(file, allow_pickle=allow_pickle) for file in files]
        self._stored = self._matched(parameters(opened, names))

    def _matched(self, found: dict[str, StoredParameter]) -> dict[str, StoredParameter]:
        known = self._key_names.known(self._wanted)
        stored: dict[str, StoredParameter] = {}
        strange = []
        for name, parameter in found.items():
            own = known.get(name)
            if own is None:
                strange.append(name)
            elif own in stored:
                raise ModelError(
                    f"{self._file_names} holds {own} twice, as {stored[own].numbers.key} and {name}"
                )
            else:
                stored[own] = parameter
        name = self._name
        if missing := [own for own in self._wanted if own not in stored]:
            raise self._wrong(
                f"has no {some_of(map(self._key_names.parameter, missing))}, which {name} needs"
            )
        if strange:
            raise self._wrong(f"has keys that {name} does not know: {some_of(strange)}")
        for own, parameter in stored.items():
            if _plain(parameter.shape) != _plain(shape := tuple(self._wanted[own].shape)):
                sides = f"{[*parameter.shape]}, {name} needs {[*shape]}"
                raise self._wrong(f"holds {parameter.numbers.key} of {sides}")
        return stored

    def _wrong(self, message: str) -> ModelError:
        return ModelError(
            f"{self._file_names} {message}", hint="`wangp models add` tells which model a file is of"
        )

    def dtype(self, parameter: str, dtype: torch.dtype) -> torch.dtype:
        """The dtype of a parameter in a network of `dtype`; diffusers keeps a few in float32."""
        kept = getattr(self.empty, "_keep_in_fp32_modules", None) or ()
        return torch.float32 if set(kept) & set(parameter.split(".")) else dtype

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter, in the network's order."""
        return {own: tuple(value.shape) for own, value in self._wanted.items()}

    def tensor(self, parameter: str, dtype: torch.dtype, device: str = "cpu") -> torch.Tensor:
        """One parameter, in memory of its own: a mapped file is misaligned and can change under us."""
        value = self._stored[parameter].tensor().reshape(self._wanted[parameter].shape)
        return value.to(device, self.dtype(parameter, dtype), copy=True).contiguous()

    def build(self, dtype: torch.dtype, device: str) -> Any:
        """The network with its weights."""
        weights = {own: self.tensor(own, dtype, device) for own in self._wanted}
        self.empty.load_state_dict(weights, strict=True, assign=True)
        # Buffers that no file holds, such as positions, are still on the device the network was made on.
        return self.empty.to(device)


class TransformerFiles(NetworkFiles):
    """The weights of a transformer of the catalogue.

    Args:
        network: what is to be built.
        files: in which its parameters are.
        allow_pickle: read pickles too, without running what they hold.

    Raises:
        ModelError: as for `NetworkFiles`.
    """

    def __init__(self, network: Network, files: Sequence[Path], *, allow_pickle: bool = False) -> None:
        super().__init__(
            empty(network),
            files,
            name=network.name,
            names=key_names(network.kind),
            allow_pickle=allow_pickle,
        )


def empty(network: Network) -> Any:
    """The network without memory for its weights."""
    kind = network_class(network.kind)
    with init_empty_weights(include_buffers=False):
        return kind.from_config(network.config)


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of one, which some files have more of."""
    return tuple(side for side in shape if side != 1)
