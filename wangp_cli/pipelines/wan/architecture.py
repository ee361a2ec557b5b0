"""The base class of Wan architectures; each architecture is a module of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from wangp_cli.errors import ModelError, ResourceError
from wangp_cli.pipelines.denoise.condition import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Inputs, Placement
    from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.pipelines.wan.image_encoder import ImageEncoder
    from wangp_cli.pipelines.wan.speech_network import AudioEncoder, SpeechModule
    from wangp_cli.pipelines.wan.text_encoder import TextEncoder
    from wangp_cli.pipelines.wan.uni3c_network import ControlNetwork
    from wangp_cli.pipelines.wan.vae import Vae
    from wangp_cli.tasks.shot import Shot

PartName = Literal["text_encoder", "vae", "image_encoder", "audio_encoder", "speech", "control"]
"""Checkpoint folders of the parts other than the transformers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """The loaded parts of a checkpoint other than its transformers; None where an architecture has none."""

    text_encoder: TextEncoder
    vae: Vae
    image_encoder: ImageEncoder | None = None
    audio_encoder: AudioEncoder | None = None
    speech: SpeechModule | None = None
    control: ControlNetwork | None = None


class Architecture:
    """Text to video, and the base of all Wan architectures: checkpoint checks and conditioning.

    Args:
        spec: the model's catalogue entry.
        parts: the loaded parts of its checkpoint.
        dtype: of its transformers.
        config: of its transformers.
        exact: give the stock pipeline's tensors bit for bit, without faster kernels.
    """

    network: ClassVar[str] = "WanTransformer3DModel"
    """Class name of its transformers."""
    supported_inputs: ClassVar[frozenset[str]] = frozenset({"initial"})
    """Fields of `Inputs` that the architecture can use; a model's catalogue entry may allow fewer."""
    expand_timesteps: ClassVar[bool] = False
    """Its network takes a timestep for every token."""
    supports_compile: ClassVar[bool] = True
    """Its network's blocks can be compiled: no hooks are added to their layers for single passes."""
    supports_cache: ClassVar[bool] = True
    """Its network's blocks can be skipped by a step cache: nothing is added to their outputs."""

    def __init__(
        self,
        spec: ModelSpec,
        parts: Parts,
        dtype: torch.dtype,
        config: Mapping[str, Any],
        *,
        exact: bool = False,
    ) -> None:
        self.spec = spec
        self.parts = parts
        self.dtype = dtype
        self.config = config
        self.exact = exact

    @classmethod
    def check_checkpoint(cls, spec: ModelSpec, checkpoint: Checkpoint) -> None:
        """Check that a checkpoint is of this architecture and complete.

        Raises:
            ModelError: it is of another architecture, or a part is missing.
        """
        experts = 1 + checkpoint.has("transformer_2")
        if experts != spec.experts:
            raise ModelError(
                f"{checkpoint.folder} has {experts} transformers, but {spec.name} needs {spec.experts}"
            )
        expands = bool(checkpoint.index.get("expand_timesteps"))
        for part in ("transformer", "transformer_2")[:experts]:
            config = checkpoint.config(part)
            if (class_name := config.get("_class_name")) != cls.network:
                raise ModelError(
                    f"{checkpoint.folder} holds a {class_name}, but {spec.name} needs a {cls.network}"
                )
            if expands != cls.expand_timesteps or not cls.matches_config(config):
                raise ModelError(f"{checkpoint.folder} is not of the architecture {spec.architecture}")

    @classmethod
    def check_placement(cls, spec: ModelSpec, placement: Placement) -> None:
        """Check that this architecture supports a placement's compilation and step cache.

        Raises:
            ResourceError: naming the field.
        """
        for field, served in (("compile", cls.supports_compile), ("cache", cls.supports_cache)):
            if getattr(placement, field) and not served:
                raise ResourceError(f"{field}: is not served for {spec.name}", hint=f"leave --{field} out")

    @classmethod
    def matches_config(cls, config: dict[str, Any]) -> bool:
        """Whether a transformer's configuration belongs to this architecture."""
        return config.get("in_channels") == config.get("out_channels")

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """Names of the parts to load besides the transformers."""
        return "text_encoder", "vae"

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Check that required inputs are there and fit together; sizes are checked before.

        Raises:
            RequestError: naming the input.
        """

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Number of latent frames that `encode` encodes, for progress."""
        return 0

    def encode(
        self,
        shot: Shot,
        inputs: Inputs,
        canvas: Canvas,
        tick: Callable[[int], None],
    ) -> Condition:
        """The condition of a shot, from its inputs and strengths.

        Args:
            shot: settled.
            inputs: checked.
            canvas: of the shot.
            tick: called with the number of latent frames just encoded, `encoded_frames` in all.
        """
        return Condition()

    def prepare(self, condition: Condition) -> Condition:
        """The condition with what is computed at the start of a run, because it takes much memory."""
        return condition
