"""Show the state of a run on stderr while it works: lines that are redrawn, or a plain line now and then."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wangp_cli.runtime.events.messages import plain
from wangp_cli.runtime.events.run_state import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from rich.console import ConsoleRenderable

    from wangp_cli.runtime.events.run_state import RunState
    from wangp_cli.runtime.events.stream import Event

REDRAW_SECONDS = 0.2
PLAIN_SECONDS = 5.0
"""Time between two plain lines."""
PLAIN_LEAST_SECONDS = 2.0
"""Least time between two plain lines, where another stage has begun."""
LONGEST_BAR = 30


class Display:
    """Shows a `RunState` from a thread, between `start` and `stop`.

    On a terminal it redraws its lines in place, below everything else that is written to stderr. The cursor
    stays visible, so that a killed process leaves a usable terminal. Elsewhere it writes plain lines.

    Args:
        state: what is shown.
        one_line: redraw one line only, and leave the cursor at its end, because another program writes to the
            same terminal.
        request: tells what was asked of the run that has no event, such as `stopping`.
    """

    def __init__(
        self, state: RunState, *, one_line: bool = False, request: Callable[[], str | None] = lambda: None
    ) -> None:
        self.console = _StderrConsole()
        self.live = is_live(self.console)
        self.request = request
        self._state = state
        self._one_line = one_line
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_line = 0.0
        self._last_doing = ""
        self._drawn: Live | None = None

    def start(self) -> None:
        """Show the first line and start the thread."""
        if self._thread is not None:
            return
        if self.live:
            self._suspend_cleanly()
            self._redraw()
        else:
            self._write_line()
        self._thread = threading.Thread(target=self._work, name="wangp-display", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and erase what is redrawn."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        with self._lock, suppress(OSError):
            self._erase()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the redrawn lines away while something is written to the same terminal by another way."""
        with self._lock:
            drawn = self._drawn is not None
            self._erase()
            try:
                yield
            finally:
                if drawn:
                    self._redraw()

    def note(self, event: Event, planned: int | None = None) -> None:
        """Update the state by an event, and the number of tasks where it is known, while nothing is drawn."""
        with self._lock:
            self._state.note(event)
            if planned is not None:
                self._state.planned = planned

    def print(self, text: Text) -> None:
        """Write a line that stays."""
        with self._lock, suppress(OSError):
            self.console.print(text)

    def _work(self) -> None:
        with suppress(OSError):
            while not self._stop.wait(REDRAW_SECONDS):
                with self._lock:
                    if self.live:
                        self._redraw()
                    elif self._is_due():
                        self._write_line()

    def _redraw(self) -> None:
        # In the background, the terminal belongs to the shell.
        if not _in_foreground():
            return
        if self._drawn is None:
            # A new one each time: one that is started again would erase what was written meanwhile.
            self._drawn = Live(
                console=self.console,
                get_renderable=self._render,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._drawn.start()
            sys.stderr = _Above(self)
        with suppress(AttributeError, ValueError):
            # Rich asks standard input first, and believes COLUMNS, which stays when the window is resized.
            if columns := os.get_terminal_size(self.console.file.fileno()).columns:
                self.console.width = columns
        self._drawn.refresh()

    def _erase(self) -> None:
        if self._drawn is not None:
            if isinstance(sys.stderr, _Above):
                sys.stderr = sys.stderr.file
            self._drawn.stop()
            self._drawn = None

    def _is_due(self) -> bool:
        since = self._state.elapsed - self._last_line
        return since >= (PLAIN_LEAST_SECONDS if self._state.doing != self._last_doing else PLAIN_SECONDS)

    def _write_line(self) -> None:
        """Write a plain line, unless nobody reads: a full pipe would stop the run."""
        self._last_line, self._last_doing = self._state.elapsed, self._state.doing
        ready = select.poll()
        with suppress(OSError, ValueError):
            ready.register(self.console.file.fileno(), select.POLLOUT)
            if not ready.poll(0):
                return
        self.console.print(plain(self._one_line_text()))

    def _one_line_text(self) -> str:
        return f"{duration(self._state.elapsed)}: {_joined(self._state.head(), self._now())}"

    def _now(self) -> str:
        return _joined(self._state.now_text(), self.request())

    def _render(self) -> ConsoleRenderable:
        width = self.console.width - 1
        if self._one_line:
            return _fit(f"[{self._one_line_text()}] ", width)
        head, now = self._state.head(), self._now()
        first = _fit(f"{head or now}  {duration(self._state.elapsed)}", width)
        return Group(self._with_bar(first, width), *([_fit(now, width)] if head else []), "")

    def _with_bar(self, text: Text, width: int) -> ConsoleRenderable:
        """A text behind a bar, as long as there is room for one."""
        room = min(LONGEST_BAR, width - text.cell_len - 1)
        if room < LONGEST_BAR // 3 or not self._state.planned:
            return text
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(width=room)
        row.add_column(no_wrap=True)
        row.add_row(ProgressBar(total=1.0, completed=self._state.fraction, width=room), text)
        return row

    def _suspend_cleanly(self) -> None:
        """Erase the redrawn lines before ^Z stops the process, and show them again when it continues."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
            return

        def suspend(number: int, _frame: FrameType | None) -> None:
            with self.aside():
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
                signal.signal(number, suspend)

        signal.signal(signal.SIGTSTP, suspend)


class _StderrConsole(Console):
    """A rich console on stderr, for a process that goes on when nobody reads it any more."""

    def __init__(self) -> None:
        # Not escaped, because rich draws with control characters.
        file = getattr(sys.stderr, "unescaped", sys.stderr)
        super().__init__(file=file, highlight=False, soft_wrap=True)

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - the signature of rich
        """Leave the cursor as it is, because a killed process could not show it again."""
        return False

    def on_broken_pipe(self) -> None:
        """Write nothing more, where rich would exit."""
        self.quiet = True


class _Above(io.TextIOBase):
    """Stands for stderr while lines are redrawn: what libraries write comes above them, escaped."""

    def __init__(self, display: Display) -> None:
        self.file = sys.stderr
        self._display = display
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._display.print(plain(line))
        return len(text)

    def fileno(self) -> int:
        return self.file.fileno()

    def isatty(self) -> bool:
        return self.file.isatty()


def is_live(console: Console) -> bool:
    """Whether lines can be redrawn: stderr is a terminal, and not a dumb one."""
    with suppress(AttributeError, ValueError):
        return sys.stderr.isatty() and not console.is_dumb_terminal
    return False


def _in_foreground() -> bool:
    """Whether this process may draw on its terminal; true also where no shell controls the terminal."""
    with suppress(OSError):
        return os.tcgetpgrp(2) == os.getpgrp()
    return True


def _joined(*parts: str | None) -> str:
    return "; ".join(filter(None, parts))


def _fit(text: str, width: int) -> Text:
    """A text in one line of at most `width` cells."""
    line = plain(" ".join(text.split("\n")))
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line
