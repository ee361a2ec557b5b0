"""The Wan architectures by name; `ModelSpec.architecture` names one."""

from __future__ import annotations

from types import MappingProxyType

from wangp_cli.pipelines.wan.animate import Animate
from wangp_cli.pipelines.wan.architecture import Architecture
from wangp_cli.pipelines.wan.diffusion_forcing import DiffusionForcing
from wangp_cli.pipelines.wan.fantasy_talking import FantasyTalking
from wangp_cli.pipelines.wan.image_to_video import FirstAndLastFrame, ImageToVideo
from wangp_cli.pipelines.wan.phantom import Phantom
from wangp_cli.pipelines.wan.recammaster import ReCamMaster
from wangp_cli.pipelines.wan.ti2v import TextAndImageToVideo
from wangp_cli.pipelines.wan.uni3c import CameraControl, ImageToVideoWithCamera
from wangp_cli.pipelines.wan.vace import Vace

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
"""Classes by `ModelSpec.architecture`."""
