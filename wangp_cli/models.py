"""Catalogue entries: inputs, output grid, network and weights of a model."""

from __future__ import annotations

import datetime
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from wangp_cli.grid import Grid
from wangp_cli.trained import Trained
from wangp_cli.traits import Entry, Traits

Accepts = Literal[
    "start",
    "end",
    "anchor",
    "control",
    "camera",
    "mask",
    "face",
    "background",
    "references",
    "source",
    "initial",
    "speech",
    "audio",
    "lora",
    "negative",
]
Kind = Literal[
    "video",
    "image",
    "interpolator",
    "matting",
    "segmenter",
    "preprocessor",
    "upscaler",
    "enhancer",
]
DIFFUSION: frozenset[Kind] = frozenset({"video", "image"})
"""Kinds of models that a pipeline adapter runs; the others are auxiliary networks, such as upscalers."""
NO_ARCHITECTURE = "none"
"""Architecture of unsupported models and of auxiliary networks."""
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


class Network(Entry):
    """The transformer of a model.

    Args:
        name: its name in the catalogue.
        kind: name of its class in diffusers or wangp.
        config: configuration of the class.
        parameters: published number of parameters.
        parts: published number of parameters by part, of parts that only models with this network have.
    """

    name: str
    kind: str
    config: dict[str, Any]
    parameters: int | None = None
    parts: dict[str, int] = Field(default_factory=dict)

    @field_validator("config")
    @classmethod
    def _numbers(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Convert numbers such as 1e-6 from strings: YAML 1.1 requires a decimal point."""
        numbers = {key: float(text) for key, text in value.items() if EXPONENT.fullmatch(str(text))}
        return value | numbers

    @property
    def width(self) -> int:
        """Width of its hidden states."""
        return int(self.config.get("num_attention_heads", 0) * self.config.get("attention_head_dim", 0))


class Source(Entry):
    """The place of weights: a repository or folder in diffusers layout, or single files.

    For an auxiliary network, a repository or folder has the layout of its author, and `file` is the network.

    Args:
        repository: `owner/name` on the hub.
        revision: commit, tag or branch; None for the newest commit.
        folder: folder on this machine.
        package: folder inside the package wangp_cli.
        file: files of the transformer in any supported layout, each a path or `hf://owner/name/path`.
        file_2: files of the second transformer, of models with two experts.
        components: place of all other parts, if `file` is given.
        modules: files by part, of further parts, each like `file`; added to those of `components`.
        allow_pickle: also read pickles, with `weights_only`.
    """

    repository: str | None = None
    revision: str | None = None
    folder: Path | None = None
    package: str | None = None
    file: tuple[str, ...] = ()
    file_2: tuple[str, ...] = ()
    components: Source | None = None
    modules: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    allow_pickle: bool = False

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Single files by part."""
        transformers = {"transformer": self.file, "transformer_2": self.file_2}
        modules = self.components.modules if self.components else {}
        return {name: files for name, files in (transformers | modules | self.modules).items() if files}

    @model_validator(mode="before")
    @classmethod
    def _one_file_is_a_list_of_one(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return values | {
            name: (values[name],) for name in ("file", "file_2") if isinstance(values.get(name), str)
        }

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = [name for name in ("repository", "folder", "package", "file") if getattr(self, name)]
        if len(places) > 1:
            raise ValueError(f"{places[0]} and {places[1]} are both given, name one place")
        if self.components and self.components.file:
            raise ValueError("components are files themselves, name a place in diffusers layout")
        if (self.components or self.file_2) and not self.file:
            raise ValueError("files need components, and components need a file")
        return self


class WeightsRun(Entry):
    """A run of a model with its real weights.

    Args:
        date: when.
        device: where, such as the name of a GPU.
        task: frames and size of the result, and other options that change speed and memory.
        seconds_per_step: of denoising.
        memory_bytes: peak memory of the device; of the process on a CPU.
    """

    date: datetime.date
    device: str
    task: str
    seconds_per_step: float
    memory_bytes: int


class ModelSpec(Entry):
    """One model of the catalogue.

    Args:
        kind: other kinds than `video` and `image` are auxiliary networks, without family and grid.
        family: model family, which selects the pipeline adapter.
        architecture: one of the family's architectures, or that of an auxiliary network; `none` for
            unsupported models.
        traits: traits of the architecture.
        network: its transformer; None if only its weights have a configuration.
        experts: number of transformers, each for a range of noise levels.
        phases: most guidance phases that a run can have.
        accepts: inputs that are allowed.
        requires: inputs that are mandatory.
        most_references: most reference images of a run; None for any number.
        means: unusual meanings of inputs, by input.
        defaults: default values by field of the task.
        trained: what it was trained on; None if it generalises.
        text_length: length of the prompt in tokens.
        parameters: published number of parameters of an auxiliary network.
        licence_note: restrictions of the licence.
        status: of its architecture, which says nothing of its weights. `tested`: tests run it with random
            weights; `converted`: they also convert the layout of its files; `unsupported`: it cannot be used.
        status_note: explains the status; required for `unsupported`.
        weights_run: the last known run with its real weights; None if there was none.
    """

    name: str
    title: str
    kind: Kind = "video"
    family: str = ""
    architecture: str = NO_ARCHITECTURE
    traits: Traits = Field(default_factory=Traits)
    aliases: tuple[str, ...] = ()
    description: str = ""
    source: Source
    network: Network | None = None
    experts: Literal[1, 2] = 1
    phases: Literal[1, 2, 3] = 3
    accepts: frozenset[Accepts] = frozenset()
    requires: frozenset[Accepts] = frozenset()
    most_references: int | None = None
    means: dict[Accepts, str] = Field(default_factory=dict)
    grid: Grid = Field(default_factory=Grid)
    defaults: dict[str, Any] = Field(default_factory=dict)
    trained: Trained | None = None
    text_length: int = 512
    parameters: int | None = None
    licence: str = "unknown"
    licence_note: str = ""
    status: Literal["tested", "converted", "unsupported"] = "tested"
    status_note: str = ""
    weights_run: WeightsRun | None = None

    @property
    def is_diffusion(self) -> bool:
        """Whether it is a diffusion model, which a pipeline adapter runs."""
        return self.kind in DIFFUSION

    @property
    def continues(self) -> bool:
        """Whether it can continue a video without an end image."""
        return "source" in self.accepts and "end" not in self.requires

    @property
    def is_recamera(self) -> bool:
        """Whether it re-renders the control video from another camera."""
        return self.traits.recamera

    @property
    def is_character_animation(self) -> bool:
        """Whether it animates one character by a pose video and a face video."""
        return self.traits.character_animation

    @property
    def requires_full_control_video(self) -> bool:
        """Whether its result has the length and frame rate of the control video."""
        return self.is_character_animation or self.is_recamera

    @property
    def context_frames(self) -> int:
        """Frames of a continued video that it is conditioned on."""
        return self.traits.context_latents * self.grid.step + 1

    @property
    def control_fill_value(self) -> float:
        """Brightness of control frames without information, 0 to 1."""
        return self.traits.control_fill

    def at(self, rate: Fraction) -> ModelSpec:
        """The model with the range of its grid converted to frames at a frame rate.

        Raises:
            ValueError: no frame count lies in the range.
        """
        grid = self.grid.at(rate)
        return self if grid is self.grid else self.model_copy(update={"grid": grid})

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.status == "unsupported" and not self.status_note:
            raise ValueError("an unsupported model needs a status_note that says why")
        if self.is_diffusion:
            self._check_diffusion()
        if self.phases < self.experts:
            raise ValueError("phases: a model of two experts has two at least")
        return self

    def _check_diffusion(self) -> None:
        if not self.family:
            raise ValueError("family is missing")
        if "accepts" not in self.model_fields_set:
            raise ValueError("accepts is missing")
        if bool(self.source.file) != bool(self.source.components):
            raise ValueError("files need components, and components need a file")
        if self.status == "unsupported":
            return
        if self.architecture == NO_ARCHITECTURE:
            raise ValueError("architecture is missing")
        if self.source.file and not self.network:
            raise ValueError("a source of files needs a network")
