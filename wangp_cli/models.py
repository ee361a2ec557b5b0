"""Catalogue entries: what a model accepts and generates, and where its weights come from."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from wangp_cli.grid import Grid

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
"""Kinds of models that a pipeline adapter runs; the others are networks for tools."""
NO_ARCHITECTURE = "none"
"""Of models that are not supported, and of models that no adapter runs."""
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


class Entry(BaseModel):
    """Base of all parts of the catalogue: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Vae(Entry):
    """A VAE, as far as estimates need it.

    Args:
        channels: of the decoder's widest layer, for each pixel of a frame.
        decode_operations: floating point operations for each pixel of each frame.
        encode_operations: likewise.
    """

    channels: float = 96
    decode_operations: float = 0
    encode_operations: float = 0


class Traits(Entry):
    """What sets one architecture of a family apart, as far as code for all families must know it.

    Args:
        guidance_field: the task's field that scales passes which only this architecture has.
        fixed_guidance: those passes come together in one way alone, and only under guidance.
        guides_given: the task's field `guide_given` has an effect.
        recamera: the result is the control video, seen by another camera.
        character_animation: one character is moved by poses and a face in every frame.
        diffusion_forcing: frames are denoised apart from each other.
        context_latents: latent frames of a video to continue that it is conditioned on, besides one frame.
        control_fill: brightness of frames of a control video that hold no information, 0 to 1.
        encoded_videos: videos of the shot's length that are encoded for one run.
        token_videos: videos of the shot's length that the transformer processes at once.
        parts: published number of parameters of every part beside the transformers, by the part's name.
        vae: its VAE.
    """

    guidance_field: str | None = None
    fixed_guidance: bool = False
    guides_given: bool = False
    recamera: bool = False
    character_animation: bool = False
    diffusion_forcing: bool = False
    context_latents: int = 0
    control_fill: float = 0.5
    encoded_videos: int = 0
    token_videos: int = 1
    parts: dict[str, int] = {}
    vae: Vae = Field(default_factory=Vae)


class Network(Entry):
    """The transformer of a model, as diffusers builds it.

    Args:
        kind: name of its class; the model's family must know it.
        config: arguments of the class.
        parameters: how many it has.
        parts: published number of parameters of parts that only models of this network have.
    """

    name: str
    kind: str
    config: dict[str, Any]
    parameters: int | None = None
    parts: dict[str, int] = {}

    @field_validator("config")
    @classmethod
    def _numbers(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Read 1e-6, as JSON writes it, as a number: YAML reads it as a string."""
        numbers = {key: float(text) for key, text in value.items() if EXPONENT.fullmatch(str(text))}
        return value | numbers

    @property
    def width(self) -> int:
        """Channels of its hidden states."""
        return int(self.config.get("num_attention_heads", 0) * self.config.get("attention_head_dim", 0))


class Source(Entry):
    """Where weights are: on a hub, in a folder or in this package, all in diffusers layout; or in files.

    Of a network of a tool, a repository or folder is in its author's layout, and `file` is the network.

    Args:
        repository: `owner/name` on the hub.
        revision: a commit, tag or branch of it; the newest where it is None.
        folder: on this machine.
        package: a folder inside this package.
        file: the transformer in any known layout, from one or several files, each a path or
            `hf://owner/name/path`; later files add to earlier ones.
        file_2: likewise the second transformer, of models that have two.
        components: where all other parts are, for a source of files.
        modules: files of further parts by part, each named like `file`; those of `components` count too.
        allow_pickle: read files that are pickles, without running code in them.
    """

    repository: str | None = None
    revision: str | None = None
    folder: Path | None = None
    package: str | None = None
    file: tuple[str, ...] = ()
    file_2: tuple[str, ...] = ()
    components: Source | None = None
    modules: dict[str, tuple[str, ...]] = {}
    allow_pickle: bool = False

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Files by part, of the parts that are in files."""
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
        if (self.components or self.file_2) and not self.file:
            raise ValueError("files need components, and components need a file")
        return self


class ModelSpec(Entry):
    """One model of the catalogue.

    Args:
        kind: what it is for; all but `video` and `image` are networks of tools, which need neither family,
            architecture, network nor grid.
        family: which adapter runs it.
        architecture: one of its family; `none` of models that are not supported.
        traits: of its architecture.
        network: its transformer; None where only the weights' own configuration tells.
        experts: how many transformers it has, one for each range of noise.
        phases: the most its denoising can have.
        accepts: inputs it can be given.
        requires: inputs it must be given.
        most_references: reference images that it takes at once; any number where it is None.
        means: what an input is to it, where the usual words for it say too little.
        parameters: published number of parameters of a network of a tool.
        licence_note: what the licence does not allow.
        status: `tested`: its architecture runs in the tests with random weights; `converted`: the layout of
            its files is converted in the tests, too; `unsupported`: it cannot be used.
        status_note: why it is unsupported, or what is to be known of its status.
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
    means: dict[Accepts, str] = {}
    grid: Grid = Field(default_factory=Grid)
    defaults: dict[str, Any] = {}
    text_length: int = 512
    parameters: int | None = None
    licence: str = "unknown"
    licence_note: str = ""
    status: Literal["tested", "converted", "unsupported"] = "tested"
    status_note: str = ""

    @property
    def is_diffusion(self) -> bool:
        """Whether a pipeline adapter runs it."""
        return self.kind in DIFFUSION

    @property
    def continues(self) -> bool:
        """Whether it makes the frames that follow given ones, from these alone."""
        return "source" in self.accepts and "end" not in self.requires

    @property
    def is_recamera(self) -> bool:
        """Whether its result is the control video, seen by another camera."""
        return self.traits.recamera

    @property
    def is_character_animation(self) -> bool:
        """Whether it moves one character, by poses and a face in every frame."""
        return self.traits.character_animation

    @property
    def requires_full_control_video(self) -> bool:
        """Whether its result has the length and rate of the control video, which every step reads."""
        return self.is_character_animation or self.is_recamera

    @property
    def context_frames(self) -> int:
        """Frames of a video to continue that it is conditioned on."""
        return self.traits.context_latents * self.grid.step + 1

    @property
    def control_fill_value(self) -> float:
        """Brightness of frames of a control video that hold no information, 0 to 1."""
        return self.traits.control_fill

    def at(self, rate: Fraction) -> ModelSpec:
        """The same model with the range of its grid in frames at a rate.

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
