"""How long the command line takes to answer, beside the smallest program of the same libraries.

    python benchmarks/startup.py

Exits with 1 where `wangp --help` takes more than twice the CPU time of one command on Typer and pydantic.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 7
BAR = 2.0
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
    "one command": ["-c", SMALLEST, "--help"],
    "wangp --help": ["-m", "wangp_cli", "--help"],
    "wangp generate --help": ["-m", "wangp_cli", "generate", "--help"],
    "wangp models": ["-m", "wangp_cli", "models"],
    "wangp generate --dry-run": ["-m", "wangp_cli", "generate", "a red circle", "--dry-run"],
}


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """User and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure in turns, so that a busy moment meets all alike; 1 if the bar is missed."""
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, arguments in COMMANDS.items():
                found[name].append(cpu_seconds(arguments, str(Path(folder))))
    # Other work on the machine only ever adds, so the least is the truest.
    least = {name: min(times) for name, times in found.items()}
    for name, seconds in least.items():
        ratio = seconds / least["one command"]
        median = statistics.median(found[name])
        print(f"{name:26} {seconds * 1000:6.0f} ms CPU, median {median * 1000:6.0f}, {ratio:.2f} x")
    return int(least["wangp --help"] > BAR * least["one command"])


if __name__ == "__main__":
    sys.exit(main())
