"""Show events to people: what runs, messages and the summary on stderr, paths of finished files on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from rich.text import Text

from wangp_cli.runtime.events.display import Display
from wangp_cli.runtime.events.messages import plain, write_path
from wangp_cli.runtime.events.run_state import RunState, duration
from wangp_cli.runtime.events.types import ACCOMPANYING

if TYPE_CHECKING:
    from wangp_cli.runtime.control.state import Control
    from wangp_cli.runtime.events.stream import Event

OWN_LOGGERS = "wangp_cli."
REQUESTS = {
    "pausing": "pauses at the next step",
    "paused": "paused",
    "draining": "ends after this task",
    "aborting": "stops after this step, a second signal ends it at once",
}
"""What was asked of the run, by its control state."""


class ConsoleSink:
    """A sink that shows a run: its state, notices, errors, a batch's summary, and paths of finished files.

    Args:
        paths: where paths of finished files are printed; None where stdout has the events.
        quiet: print only paths and errors.
        hidden: print nothing.
        one_line: see `Display`.
    """

    def __init__(
        self, paths: TextIO | None, *, quiet: bool = False, hidden: bool = False, one_line: bool = False
    ) -> None:
        self._paths = paths
        self._quiet = quiet or hidden
        self._hidden = hidden
        self._control: Control | None = None
        self._told: set[str] = set()
        self._state = RunState()
        self._display = Display(self._state, one_line=one_line, request=self._request)

    def start(self) -> None:
        """Show that the command runs."""
        if not self._quiet:
            self._display.start()

    def attach(self, control: Control) -> None:
        """Show what is asked of the run, and how many tasks it has."""
        self._control = control

    def close(self) -> None:
        """Show the state no more."""
        self._display.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self._hidden:
            return
        data, task = event.data, event.task
        self._display.note(event, self._control.planned if self._control is not None else None)
        match event.type:
            case "log" if not self._quiet:
                self._show_log(data, task)
            case "artifact.created" if self._paths and data["role"] not in ACCOMPANYING:
                with self._display.aside():
                    write_path(data["path"], self._paths)
            case "task.failed" | "task.rejected":
                self._show_error(event)
            case "task.retrying" if not self._quiet:
                change = f" with {data['change']}" if data["change"] else ""
                self._say("note", "bold cyan", f"{data['error']['message']}; tried again{change}", task)
            case "task.cancelled":
                self._display.print(Text(self._named("stopped", task), style="bold yellow"))
            case "run.finished":
                self.close()
                if self._state.is_batch and not self._quiet:
                    self._display.print(plain(f"{self._state.summary()} in {duration(self._state.elapsed)}"))

    def _request(self) -> str | None:
        return REQUESTS.get(self._control.state) if self._control is not None else None

    def _show_log(self, data: dict[str, Any], task: str | None) -> None:
        """Show a notice, or a warning of our own; a text that many tasks have is shown once."""
        own = data["logger"] is None or data["logger"].startswith(OWN_LOGGERS)
        if not own or data["level"] == "error" or data["message"] in self._told:
            return
        self._told.add(data["message"])
        self._say("note", "bold cyan", data["message"], task)

    def _show_error(self, event: Event) -> None:
        error, line = event.data["error"], event.data.get("line")
        where = f"line {line}: " if line and not error["message"].startswith(f"line {line}:") else ""
        label = event.type.removeprefix("task.") if self._state.is_batch else "error"
        self._say(label, "bold red", f"{where}{error['message']}", event.task)
        if error["hint"]:
            self._display.print(Text.assemble(("hint: ", "bold"), plain(error["hint"])))

    def _say(self, label: str, style: str, message: str, task: str | None) -> None:
        self._display.print(Text.assemble((f"{label}: ", style), plain(self._named(message, task))))

    def _named(self, message: str, task: str | None) -> str:
        """The message after the id of its task, in a run of many."""
        return f"{task}: {message}" if self._state.is_batch and task else message
