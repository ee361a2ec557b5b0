"""CPU time and memory per task of the job engine, and one batch compared with one process per task.

    python -m benchmarks.batch [--tasks N ...] [--calls N] [--folder FOLDER]

The first part runs a model that computes nothing; the time for encoding its images is subtracted. The second
part generates with the starter, in one batch and in one process per task. Exits with 1 if the longest run
takes more than 3 ms CPU per task or 15 % more memory than the shortest, or if a batch takes longer than a
start-up and its calls, plus 10 %.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.rows import Rows

MAX_MS_PER_TASK = 3.0
MAX_MEMORY_GROWTH = 1.15
SLACK = 1.1


def measure(tasks: int, folder: Path) -> dict[str, float]:
    """Run no-op tasks in this process; gives CPU seconds, those of encoding, and peak memory in MB."""
    from tests.support import noop

    noop.use()
    from wangp_cli.main import app
    from wangp_cli.runtime.jobs import batch  # noqa: F401 - imported before the clock starts
    from wangp_cli.workflows import result

    os.environ |= noop.register(folder / "config") | {"HOME": str(folder)}
    lines = folder / "tasks.jsonl"
    with lines.open("w") as file:
        for number in range(tasks):
            file.write(json.dumps({"model": "noop", "prompt": f"image {number}", "seed": number}) + "\n")
    encoding = 0.0
    write_image = vars(result)["write_image"]

    def timed(*arguments: Any, **more: Any) -> None:
        nonlocal encoding
        began = time.thread_time()
        write_image(*arguments, **more)
        encoding += time.thread_time() - began

    setattr(result, "write_image", timed)  # noqa: B010 - the module has no hook for timing
    with Path(os.devnull).open("w") as sys.stdout:
        began = time.process_time()
        app(["batch", str(lines), "--output-dir", str(folder / "out")], standalone_mode=False)
        seconds = time.process_time() - began
    sys.stdout = sys.__stdout__
    assert len(list((folder / "out").glob("*.png"))) == tasks
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "encoding": encoding, "memory": memory}


def curve(counts: list[int], folder: Path | None) -> bool:
    """Print the cost of runs of several lengths; gives whether the longest is within the limits."""
    rows = Rows("tasks", "CPU ms per task", "of it encoding", "engine", "memory MB")
    costs = []
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            words = [sys.executable, "-m", "benchmarks.batch", "--child", str(count), place]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
        one: dict[str, float] = json.loads(done.stdout)
        total, encoding = one["seconds"] / count * 1000, one["encoding"] / count * 1000
        costs.append((total - encoding, one["memory"]))
        shown = f"{total:.2f}", f"{encoding:.2f}", f"{total - encoding:.2f}", f"{one['memory']:.0f}"
        rows.add(str(count), *shown)
    return costs[-1][0] <= MAX_MS_PER_TASK and costs[-1][1] <= MAX_MEMORY_GROWTH * costs[0][1]


def elapsed(call: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


def compare_with_processes(calls: int, console: Console) -> bool:
    """Time starter tasks in one batch and in separate processes; gives whether the batch is in bounds."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prompt = "a red circle moves right"
        shot: dict[str, object] = {"model": "starter", "prompt": prompt, "frames": 17}

        def batch(count: int) -> None:
            lines = folder / f"{count}.jsonl"
            lines.write_text("".join(json.dumps(shot | {"seed": seed}) + "\n" for seed in range(count)))
            _wangp("batch", str(lines), "--output-dir", str(folder / str(count)))

        def processes() -> None:
            for seed in range(calls):
                words = ["-m", "starter", "--frames", "17", "--seed", str(seed), "--output-dir", place]
                _wangp("generate", prompt, *words)

        one = elapsed(lambda: batch(1))
        batch(2)
        # The second task of a batch loads nothing, so its time is that of the call alone.
        history = (folder / "2" / "manifests" / "run_history.jsonl").read_text().splitlines()
        call = float(json.loads(history[1])["seconds"])
        batched, separate = elapsed(lambda: batch(calls)), elapsed(processes)
    bound = one - call + calls * call * SLACK
    console.print(
        f"one task {one:.1f} s, of it the call {call:.1f} s; {calls} tasks in one batch {batched:.1f} s"
    )
    console.print(f"one start-up and {calls} calls + 10 %: {bound:.1f} s; {calls} processes {separate:.1f} s")
    console.print(f"a batch is {separate / batched:.1f} times as fast as processes")
    return batched <= bound


def _wangp(*words: object) -> None:
    subprocess.run(
        [sys.executable, "-m", "wangp_cli", *map(str, words)], check=True, stdout=subprocess.DEVNULL
    )


def main() -> None:
    """Run both parts, print the results, and exit with 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--calls", type=int, default=20, help="tasks with the starter; 0 skips them")
    parser.add_argument(
        "--folder", type=Path, help="parent of temporary folders; one in memory avoids disk writes"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    console = Console()
    if options.child:
        print(json.dumps(measure(int(options.child[0]), Path(options.child[1]))))
        return
    fine = curve(options.tasks, options.folder)
    if options.calls:
        fine = compare_with_processes(options.calls, console) and fine
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
