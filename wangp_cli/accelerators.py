"""Accelerators: step-distillation LoRAs with the sampling values they were trained for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wangp_cli.errors import RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.presets import NamedEntries, NamedEntry

NO_ACCELERATOR = "none"
"""Value of the field `accelerator` that disables the default accelerator of a model."""


class AcceleratorLora(BaseModel):
    """One LoRA of an accelerator.

    Args:
        file: a file, a name or a reference, as for `--lora`.
        strength: its strength, which may be a schedule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, defer_build=True)
    file: str
    strength: str = "1"


class AcceleratorVariant(BaseModel):
    """The LoRAs and values of an accelerator for one group of networks.

    Args:
        networks: names of networks in the catalogue.
        models: names of further models that it supports, of any network.
        experts: number of transformers of a supported model; 2 are one for high and one for low noise.
        loras: LoRAs that are applied before those of the task.
        values: values by field of the task, such as `steps`.
        source: where the values are published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    networks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    experts: Literal[1, 2] = 1
    loras: tuple[AcceleratorLora, ...] = Field(min_length=1)
    values: dict[str, Any] = {}
    source: str

    def fits(self, spec: ModelSpec) -> bool:
        """Whether the variant supports a model."""
        network = spec.network.name if spec.network else None
        return spec.name in self.models or (network in self.networks and spec.experts == self.experts)

    @property
    def made_for(self) -> str:
        """The networks and models that the variant supports, for messages."""
        experts = f" x {self.experts}" if self.experts > 1 else ""
        return ", ".join([*(f"{network}{experts}" for network in self.networks), *self.models])


class Accelerator(NamedEntry):
    """A named accelerator, with a variant for each group of networks."""

    variants: tuple[AcceleratorVariant, ...] = Field(min_length=1)

    @property
    def made_for(self) -> str:
        """The networks and models of all variants, for messages."""
        return "; ".join(variant.made_for for variant in self.variants)


class Accelerators(NamedEntries[Accelerator]):
    """Accelerators by name."""

    def __init__(self, *folders: Any) -> None:
        super().__init__(Accelerator, "accelerator", "wangp loras presets", *folders)

    def variant(self, name: str, spec: ModelSpec) -> AcceleratorVariant:
        """The variant of an accelerator that supports a model.

        Raises:
            RequestError: there is no such accelerator, or no variant supports the model; the hint names the
                accelerators that do.
        """
        accelerator = self.get(name)
        if variant := next((variant for variant in accelerator.variants if variant.fits(spec)), None):
            return variant
        others = self.all.values()
        fitting = [other.name for other in others if any(each.fits(spec) for each in other.variants)]
        available = f"there is: {', '.join(fitting)}" if fitting else "there is none"
        experts = f" x {spec.experts}" if spec.experts > 1 else ""
        network = f"{spec.network.name}{experts}" if spec.network else "another network"
        raise RequestError(
            "accelerator",
            f"{name!r} is for {accelerator.made_for}; model {spec.name!r} is {network}",
            hint=f"for {spec.name} {available}",
        )
