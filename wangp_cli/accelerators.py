"""Accelerators: LoRAs that make a model need few steps, with the numbers they were made for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wangp_cli.errors import RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.presets import NamedEntries, NamedEntry

NO_ACCELERATOR = "none"
"""The name that turns a model's own accelerator off."""


class AcceleratorLora(BaseModel):
    """One LoRA of an accelerator: a reference as `--lora` takes it, and its strength."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, defer_build=True)
    file: str
    strength: str = "1"


class AcceleratorVariant(BaseModel):
    """An accelerator for some networks.

    Args:
        networks: names of the catalogue's networks.
        models: names of models besides them.
        experts: how many networks the model has.
        loras: put on before those of the task.
        values: of fields of the task.
        source: of the numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    networks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    experts: Literal[1, 2] = 1
    loras: tuple[AcceleratorLora, ...] = Field(min_length=1)
    values: dict[str, Any] = {}
    source: str

    def fits(self, spec: ModelSpec) -> bool:
        """Whether it is for a model."""
        network = spec.network.name if spec.network else None
        return spec.name in self.models or (network in self.networks and spec.experts == self.experts)

    @property
    def made_for(self) -> str:
        """The networks, in words."""
        experts = f" x {self.experts}" if self.experts > 1 else ""
        return ", ".join([*(f"{network}{experts}" for network in self.networks), *self.models])


class Accelerator(NamedEntry):
    """Few steps for one or several networks."""

    variants: tuple[AcceleratorVariant, ...] = Field(min_length=1)

    @property
    def made_for(self) -> str:
        """All its networks, in words."""
        return "; ".join(variant.made_for for variant in self.variants)


class Accelerators(NamedEntries[Accelerator]):
    """Accelerators by name."""

    def __init__(self, *folders: Any) -> None:
        super().__init__(Accelerator, "accelerator", "wangp loras presets", *folders)

    def variant(self, name: str, spec: ModelSpec) -> AcceleratorVariant:
        """What an accelerator is for a model.

        Raises:
            RequestError: there is none of that name, or it is for other models; names those that fit.
        """
        found = self.get(name)
        if variant := next((variant for variant in found.variants if variant.fits(spec)), None):
            return variant
        fitting = [each.name for each in self.all.values() if any(one.fits(spec) for one in each.variants)]
        there = f"there is: {', '.join(fitting)}" if fitting else "there is none"
        experts = f" x {spec.experts}" if spec.experts > 1 else ""
        network = f"{spec.network.name}{experts}" if spec.network else "another network"
        raise RequestError(
            "accelerator",
            f"{name!r} is for {found.made_for}; model {spec.name!r} is {network}",
            hint=f"for {spec.name} {there}",
        )
