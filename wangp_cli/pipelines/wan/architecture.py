"""What makes one kind of Wan network different from the next; each kind is a small module of its own."""

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
"""Parts beside the transformers, as checkpoints call them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """The parts of a checkpoint beside its transformers; those an architecture does not name are None."""

    text_encoder: TextEncoder
    vae: Vae
    image_encoder: ImageEncoder | None = None
    audio_encoder: AudioEncoder | None = None
    speech: SpeechModule | None = None
    control: ControlNetwork | None = None


class Architecture:
    """A kind of Wan network: how it is conditioned, and which checkpoints are of it.

    This one is text to video, and the base of the others.

    Args:
        spec: the model's catalogue entry.
        parts: of its checkpoint.
        dtype: of its transformers.
        config: of its transformers.
        exact: leave out faster kernels.
    """

    network: ClassVar[str] = "WanTransformer3DModel"
    """The class of its transformers, in diffusers."""
    supported_inputs: ClassVar[frozenset[str]] = frozenset({"initial"})
    """The fields of `Inputs` it has code for; a model's catalogue entry may allow fewer."""
    expand_timesteps: ClassVar[bool] = False
    """Its network is told a timestep for every token."""
    supports_compile: ClassVar[bool] = True
    """Its network's blocks can be compiled: nothing is hung on their layers for a single pass."""
    supports_cache: ClassVar[bool] = True
    """Its network's blocks can be left out by a step cache: nothing is added to what they give."""

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
        """Refuse a checkpoint that this code would run wrongly.

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
            if (found := config.get("_class_name")) != cls.network:
                raise ModelError(
                    f"{checkpoint.folder} holds a {found}, but {spec.name} needs a {cls.network}"
                )
            if expands != cls.expand_timesteps or not cls.matches_config(config):
                raise ModelError(f"{checkpoint.folder} is not of the architecture {spec.architecture}")

    @classmethod
    def check_placement(cls, spec: ModelSpec, placement: Placement) -> None:
        """Refuse ways to compute that this code would do wrongly.

        Raises:
            ResourceError: naming the field.
        """
        for field, served in (("compile", cls.supports_compile), ("cache", cls.supports_cache)):
            if getattr(placement, field) and not served:
                raise ResourceError(f"{field}: is not served for {spec.name}", hint=f"leave --{field} out")

    @classmethod
    def matches_config(cls, config: dict[str, Any]) -> bool:
        """Whether a transformer's configuration is of this architecture."""
        return config.get("in_channels") == config.get("out_channels")

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """The parts to load beside the transformers."""
        return "text_encoder", "vae"

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Refuse inputs that this kind of network cannot use; their sizes are right by now.

        Raises:
            RequestError: naming the input.
        """

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """How many latent frames `encode` encodes."""
        return 0

    def encode(
        self,
        shot: Shot,
        inputs: Inputs,
        canvas: Canvas,
        tick: Callable[[int], None],
    ) -> Condition:
        """Pictures and strengths as what the network sees.

        Args:
            shot: settled.
            inputs: checked.
            canvas: of the shot.
            tick: told how many latent frames are encoded, `encoded_frames` in all.
        """
        return Condition()

    def prepare(self, condition: Condition) -> Condition:
        """The condition for a run that begins now, with what would take too much memory to keep before."""
        return condition
