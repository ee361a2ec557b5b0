"""A pipeline that computes nothing, for tests and benchmarks of everything but models.

`python -m tests.support.noop batch ...` is the real command line with this adapter instead of Wan's.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wangp_cli.errors import OutOfMemoryError
from wangp_cli.media.clip import Frames
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines import registry
from wangp_cli.pipelines.base import Decoded, Inputs, LoadedLora, Lora, Placement, Progress
from wangp_cli.pipelines.registry import Adapters
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot


class Noop:
    """Grey frames of the right size; `steps` of a task are real calls of `progress`.

    A word in the prompt changes a run: with `sleep` each step takes 20 ms; with `oom` memory suffices for
    profile 3 only, with `oom all` for none; with `flaky` the first attempt fails with EIO; with `crash` it
    raises ZeroDivisionError; with `noise` frames are random, so that their files are large.
    """

    profile_reason = "as asked"

    def __init__(self, spec: ModelSpec, placement: Placement) -> None:
        self.spec = spec
        self.placement = replace(placement, profile="1" if placement.profile == "auto" else placement.profile)
        self._failed: set[str] = set()

    def set_loras(self, _loras: Sequence[Lora]) -> list[LoadedLora]:
        """LoRAs are ignored."""
        return []

    def reconfigure(self, placement: Placement) -> None:
        """Nothing to reconfigure."""

    def tiles(self, _latents: Shot) -> list[int | None]:
        """The VAE has no tiles."""
        return [None]

    def encode(self, _shot: Shot, _inputs: Inputs, progress: Progress) -> None:
        """No conditioning."""
        progress("encode", 1, 1)

    def denoise(self, shot: Shot, _conditioning: None, progress: Progress) -> Shot:
        """Report the steps, or fail as the prompt asks."""
        if "oom" in shot.prompt and ("all" in shot.prompt or self.placement.profile != "3"):
            raise OutOfMemoryError("out of memory")
        if "flaky" in shot.prompt and shot.prompt not in self._failed:
            self._failed.add(shot.prompt)
            raise OSError(errno.EIO, "Input/output error")
        if "crash" in shot.prompt:
            raise ZeroDivisionError("a bug")
        for step in range(shot.steps):
            if "sleep" in shot.prompt:
                time.sleep(0.02)
            progress("denoise", step + 1, shot.steps)
        return shot

    def decode(self, latents: Shot, progress: Progress, _tile: int | None = None) -> Decoded:
        """Frames of one grey, which the seed decides."""
        return Decoded(frames=self._frames(latents, progress))

    def _frames(self, latents: Shot, progress: Progress) -> Iterator[Frames]:
        width, height = size_of(latents.size)
        progress("decode", 1, 1)
        shape = (int(latents.frames), height, width, 3)
        if "noise" in latents.prompt:
            yield np.random.default_rng(latents.seed).integers(0, 256, shape, np.uint8)
        else:
            yield np.full(shape, latents.seed % 256, np.uint8)

    def close(self) -> None:
        """Holds no memory."""


def load(spec: ModelSpec, _folder: Path, placement: Placement, *_rest: Any) -> Noop:
    """The `load` of `Noop`."""
    return Noop(spec, placement)


ADAPTERS: Adapters = {"wan": load}
"""This adapter instead of Wan's."""


def register(folder: Path) -> dict[str, str]:
    """Write catalogue entries of the models `noop` and `noop2`; returns the environment that finds them."""
    weights = folder / "weights"
    weights.mkdir(parents=True)
    (weights / "model_index.json").write_text("{}")
    (folder / "models").mkdir()
    accepts = "[start, end, control, mask, source, references, negative, audio]"
    defaults = "{size: 32x32, frames: 1, fps: '8', steps: 2}"
    lines = ["family: wan", "models:"]
    for name in ("noop", "noop2"):
        lines.append(
            f"  {name}: {{title: No-op, architecture: vace, source: {{folder: {weights}}}, "
            f"accepts: {accepts}, defaults: {defaults}}}"
        )
    (folder / "models" / "noop.yaml").write_text("\n".join(lines) + "\n")
    return {"WANGP_CONFIG_DIR": str(folder)}


def use() -> None:
    """Replace Wan's adapter in this process, for code that starts its sessions with the shipped ones."""
    setattr(registry, "ADAPTERS", ADAPTERS)  # noqa: B010 - mypy: a constant elsewhere


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    use()
    from wangp_cli.main import main

    main()
