"""Audio of cached segments: a NumPy archive beside the frames."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from wangp_cli.errors import MediaError
from wangp_cli.files.atomic import atomic_file
from wangp_cli.media.channels import layout_of
from wangp_cli.media.clip import Audio


def audio_file(frames: Path) -> Path:
    """The file of a cached segment's audio, by that of its frames."""
    return frames.with_suffix(".npz")


def write_audio(path: Path, audio: Audio | None) -> None:
    """Write generated audio; where there is none, there is no file.

    Raises:
        NoSpaceError: the disk is full or the folder cannot be written.
    """
    if audio is None:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path, overwrite=True) as partial:
        np.savez(partial, samples=audio.samples, rate=audio.rate, layout=layout_of(audio))


def read_cached_audio(path: Path) -> Audio | None:
    """Read what `write_audio` wrote.

    Raises:
        MediaError: the file is damaged.
        OSError: it cannot be read.
    """
    try:
        with np.load(path) as archive:
            layout = str(archive["layout"]) if "layout" in archive else None
            return Audio(samples=archive["samples"], rate=int(archive["rate"]), layout=layout)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MediaError(f"{path.name!r} holds no audio: {error}") from None
