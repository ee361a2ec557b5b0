"""WanGP's keys that count only with a letter code, a model or another key, and the letters that count.

WanGP writes every key into its documents, whether it is in use or not; a value that is not in use asks for
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wangp_cli.legacy import wangp_models
from wangp_cli.legacy.letter_codes import AUDIO, IMAGE, VIDEO
from wangp_cli.legacy.old_keys import RENAMED
from wangp_cli.legacy.text_syntax import is_enhanced

MODEL_KEYS = ("model_type", "model", "model_name", "base_model_type")
"""Keys that name the model; the last one is that of WanGP of which the model is a variant."""
_INPUT_OF_LETTER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    IMAGE: {"S": ("image_start",), "E": ("image_end",), "V": ("video_source",)},
    VIDEO: {
        "V": ("video_guide", "image_guide"),
        "A": ("video_mask", "image_mask"),
        "I": ("image_refs",),
    },
    AUDIO: {"A": ("audio_guide",), "B": ("audio_guide2",)},
}
"""Inputs that stand for a letter where a document has no letter code."""
_FILES = (
    "image_guide",
    "image_mask",
    "video_guide",
    "video_mask",
    "video_guide2",
    "audio_guide2",
    "audio_source",
    "replace_voice_sample",
    "replace_voice_sample2",
    "seedvc_voice_sample",
)
"""Keys in `_CONDITIONS` that name files."""
_OF_CONTROL = frozenset("POLDESCBHMRQUGATNXYWZ+-|&#0123456789")
"""Letters about the control video, without effect where there is none."""


@dataclass(frozen=True, kw_only=True)
class _Document:
    """What decides which keys of a document count.

    Args:
        model: name of its model; "" where it names none.
        image: letters of `image_prompt_type` that count.
        video: letters of `video_prompt_type` that count.
        audio: letters of `audio_prompt_type` that count.
        still: it makes images.
        settings: all its keys.
        given: fields that have a value from elsewhere.
    """

    model: str
    image: str
    video: str
    audio: str
    still: bool
    settings: Mapping[str, Any]
    given: Collection[str]

    @property
    def has_windows(self) -> bool:
        """Whether the video may be made in windows; a given length or window may change that."""
        if self.still or not wangp_models.has_windows(self.model):
            return False
        length, window = self.settings.get("video_length"), self.settings.get("sliding_window_size")
        fits = isinstance(length, int) and isinstance(window, int) and length <= window
        one_run = fits and not set(self.image) & set("VL")
        return not one_run or bool({"frames", "sliding_window_size"} & set(self.given))

    @property
    def has_mask(self) -> bool:
        """Whether the control video has a mask that is used."""
        return "A" in self.video

    @property
    def has_control(self) -> bool:
        """Whether there is a control video or image."""
        return "V" in self.video

    def has(self, key: str) -> bool:
        """Whether a key has a value that is not empty, 0 or false."""
        return bool(self.settings.get(key))

    @property
    def outpainting(self) -> str:
        """The sides that are painted around the control video, in percent; "" for none."""
        text = str(self.settings.get("video_guide_outpainting", "#") or "")
        return "" if text.startswith("#") or set(text.split()) == {"0"} else text

    @property
    def outpainting_is_off(self) -> bool:
        """Whether nothing is painted around the control video, whatever the ratio is."""
        text = str(self.settings.get("video_guide_outpainting", "#") or "")
        used = wangp_models.outpaints(self.model) and set(self.video) & set("VFK")
        return text.startswith("#") or not used


_WINDOW_KEYS = (
    "sliding_window_overlap",
    "sliding_window_discard_last_frames",
    "sliding_window_overlap_noise",
    "sliding_window_color_correction_strength",
    "sliding_window_trim_first_frames",
)
_CONDITIONS: Mapping[str, Callable[[_Document], Any]] = {
    "denoising_strength": lambda it: "G" in it.video or it.has("vid2vid_init_video"),
    "masking_strength": lambda it: it.has_mask and "G" in it.video,
    "mask_expand": lambda it: it.has_mask,
    "keep_frames_video_guide": lambda it: (
        it.has_control and not it.still and wangp_models.keeps_guide_frames(it.model)
    ),
    "keep_frames_video_source": lambda it: not it.still and set(it.image) & set("VL"),
    "video_guide_outpainting": lambda it: it.outpainting and not it.outpainting_is_off,
    "video_guide_outpainting_ratio": lambda it: not it.outpainting_is_off,
    "frames_positions": lambda it: "F" in it.video,
    "remove_background_images_ref": lambda it: "I" in it.video and wangp_models.removes_backgrounds(it.model),
    "control_net_weight": lambda it: set(it.video) & set("VI") and wangp_models.scales_control(it.model),
    "video_guide2": lambda it: "+" in it.video,
    "video_guide": lambda it: not it.still,
    "video_mask": lambda it: not it.still,
    "image_guide": lambda it: it.still or "image_mode" not in it.settings,
    "image_mask": lambda it: it.still or "image_mode" not in it.settings,
    "batch_size": lambda it: it.still,
    "min_frames_if_references": lambda it: it.still and set(it.video) & set("VI"),
    "sliding_window_size": lambda it: not it.still and wangp_models.has_windows(it.model),
    **dict.fromkeys(_WINDOW_KEYS, lambda it: it.has_windows),
    "audio_guide2": lambda it: "B" in it.audio,
    "audio_guidance_scale": lambda it: set(it.audio) & set("AB"),
    "audio_scale": lambda it: set(it.audio) & set("AB"),
    # Before WanGP had this key, a custom soundtrack was used wherever there was one.
    "audio_source": lambda it: it.settings.get("postprocess_audio", "custom") == "custom",
    "replace_voice_sample": lambda it: it.has("replace_voice_method"),
    "replace_voice_sample2": lambda it: it.has("replace_voice_method"),
    "seedvc_voice_sample": lambda it: "seedvc" in str(it.settings.get("postprocess_audio", "seedvc")),
    "MMAudio_prompt": lambda it: it.has("MMAudio_setting"),
    "MMAudio_neg_prompt": lambda it: it.has("MMAudio_setting"),
    "motion_amplitude": lambda it: not it.still and wangp_models.scales_motion(it.model),
    "NAG_scale": lambda it: wangp_models.takes_nag(it.model),
    "RIFLEx_setting": lambda it: not it.still and wangp_models.extends_positions(it.model),
    "force_fps": lambda it: not it.still,
    "temporal_upsampling": lambda it: not it.still,
    "attention_sparsity": lambda it: it.settings.get("override_attention") == "sol",
    "prompt_enhancer": lambda it: not (it.has("enhanced_prompt") or is_enhanced(it.settings.get("prompt"))),
}
"""Whether a key counts, for keys that do not always count."""


def drop_unused_keys(
    settings: Mapping[str, Any], given: Collection[str] | None
) -> tuple[dict[str, Any], list[str]]:
    """A document of WanGP without the keys that have no effect, and with the letters that have one.

    Args:
        settings: the document.
        given: input fields that have a value from elsewhere; None if that is not known yet.

    Returns:
        the document, and a notice for each file that is not used.
    """
    document = _read(settings, given or ())
    unused = {key for key in settings.keys() & _CONDITIONS if not _CONDITIONS[key](document)}
    notices = [
        f"{key}: not used, nothing in the document uses it"
        for key in _FILES
        if key in unused and settings[key]
    ]
    kept = {key: value for key, value in settings.items() if key not in unused}
    letters = {IMAGE: document.image, VIDEO: document.video, AUDIO: document.audio}
    # What is no letter code is left for the reader of letters, which refuses it.
    return kept | {key: text for key, text in letters.items() if _is_code(key, settings.get(key))}, notices


def _is_code(key: str, value: Any) -> bool:
    return isinstance(value, str) or (key == IMAGE and _is_old_number(value))


def _is_old_number(value: Any) -> bool:
    """Whether it is a letter code as the first versions of WanGP wrote it: 0 for S, 1 for SE."""
    return value in (0, 1) and not isinstance(value, bool)


def _read(settings: Mapping[str, Any], given: Collection[str]) -> _Document:
    model = wangp_models.known_name(_text(settings.get(key)) for key in MODEL_KEYS)
    still = settings.get("image_mode") in (1, 2)
    image, video, audio = (_letters(key, settings, given) for key in (IMAGE, VIDEO, AUDIO))
    allowed = wangp_models.image_letters(model)
    if allowed is not None:
        image = "".join(letter for letter in image if letter in allowed or not letter.isascii())
    if still:
        image = image.replace("V", "").replace("L", "")
    video = _video_letters(video)
    return _Document(
        model=model,
        image=image,
        video=video,
        # Inputs without a letter code were named on purpose, also for a model that takes none.
        audio=audio if settings.get(AUDIO) is None else _audio_letters(audio, video, model),
        still=still,
        settings=settings,
        given=given,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _letters(key: str, settings: Mapping[str, Any], given: Collection[str]) -> str:
    """The letters of a document, or those that its inputs stand for where it has no letter code."""
    letters = settings.get(key)
    if key == IMAGE and _is_old_number(letters):
        return "SE" if letters else "S"
    if letters is not None:
        return _text(letters)
    named = {RENAMED.get(name, name) for name, value in settings.items() if value}.union(given)
    return "".join(letter for letter, fields in _INPUT_OF_LETTER[key].items() if named.intersection(fields))


def _video_letters(letters: str) -> str:
    """The letters that count: those about a control video or references need one."""
    unused: set[str] = set()
    if "V" not in letters:
        unused |= _OF_CONTROL - {"M"}
    if "V" in letters and ("A" not in letters or "U" in letters):
        unused |= set("ANXYWZ")
    if "I" not in letters:
        unused |= set("KFJ")
    return "".join(letter for letter in letters if letter not in unused)


def _audio_letters(letters: str, video: str, model: str) -> str:
    """The letters that count: A and B need a model that takes speech, the others an audio input."""
    unused: set[str] = set()
    if not wangp_models.takes_speech(model):
        unused |= set("ABXCPVNFO12L")
    if "V" not in video:
        unused |= set("KR")
    kept = [letter for letter in letters if letter not in unused]
    if not set(kept) & set("ABK"):
        unused |= set("XCPVNFO12")
    if "B" not in kept:
        unused |= set("CPN")
    return "".join(letter for letter in letters if letter not in unused)
