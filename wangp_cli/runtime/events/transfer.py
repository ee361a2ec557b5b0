"""Show people how a transfer of bytes goes on: a download, or a conversion of weights."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Self

from wangp_cli.files.units import format_bytes, format_seconds
from wangp_cli.runtime.events.messages import plain, show_line, stderr_console

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console
    from rich.progress import Progress

LINE_SECONDS = 5.0
"""Time between two lines where there is no terminal."""
WINDOW_SECONDS = 10.0
"""Time over which the speed is measured."""
LONGEST_LABEL = 40


class Transfer:
    """Shows a transfer on stderr: first its size, then a bar on a terminal, else a line every few seconds.

    A context.

    Args:
        title: what is done, such as `fetch t2v_1.3B`.
        console: on stderr.
        clock: seconds, monotonic.

    Attributes:
        done: bytes that are there, also of earlier runs.
        total: bytes in all; 0 where it is not known.
    """

    def __init__(
        self, title: str, *, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.done = self.total = 0
        self._title, self._clock = title, clock
        self._console = console or stderr_console()
        self._began: tuple[float, int] | None = None
        self._printed = 0.0
        self._recent: deque[tuple[float, int]] = deque()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        """Nothing is shown before the first update."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar; after a complete transfer, tell its time and speed."""
        if self._bar:
            self._bar.stop()
        if error is None and self._began and self.done > self._began[1]:
            seconds, moved = self._clock() - self._began[0], self.done - self._began[1]
            speed = f", {moved / seconds / 1e6:.1f} MB/s" if seconds > 0 else ""
            self._show(f"{format_bytes(moved)} in {format_seconds(seconds)}{speed}")

    def update(self, label: str, done: int, total: int) -> None:
        """Tell the progress.

        Args:
            label: the current file or part.
            done: bytes so far, those of earlier runs included.
            total: bytes in all; 0 where it is not known.
        """
        now = self._clock()
        self.done, self.total = done, total
        if self._began is None:
            self._began, self._printed = (now, done), now
            self._begin()
        self._recent.append((now, done))
        while now - self._recent[0][0] > WINDOW_SECONDS and len(self._recent) > 2:
            self._recent.popleft()
        text = f"{self._of_total()}{self._speed_and_time()}"
        if self._bar:
            shown = label if len(label) <= LONGEST_LABEL else f"...{label[-LONGEST_LABEL:]}"
            self._bar.update(
                self._bar.task_ids[0],
                description=plain(shown).plain,
                completed=done,
                total=total or None,
                text=text,
            )
        elif now - self._printed >= LINE_SECONDS:
            self._printed = now
            self._show(f"{label}  {text}")

    def _begin(self) -> None:
        size = format_bytes(self.total) if self.total else "size not known"
        here = f", {format_bytes(self.done)} of it are here" if self.done else ""
        self._show(f"{self._title}: {size}{here}")
        if not self._console.is_terminal or self.done == self.total > 0:
            return
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._bar.add_task("", total=None, text="")
        self._bar.start()

    def _of_total(self) -> str:
        return (
            f"{format_bytes(self.done)} of {format_bytes(self.total)}"
            if self.total
            else format_bytes(self.done)
        )

    def _speed_and_time(self) -> str:
        (first, before), (last, now) = self._recent[0], self._recent[-1]
        speed = (now - before) / (last - first) if last > first else 0.0
        if speed <= 0:
            return ""
        left = f", {format_seconds((self.total - now) / speed)} left" if self.total > now else ""
        return f", {speed / 1e6:.1f} MB/s{left}"

    def _show(self, text: str) -> None:
        show_line(text, self._console)
