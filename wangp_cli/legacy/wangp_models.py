"""What WanGP's own models read of a settings document, by the model's name.

Models that are not listed count as reading everything, so that no value of theirs is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable

_T2V = frozenset({"t2v", "t2v_1.3B", "t2v_2_2", "t2v_fusionix", "t2v_sf", "moviigen"})
_I2V = frozenset(
    {
        "i2v",
        "i2v_720p",
        "i2v_fusionix",
        "i2v_2_2",
        "i2v_2_2_Enhanced_Lightning_v2",
        "fun_inp",
        "fun_inp_1.3B",
        "flf2v_720p",
        "wan_2_2_i2v_lightning_baseline_2_2_2",
        "wan_2_2_i2v_lightning_svi_3_3",
    }
)
_TI2V = frozenset({"ti2v_2_2", "ti2v_2_2_fastwan"})
_SKYREELS = frozenset({"sky_df_1.3B", "sky_df_14B", "sky_df_720p_14B"})
_PHANTOM = frozenset({"phantom_1.3B", "phantom_14B"})
RECAMMASTER = "recam_1.3B"
_VACE = frozenset(
    {
        "vace_1.3B",
        "vace_14B",
        "vace_14B_cocktail",
        "vace_14B_fusionix",
        "vace_14B_sf",
        "vace_14B_2_2",
        "vace_14B_cocktail_2_2",
        "vace_14B_lightning_3p_2_2",
        "vace_fun_14B_2_2",
        "vace_fun_14B_cocktail_2_2",
        "wan_2_2_vace_lightning_baseline_2_2_2",
    }
)
_KNOWN = _T2V | _I2V | _TI2V | _SKYREELS | _PHANTOM | _VACE | {RECAMMASTER, "fantasy", "animate"}
_WINDOWLESS = _PHANTOM | {"t2v_1.3B", RECAMMASTER}
_IMAGE_LETTERS = {
    **dict.fromkeys(_T2V | _VACE | {"animate"}, "TVL"),
    **dict.fromkeys(_I2V, "SEVL"),
    **dict.fromkeys(_TI2V, "TSVL"),
    **dict.fromkeys(_SKYREELS, "TSV"),
    **dict.fromkeys(_PHANTOM | {RECAMMASTER, "t2v_1.3B"}, ""),
    "fantasy": "SVL",
}


def known_name(names: Iterable[str]) -> str:
    """The first of several names of a model that is listed, else the first one; "" without any."""
    given = [name for name in names if name]
    return next((name for name in given if name in _KNOWN), given[0] if given else "")


def image_letters(model: str) -> str | None:
    """The letters of `image_prompt_type` that a model knows; None where that is not known."""
    return _IMAGE_LETTERS.get(model)


def has_windows(model: str) -> bool:
    """Whether a model makes long videos in sliding windows."""
    return model not in _WINDOWLESS


def takes_speech(model: str) -> bool:
    """Whether a model takes speech audio."""
    return model not in _KNOWN or model == "fantasy"


def scales_control(model: str) -> bool:
    """Whether a model has a scale for its control video and references."""
    return model not in _KNOWN or model in _VACE


def outpaints(model: str) -> bool:
    """Whether a model paints around its control video."""
    return model not in _KNOWN or model in _VACE or model == "animate"


def keeps_guide_frames(model: str) -> bool:
    """Whether a model can be told which frames of the control video to keep."""
    return model not in _KNOWN or model != "animate"


def removes_backgrounds(model: str) -> bool:
    """Whether the background of reference images is removed for a model."""
    return model not in _KNOWN or model in _VACE | _PHANTOM


def scales_motion(model: str) -> bool:
    """Whether `motion_amplitude` means something to a model."""
    return model not in _KNOWN or model in _I2V


def takes_nag(model: str) -> bool:
    """Whether a model has normalised attention guidance."""
    return model not in _KNOWN or model in (_VACE | _T2V | _I2V) - {"t2v_1.3B"}


def extends_positions(model: str) -> bool:
    """Whether `RIFLEx_setting` means something to a model."""
    return model != RECAMMASTER
