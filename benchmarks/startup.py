"""CPU time of commands that load no weights, relative to the smallest program on Typer and pydantic.

    python benchmarks/startup.py

Prints each ratio and exits with 1 where one is above the bar.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 9
BAR = 1.5
BASELINE = "smallest program"
SMALLEST = """
import typer
from pydantic import BaseModel

class Values(BaseModel):
    steps: int = 30

app = typer.Typer()

@app.command()
def main(steps: int = 30) -> None:
    print(Values(steps=steps))

app()
"""
COMMANDS = {
    BASELINE: ["-c", SMALLEST, "--help"],
    "wangp --help": ["-m", "wangp_cli", "--help"],
    "wangp generate --help": ["-m", "wangp_cli", "generate", "--help"],
    "wangp batch --help": ["-m", "wangp_cli", "batch", "--help"],
    "wangp models": ["-m", "wangp_cli", "models"],
    "wangp generate --dry-run": ["-m", "wangp_cli", "generate", "a red circle", "--dry-run"],
}


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """User and system time of one process whose working directory and bytecode cache are `folder`."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure the commands in turns, so that a busy moment slows all alike; 1 if one misses the bar."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for arguments in COMMANDS.values():
            # Installed packages have their bytecode on disk.
            cpu_seconds(arguments, folder)
        for _ in range(ROUNDS):
            for name, arguments in COMMANDS.items():
                times[name].append(cpu_seconds(arguments, folder))
    # Other work on the machine only adds time, so the least is closest to the command's own.
    least = {name: min(seconds) for name, seconds in times.items()}
    ratios = {name: seconds / least[BASELINE] for name, seconds in least.items()}
    for name, ratio in ratios.items():
        median = statistics.median(times[name])
        verdict = "" if ratio <= BAR else f"  above {BAR}"
        print(
            f"{name:26} {least[name] * 1000:6.0f} ms CPU, median {median * 1000:6.0f}, {ratio:.2f} x{verdict}"
        )
    return int(max(ratios.values()) > BAR)


if __name__ == "__main__":
    sys.exit(main())
