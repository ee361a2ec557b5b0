"""Build a network from weight files, whose keys and shapes must match its state dict exactly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from accelerate import init_empty_weights

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.files import open_network
from wangp_cli.pipelines.checkpoints.key_names import first_keys
from wangp_cli.pipelines.checkpoints.network_classes import key_names, network_class
from wangp_cli.pipelines.checkpoints.quantization_formats import StoredParameter, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wangp_cli.models import Network
    from wangp_cli.pipelines.checkpoints.key_names import KeyNames


class NetworkFiles:
    """The weights of one network in files of any supported layout; the constructor checks their headers.

    Args:
        empty: the network on the meta device.
        files: weight files that together hold its parameters.
        name: the network's name for error messages.
        names: the parameter names that files may use besides the network's own.
        allow_pickle: also read pickles, with `weights_only`.

    Raises:
        ModelError: a file cannot be read; a parameter is missing, unexpected, or has a wrong shape.
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
        self._state_dict = self.empty.state_dict()
        self._stored = self._match(parameters(open_network(files, allow_pickle=allow_pickle), names))

    def _match(self, parameters: dict[str, StoredParameter]) -> dict[str, StoredParameter]:
        own_names = self._key_names.own_names(self._state_dict)
        stored: dict[str, StoredParameter] = {}
        unexpected = []
        for name, parameter in parameters.items():
            own = own_names.get(name)
            if own is None:
                unexpected.append(name)
            elif own in stored:
                raise ModelError(
                    f"{self._file_names} holds {own} twice, as {stored[own].values.key} and {name}"
                )
            else:
                stored[own] = parameter
        name = self._name
        if missing := [own for own in self._state_dict if own not in stored]:
            raise self._error(
                f"has no {first_keys(map(self._key_names.parameter, missing))}, which {name} needs"
            )
        if unexpected := [key for key in unexpected if not self._is_unused(key, parameters[key], own_names)]:
            raise self._error(f"has keys that {name} does not know: {first_keys(unexpected)}")
        for own, parameter in stored.items():
            if _without_ones(parameter.shape) != _without_ones(shape := tuple(self._state_dict[own].shape)):
                sides = f"{[*parameter.shape]}, {name} needs {[*shape]}"
                raise self._error(f"holds {parameter.values.key} of {sides}")
        return stored

    def _is_unused(self, key: str, parameter: StoredParameter, own_names: Mapping[str, str]) -> bool:
        """Whether a key is of a buffer that the network computes, or a marker of a tool.

        A marker is one number below a name that is no module of the network.
        """
        if key in dict(self.empty.named_buffers()):
            return True
        module = key.rpartition(".")[0]
        below_module = any(name.startswith(f"{module}.") for name in own_names)
        return math.prod(parameter.shape) <= 1 and bool(module) and not below_module

    def _error(self, message: str) -> ModelError:
        return ModelError(
            f"{self._file_names} {message}", hint="`wangp models add` tells which model a file is of"
        )

    def dtype(self, parameter: str, dtype: torch.dtype) -> torch.dtype:
        """The dtype of a parameter of a network in `dtype`: float32 for those in `_keep_in_fp32_modules`."""
        kept = getattr(self.empty, "_keep_in_fp32_modules", None) or ()
        return torch.float32 if set(kept) & set(parameter.split(".")) else dtype

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every entry of the state dict, in its order."""
        return {own: tuple(value.shape) for own, value in self._state_dict.items()}

    def tensor(self, parameter: str, dtype: torch.dtype, device: str = "cpu") -> torch.Tensor:
        """A copy of one parameter; a view of a mapped file is misaligned and changes with the file."""
        value = self._stored[parameter].tensor().reshape(self._state_dict[parameter].shape)
        return value.to(device, self.dtype(parameter, dtype), copy=True).contiguous()

    def build(self, dtype: torch.dtype, device: str) -> Any:
        """The network with its weights loaded, on a device."""
        weights = {own: self.tensor(own, dtype, device) for own in self._state_dict}
        self.empty.load_state_dict(weights, strict=True, assign=True)
        # Non-persistent buffers, such as position embeddings, are still on the device of `empty`.
        return self.empty.to(device)


class TransformerFiles(NetworkFiles):
    """The weights of a transformer that the catalogue describes.

    Args:
        network: its class and configuration.
        files: weight files that together hold its parameters.
        allow_pickle: also read pickles, with `weights_only`.

    Raises:
        ModelError: as for `NetworkFiles`.
    """

    def __init__(self, network: Network, files: Sequence[Path], *, allow_pickle: bool = False) -> None:
        super().__init__(
            empty_network(network),
            files,
            name=network.name,
            names=key_names(network.kind),
            allow_pickle=allow_pickle,
        )


def empty_network(network: Network) -> Any:
    """The transformer on the meta device, except its non-persistent buffers."""
    class_ = network_class(network.kind)
    with init_empty_weights(include_buffers=False):
        return class_.from_config(network.config)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of size 1, of which some files have more or fewer."""
    return tuple(side for side in shape if side != 1)
