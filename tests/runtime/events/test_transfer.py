"""Progress of a transfer, for people."""

from __future__ import annotations

import io
import re

from rich.console import Console

from wangp_cli.runtime.events.transfer import Transfer


def show(steps: list[tuple[float, int]], *, total: int, terminal: bool, label: str = "1/2 a.bin") -> str:
    """What is printed for steps of (seconds, bytes)."""
    out, times = io.StringIO(), iter([*(seconds for seconds, _ in steps), steps[-1][0]])
    console = Console(file=out, force_terminal=terminal, width=120, soft_wrap=True, highlight=False)
    with Transfer("fetch x", console=console, clock=lambda: next(times)) as transfer:
        for _, done in steps:
            transfer.update(label, done, total)
            if terminal and transfer._bar:
                transfer._bar.refresh()
    return out.getvalue()


def test_without_a_terminal_there_is_the_size_then_a_line_every_few_seconds() -> None:
    steps = [(second / 2, 1_000_000_000 + second * 50_000_000) for second in range(41)]
    assert show(steps, total=3_000_000_000, terminal=False).splitlines() == [
        "fetch x: 3.0 GB, 1.0 GB of it are here",
        "1/2 a.bin  1.5 GB of 3.0 GB, 100.0 MB/s, 15 s left",
        "1/2 a.bin  2.0 GB of 3.0 GB, 100.0 MB/s, 10 s left",
        "1/2 a.bin  2.5 GB of 3.0 GB, 100.0 MB/s, 5 s left",
        "1/2 a.bin  3.0 GB of 3.0 GB, 100.0 MB/s",
        "2.0 GB in 20 s, 100.0 MB/s",
    ]


def test_the_speed_is_that_of_the_last_seconds() -> None:
    shown = show([(0, 0), (60, 6_000_000), (70, 106_000_000)], total=206_000_000, terminal=False)
    assert "10.0 MB/s, 10 s left" in shown


def test_a_size_that_is_not_known_is_said_and_nothing_moved_is_no_speed() -> None:
    shown = show([(0, 0), (6, 0)], total=0, terminal=False)
    assert shown.splitlines() == ["fetch x: size not known", "1/2 a.bin  0.0 MB"]


def test_on_a_terminal_there_is_a_bar_with_escaped_names() -> None:
    shown = show([(0, 0), (1, 5_000_000)], total=10_000_000, terminal=True, label="[red]a\x1b]0;t")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert "[red]a\\x1b]0;t" in plain
    assert "5.0 MB of 10.0 MB, 5.0 MB/s, 1 s left" in plain
    assert "\x1b]" not in shown
