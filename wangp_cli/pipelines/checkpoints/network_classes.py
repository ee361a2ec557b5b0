"""Network classes by name: those of diffusers, and subclasses defined in wangp."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import diffusers

from wangp_cli.errors import ModelError, nearest
from wangp_cli.imports import import_object
from wangp_cli.pipelines.checkpoints.key_names import KeyNames

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class TransformerClass:
    """A class of transformers that a catalogue entry may name.

    Args:
        key_names: its `KeyNames`, as `module:constant`.
        module: the module that defines the class.
    """

    key_names: str
    module: str = "diffusers"


_WAN = "wangp_cli.pipelines.wan.key_names:WAN"
TRANSFORMER_CLASSES: Mapping[str, TransformerClass] = MappingProxyType(
    {
        "WanTransformer3DModel": TransformerClass(_WAN),
        "WanVACETransformer3DModel": TransformerClass(_WAN),
        "WanAnimateTransformer3DModel": TransformerClass(_WAN),
        "SkyReelsV2Transformer3DModel": TransformerClass(_WAN),
        "ReCamTransformer3DModel": TransformerClass(_WAN, "wangp_cli.pipelines.wan.recammaster_network"),
    }
)
OWN_CLASSES = frozenset(name for name, entry in TRANSFORMER_CLASSES.items() if entry.module != "diffusers")
"""Classes defined in wangp."""


def network_class(name: str) -> Any:
    """The network class called `name`.

    Raises:
        ModelError: neither wangp nor diffusers has a model class of that name.
    """
    known = TRANSFORMER_CLASSES.get(name)
    class_ = getattr(import_module(known.module) if known else diffusers, name, None)
    if not (isinstance(class_, type) and issubclass(class_, diffusers.ModelMixin)):
        hint = nearest(name, list(TRANSFORMER_CLASSES)) or None
        raise ModelError(f"there is no network class {name!r}", hint=hint)
    return class_


def key_names(name: str) -> KeyNames:
    """The parameter names that files use for a network class; of unknown classes only their own names."""
    if name not in TRANSFORMER_CLASSES:
        return KeyNames()
    names: KeyNames = import_object(TRANSFORMER_CLASSES[name].key_names)
    return names
