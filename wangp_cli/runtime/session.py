"""The session: settings, catalogues, event stream and loaded models, passed instead of global state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wangp_cli.accelerators import Accelerators
from wangp_cli.catalogue import Catalogue
from wangp_cli.presets import Presets
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.run_options import SECONDS_BETWEEN
from wangp_cli.runtime.settings import Folders, Settings
from wangp_cli.tasks import TASKS, TaskTypes

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.runtime.events.stream import Stream
    from wangp_cli.runtime.pool import Pool
    from wangp_cli.runtime.workspace.scratch import Scratch
    from wangp_cli.value_layers import Origins


@dataclass(frozen=True, kw_only=True)
class Session:
    """What all tasks of a process share.

    Args:
        settings: of this user and machine.
        settings_origin: of each setting that is no default.
        folders: with the user's configuration, data and state.
        catalogue: models by name.
        stream: sends events to all sinks, in order.
        pool: loaded pipelines.
        models_dir: folder of fetched weights, for everyone who looks for weights.
        loras_dir: folder where LoRAs are looked up by name.
        scratch: folder for weights that memory cannot hold.
        control: pause, cancel and stop requests.
        manifest_path: the run history; beside the results where it is None.
        events_file: JSON lines file to which events are appended.
        files_used: the history, and files that the run reads besides the inputs of its tasks.
        progress_interval: least seconds between progress events of a task.
        swept: output folders whose abandoned partial files were removed.
        writable: folders in which a file could be made.
    """

    settings: Settings
    settings_origin: Origins
    folders: Folders
    catalogue: Catalogue
    presets: Presets
    accelerators: Accelerators
    stream: Stream
    pool: Pool
    models_dir: Path
    loras_dir: Path
    scratch: Scratch
    tasks: TaskTypes = field(default_factory=lambda: TASKS)
    """Every task type that may be run, by name."""
    control: Control = field(default_factory=Control)
    manifest_path: Path | None = None
    events_file: Path | None = None
    files_used: tuple[Path, ...] = ()
    progress_interval: float = SECONDS_BETWEEN
    swept: set[Path] = field(default_factory=set)
    writable: set[Path] = field(default_factory=set)
