"""The kinds of Wan networks there are; a catalogue entry chooses one by name."""

from __future__ import annotations

from types import MappingProxyType

from wangp_cli.pipelines.wan_animate import Animate
from wangp_cli.pipelines.wan_architecture import Architecture
from wangp_cli.pipelines.wan_fantasy import FantasyTalking
from wangp_cli.pipelines.wan_forcing import DiffusionForcing
from wangp_cli.pipelines.wan_image import FirstAndLastFrame, ImageToVideo
from wangp_cli.pipelines.wan_phantom import Phantom
from wangp_cli.pipelines.wan_recam import ReCamMaster
from wangp_cli.pipelines.wan_tokens import TextAndImageToVideo
from wangp_cli.pipelines.wan_uni3c import CameraControl, ImageToVideoWithCamera
from wangp_cli.pipelines.wan_vace import Vace

ARCHITECTURES: MappingProxyType[str, type[Architecture]] = MappingProxyType(
    {
        "t2v": Architecture,
        "i2v": ImageToVideo,
        "flf2v": FirstAndLastFrame,
        "vace": Vace,
        "ti2v": TextAndImageToVideo,
        "phantom": Phantom,
        "diffusion_forcing": DiffusionForcing,
        "fantasy": FantasyTalking,
        "animate": Animate,
        "recam": ReCamMaster,
        "uni3c_t2v": CameraControl,
        "uni3c_i2v": ImageToVideoWithCamera,
    }
)
"""By `ModelSpec.architecture`."""
