"""What the catalogue says of a model: what it accepts and makes, and where its weights come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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
Architecture = Literal[
    "t2v",
    "i2v",
    "flf2v",
    "vace",
    "ti2v",
    "phantom",
    "diffusion_forcing",
    "fantasy",
    "animate",
    "recam",
    "uni3c_t2v",
    "uni3c_i2v",
    "none",
]
Module = Literal["speech", "audio_encoder", "control"]
"""Parts of a model that no checkpoint in diffusers layout holds; they come as files beside it."""
NetworkKind = Literal[
    "WanTransformer3DModel",
    "ReCamTransformer3DModel",
    "WanVACETransformer3DModel",
    "WanAnimateTransformer3DModel",
    "SkyReelsV2Transformer3DModel",
]
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


class Entry(BaseModel):
    """A part of the catalogue: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Grid(Entry):
    """The sizes and lengths a model can make.

    Args:
        step: frames come as a multiple of this plus one.
        minimum: fewest frames of a video.
        maximum: most frames; where it is the minimum too, there are always so many.
        block: width and height are multiples of this.
    """

    step: int = 4
    minimum: int = 5
    maximum: int | None = None
    block: int = 16

    def frames(self, count: int) -> int:
        """The count on the grid: `(count // step) * step + 1`; 1 stays 1, a picture, unless it is fixed."""
        if count <= 1 and self.minimum != self.maximum:
            return 1
        found = max(self.minimum, count // self.step * self.step + 1)
        return min(found, self.maximum) if self.maximum else found

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Both sides floored to the block, at least one block."""
        return max(self.block, width // self.block * self.block), max(
            self.block, height // self.block * self.block
        )


class Network(Entry):
    """The transformer of a model, as diffusers builds it.

    Args:
        kind: its class.
        config: what the class is told.
        parameters: how many numbers it holds.
    """

    name: str
    kind: NetworkKind
    config: dict[str, Any]
    parameters: int | None = None

    @field_validator("config")
    @classmethod
    def _numbers(cls, value: dict[str, Any]) -> dict[str, Any]:
        """YAML takes 1e-6, as JSON writes it, for a text."""
        numbers = {key: float(text) for key, text in value.items() if EXPONENT.fullmatch(str(text))}
        return value | numbers

    @property
    def width(self) -> int:
        """Of what passes through its blocks."""
        return int(self.config.get("num_attention_heads", 0) * self.config.get("attention_head_dim", 0))


class Source(Entry):
    """Where weights are: in diffusers layout on a hub, in a folder or in this package; or in files.

    Args:
        repository: `owner/name` on the hub.
        revision: a commit, tag or branch of it; the newest if not said.
        folder: on this machine.
        package: a folder inside this package.
        file: the transformer in any known layout, from one or several files, each a path or
            `hf://owner/name/path`; later files add to earlier ones.
        file_2: the same of the second transformer, of models that have two.
        components: where all other parts are, for a source of files.
        modules: files of further parts, each named like `file`; those of `components` count too.
        allow_pickle: read files that are pickles, without running what they hold.
    """

    repository: str | None = None
    revision: str | None = None
    folder: Path | None = None
    package: str | None = None
    file: tuple[str, ...] = ()
    file_2: tuple[str, ...] = ()
    components: Source | None = None
    modules: dict[Module, tuple[str, ...]] = {}
    allow_pickle: bool = False

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The files of every part that is in files."""
        transformers = {"transformer": self.file, "transformer_2": self.file_2}
        beside = self.components.modules if self.components else {}
        return {name: files for name, files in (transformers | beside | self.modules).items() if files}

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
        if bool(self.file) != bool(self.components) or (self.file_2 and not self.file):
            raise ValueError("files need components, and components need a file")
        return self


class ModelSpec(Entry):
    """One model of the catalogue.

    Args:
        architecture: how it computes; `none` of models that are not served.
        network: its transformer; None where only the weights' own configuration tells.
        experts: how many transformers it has, one for each range of noise.
        phases: the most its denoising can have.
        most_references: reference pictures that it takes at once; any number where it is None.
        means: what an input is to it, where the usual words for it say too little.
        licence_note: what the licence does not allow.
        status: `tested`: its architecture runs in the tests with random weights; `converted`: the layout of
            its files is converted in the tests, too; `unsupported`: it cannot be used.
        status_note: why it is unsupported, or what is to be known of its status.
    """

    name: str
    title: str
    family: Literal["wan"]
    architecture: Architecture = "none"
    aliases: tuple[str, ...] = ()
    description: str = ""
    source: Source
    network: Network | None = None
    experts: Literal[1, 2] = 1
    phases: Literal[1, 2, 3] = 3
    accepts: frozenset[Accepts]
    requires: frozenset[Accepts] = frozenset()
    most_references: int | None = None
    means: dict[Accepts, str] = {}
    grid: Grid = Field(default_factory=Grid)
    defaults: dict[str, Any] = {}
    text_length: int = 512
    licence: str = "unknown"
    licence_note: str = ""
    status: Literal["tested", "converted", "unsupported"] = "tested"
    status_note: str = ""

    @property
    def continues(self) -> bool:
        """Whether it makes the frames that follow given ones, from these alone."""
        return "source" in self.accepts and "end" not in self.requires

    @property
    def is_recamera(self) -> bool:
        """Whether its result is the control video, seen by another camera."""
        return self.architecture == "recam"

    @property
    def requires_full_control_video(self) -> bool:
        """Whether its result is as long and as fast as the control video, which it sees in every step."""
        return self.is_character_animation or self.is_recamera

    @property
    def context_frames(self) -> int:
        """Frames of a video to continue that is shown to it: one, or several latent ones."""
        return {"vace": 1, "diffusion_forcing": 4}.get(self.architecture, 0) * self.grid.step + 1

    @property
    def is_character_animation(self) -> bool:
        """Whether it moves one character, by poses and a face in every frame."""
        return self.architecture == "animate"

    @property
    def control_fill_value(self) -> float:
        """How bright frames of a control video are that say nothing: VACE takes grey so, Uni3C black."""
        return 0.0 if self.architecture.startswith("uni3c") else 0.5

    @model_validator(mode="after")
    def _honest(self) -> Self:
        if self.status == "unsupported":
            if not self.status_note:
                raise ValueError("an unsupported model needs a status_note that says why")
        elif self.architecture == "none":
            raise ValueError("architecture is missing")
        if self.source.file and not self.network and self.status != "unsupported":
            raise ValueError("a source of files needs a network")
        if self.phases < self.experts:
            raise ValueError("phases: a model of two experts has two at least")
        return self
