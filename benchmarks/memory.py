"""Peak memory of long travels above that of the process, with a model that computes nothing.

    python -m benchmarks.memory [--segments N N ...] [--frames N] [--size WxH]

Each length runs in its own process: first a short travel, then the baseline is read, then the long one.
Exits with 1 if the peak above the baseline is more than 1.2 times the raw size of the clip, or if it grows by
more than a tenth from the shortest to the longest clip. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.rows import Rows
from tests.support import noop
from wangp_cli.media.stills import write_image
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.session import Session
from wangp_cli.tasks.fields import size_of
from wangp_cli.value_layers import Layer

MAX_SHARE, MAX_GROWTH = 1.2, 1.1
"""Limits: of the clip's raw size, and from the shortest to the longest clip."""
STATUS_FIELDS = {"now": "VmRSS", "peak": "VmHWM"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """Measurements of one travel; sizes in bytes."""

    segments: int
    frames: int
    baseline: int
    peak: int
    raw: int
    seconds: float

    @property
    def above(self) -> int:
        """Peak memory of the travel itself."""
        return self.peak - self.baseline


def resident(kind: str) -> int:
    """Resident bytes of this process, `now` or at the `peak`."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(STATUS_FIELDS[kind]))


def reset_peak() -> None:
    """Reset the peak resident size to the current one."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def travel(session: Session, folder: Path, segments: int, frames: int, size: str) -> int:
    """Run a travel of `segments` segments; gives its length in frames."""
    width, height = size_of(size)
    images = []
    for index in range(segments + 1):
        image = np.full((1, height, width, 3), 40 + index % 160, np.uint8)
        images.append(folder / f"{size}-{index}.png")
        write_image(images[-1], image)
    values = {
        "type": "travel",
        "model": "noop",
        "images": images,
        "frames": frames,
        "size": size,
        "seed": 1,
        "output": folder / f"{segments}-{size}.mp4",
    }
    outcome = execute(lambda: [Layer(kind="flag", values=values)], session)
    if outcome.error:
        raise outcome.error
    assert outcome.manifest is not None
    total: int = outcome.manifest["plan"]["total"]
    return total


def measure(segments: int, frames: int, size: str) -> Result:
    """Measure one travel in this process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(noop.register(folder / "config"))
        session = bootstrap.start([], adapters=noop.ADAPTERS)
        travel(session, folder, 2, 17, "96x96")
        baseline = resident("now")
        reset_peak()
        began = time.monotonic()
        total = travel(session, folder, segments, frames, size)
        width, height = size_of(size)
        return Result(
            segments=segments,
            frames=total,
            baseline=baseline,
            peak=resident("peak"),
            raw=total * width * height * 3,
            seconds=time.monotonic() - began,
        )


def show(rows: Rows, one: Result) -> None:
    """Print a result."""
    sizes = (f"{size / 1e6:.0f} MB" for size in (one.baseline, one.above, one.raw))
    share = f"{one.above / one.raw:.0%}"
    rows.add(str(one.segments), str(one.frames), f"{one.seconds:.0f}", *sizes, share)


def holds(results: list[Result]) -> bool:
    """Whether all limits hold."""
    flat = results[-1].above <= MAX_GROWTH * results[0].above
    return flat and all(one.above <= MAX_SHARE * one.raw for one in results)


def main() -> int:
    """Measure and print; 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--segments", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--size", default="832x480")
    parser.add_argument("--here", action="store_true", help="measure one length in this process, as JSON")
    options = parser.parse_args()
    if options.here:
        sys.stdout.write(
            json.dumps(asdict(measure(options.segments[0], options.frames, options.size))) + "\n"
        )
        return 0
    rows = Rows("segments", "frames", "seconds", "baseline", "above it", "raw clip", "share")
    results = []
    for segments in options.segments:
        command = [sys.executable, "-m", "benchmarks.memory", "--here", "--segments", str(segments)]
        command += ["--frames", str(options.frames), "--size", options.size]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results.append(Result(**json.loads(done.stdout.splitlines()[-1])))
        show(rows, results[-1])
    return int(not holds(results))


if __name__ == "__main__":
    sys.exit(main())
