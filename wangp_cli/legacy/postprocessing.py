"""Documents of WanGP that only finish a video that is there: its mode `edit_postprocessing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.legacy.old_keys import NEUTRAL, SERVED_WORDS
from wangp_cli.legacy.value_parsers import file_name, parse_value, quote_value

MODE = "edit_postprocessing"
UNSERVED = ("temporal_upsampling", "postprocess_audio", "replace_voice_method")
"""Keys of further steps, which are tasks of their own or not served."""
GIVEN_AS = {"video": "video_source", "factor": "spatial_upsampling"}
"""The key by which each field is given."""
_HINTS = {"temporal_upsampling": "`wangp rife` makes the frames in between"}


def is_postprocessing(settings: Mapping[str, Any]) -> bool:
    """Whether a document of WanGP finishes a video; its keys about a generation are without effect."""
    return settings.get("mode") == MODE


def to_upscale_task(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values of the `upscale` task that does the same, and notices.

    Raises:
        RequestError: names the key that is missing, wrong or not served.
    """
    for key in UNSERVED:
        if settings.get(key, "") not in NEUTRAL.get(key, ("",)):
            hint = _HINTS.get(key, f"leave {key} out")
            raise RequestError(key, f"{quote_value(settings[key])} is not served", hint=hint)
    word = settings.get("spatial_upsampling") or ""
    if word not in SERVED_WORDS["spatial_upsampling"]:
        raise RequestError(
            "spatial_upsampling", f"{quote_value(word)} is not served", hint="wangp upscale --help"
        )
    values = {
        "type": "upscale",
        "video": parse_value("video_source", file_name, settings.get("video_source")),
        "factor": word.removeprefix("lanczos") or "1",
        **({"engine": "lanczos"} if word else {}),
        **{
            key: settings[key] for key in ("film_grain_intensity", "film_grain_saturation") if key in settings
        },
    }
    seed = settings.get("seed")
    if isinstance(seed, int) and seed >= 0 and values.get("film_grain_intensity"):
        values["seed"] = seed
    notices = [f"spatial_upsampling: {word}, sides become even, not multiples of 16"] if word else []
    return values, notices
