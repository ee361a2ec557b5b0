"""What a model family's adapter offers: three stages that can run apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from wangp_cli.tasks.lora_strength import Strength
from wangp_cli.tasks.stages import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.media.clip import Audio, Clip, Frames
    from wangp_cli.models import ModelSpec, Network
    from wangp_cli.plan.camera_paths import Pose
    from wangp_cli.tasks.runtime import Dtype, Profile, Quantization
    from wangp_cli.tasks.shot import Shot

TRANSFORMERS = ("transformer", "transformer_2")
"""The parts that denoise, as checkpoints in diffusers layout call them."""
T = TypeVar("T")


class Progress(Protocol):
    """The only way out of a stage: it reports, and may raise `Cancelled`."""

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """`done` of `total` units of `stage` are finished."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """A LoRA file and how strong it is."""

    path: Path
    strength: Strength = field(default_factory=Strength)


@dataclass(frozen=True, kw_only=True)
class LoadedLora:
    """What came of a LoRA file that was read.

    Args:
        path: the file.
        layers: how many layers and parameters it changes.
        left_out: keys for pictures that the network has no place for.
    """

    path: Path
    layers: int
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Where a model's weights are on this machine.

    Args:
        folder: in diffusers layout, holds every part that has no files.
        files: of the transformers and of further parts, in any layout that is read, by part.
        network: what the transformers' files are of; None where the folder holds them.
        allow_pickle: read pickles too, without running what they hold.
        mapped: its files are prepared to be memory-mapped: aligned, and in the requested dtype.
    """

    folder: Path
    files: tuple[tuple[str, tuple[Path, ...]], ...] = ()
    network: Network | None = None
    allow_pickle: bool = False
    mapped: bool = False


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and how a model computes.

    Args:
        device: `cpu`, `cuda`, `cuda:1`.
        dtype: `float32`, `bfloat16` or `float16`, of the transformer and the text encoder.
        mixed_precision: keep layers in float32 that the network names.
        vae_dtype: of the VAE.
        transformer_quantization: how the transformer's weights are kept.
        text_encoder_quantization: how the text encoder's weights are kept.
        profile: where weights wait; `auto` until the model is loaded.
        preload: megabytes of streamed weights on the device at once; 0 is the profile's own.
        compile: compile the transformer's blocks.
        work_dir: for weights that wait on the disk; None for a temporary folder.
        data_dir: for what is measured of models, such as a step cache's ratios.
        attention: a backend of diffusers' attention dispatcher.
        vae_tiling: `auto`, `off` or the side in pixels of the tiles that are decoded one by one.
        boost: compute both guidance branches in one pass.
        cache: a step cache and its threshold, `NAME=THRESHOLD`.
        exact: give the stock pipeline's tensors bit for bit, with none of our faster kernels.
    """

    device: str = "cpu"
    dtype: Dtype = "float32"
    mixed_precision: bool = True
    vae_dtype: Dtype = "float32"
    transformer_quantization: Quantization = "none"
    text_encoder_quantization: Quantization = "none"
    profile: Profile = "1"
    preload: int = 0
    compile: bool = False
    work_dir: Path | None = None
    data_dir: Path | None = None
    attention: str = "native"
    vae_tiling: Literal["auto", "off"] | int = "off"
    boost: bool = False
    cache: str | None = None
    exact: bool = False

    @property
    def loading(self) -> Placement:
        """What a loaded model cannot change any more: the rest at its defaults."""
        return replace(self, attention="native", vae_tiling="off", boost=False, cache=None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What conditions a shot, at the shot's exact size; `control` and `mask` also at its exact length.

    Args:
        start: RGB, one frame or several to begin with.
        end: RGB, one frame or several to end with.
        anchor: RGB, one frame that SVI holds on to; it stands in the first frame, in the place of `start`.
        motion: RGB, 1, 5, 9, ... frames that came before; the last latent frame of them stands behind the
            anchor.
        control: RGB, one frame for each of the shot.
        mask: one channel, white where the model paints; as long as the shot.
        face: RGB, square, of a size of its own, as long as the shot: the expressions of a character.
        background: RGB, as long as the shot: what stays where the mask is black.
        references: RGB pictures of one frame each, in the order given.
        fallback_control: RGB, as long as the shot, the control video of those steps in which `control` has no
            effect; without it they have none.
        initial: RGB, as long as the shot, what a denoising strength below 1 starts from instead of noise.
        speech: sound exactly as long as the shot, what a person in it says.
        camera: the camera's pose in every frame, as that of the first one sees it.
    """

    start: Clip | None = None
    end: Clip | None = None
    anchor: Clip | None = None
    motion: Clip | None = None
    control: Clip | None = None
    mask: Clip | None = None
    face: Clip | None = None
    background: Clip | None = None
    references: tuple[Clip, ...] = ()
    fallback_control: Clip | None = None
    initial: Clip | None = None
    speech: Audio | None = None
    camera: tuple[Pose, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """The result of `Pipeline.decode`.

    Args:
        frames: float32 RGB `[t, H, W, 3]` in [0, 1], in pieces, in order.
        audio: generated together with the frames; None where the model makes none.
    """

    frames: Iterator[Frames]
    audio: Audio | None = None


class Components(Protocol):
    """Keeps loaded parts (text encoders, VAEs) so that pipelines of one base share them."""

    def get(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """The part stored under `key`, made at the first call."""

    def has(self, key: tuple[str, ...]) -> bool:
        """Whether it is there already."""


class Pipeline(Protocol):
    """A loaded model. Conditioning and latents are the adapter's own types."""

    spec: ModelSpec
    placement: Placement
    """As it is now: with the profile that was chosen."""
    profile_reason: str
    """Why the profile was chosen."""

    def reconfigure(self, placement: Placement) -> None:
        """Compute as this placement says from here on; what `loading` tells apart stays as it was loaded.

        Raises:
            ResourceError: the attention backend is not available here.
        """

    def set_loras(self, loras: Sequence[Lora]) -> list[LoadedLora]:
        """Wear exactly these LoRAs; returns those whose files had to be read."""

    def encode(self, shot: Shot, inputs: Inputs, progress: Progress) -> Any:
        """Text and pictures as the model's conditioning."""

    def denoise(self, shot: Shot, conditioning: Any, progress: Progress) -> Any:
        """Latents of the shot."""

    def tiles(self, latents: Any) -> Sequence[int | None]:
        """Sides of tiles to decode with, None for whole: the one to take, then what takes less memory."""

    def decode(self, latents: Any, progress: Progress, tile: int | None = None) -> Decoded:
        """Frames of latents, with their audio where the model generates some; `tile` as in `tiles`.

        Frames are computed as they are read, so errors of decoding are raised there.
        """

    def close(self) -> None:
        """Free the memory it holds."""
