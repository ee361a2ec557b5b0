"""Start of a session: reads the environment, the settings and the catalogues; sets up logging."""

from __future__ import annotations

import logging
import os
import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from platformdirs import PlatformDirs

from wangp_cli.accelerators import Accelerators
from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.errors import RequestError
from wangp_cli.files.safe_text import escape_control_characters
from wangp_cli.pipelines import registry
from wangp_cli.pipelines.registry import Adapters, Networks
from wangp_cli.presets import Presets
from wangp_cli.runtime import settings as settings_files
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Sink, Stream
from wangp_cli.runtime.pool import Pool
from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.runtime.session import Session
from wangp_cli.runtime.settings import Folders, Settings
from wangp_cli.runtime.workspace.scratch import Scratch
from wangp_cli.tasks import TASKS, TaskTypes
from wangp_cli.value_layers import Origin

LOG_BYTES = 2_000_000
SECRET = re.compile(r"--?[\w-]*(token|password|secret|api-?key)", re.IGNORECASE)


def user_folders(environment: Mapping[str, str] | None = None) -> Folders:
    """This user's folders; WANGP_CONFIG_DIR replaces the one of the configuration."""
    environment = os.environ if environment is None else environment
    dirs = PlatformDirs("wangp", appauthor=False)
    config = environment.get("WANGP_CONFIG_DIR")
    return Folders(
        config=Path(config) if config else dirs.user_config_path,
        data=dirs.user_data_path,
        state=dirs.user_state_path,
    )


def load_settings() -> tuple[Settings, dict[str, Origin], Folders]:
    """The settings from file and environment, their origins, and the user's folders."""
    folders = user_folders()
    values, origin = settings_files.load(folders, os.environ)
    return values, origin, folders


def catalogue(folders: Folders, adapters: Adapters | None = None) -> Catalogue:
    """The models that ship, replaced by the user's where names are equal; of families with an adapter."""
    return Catalogue(
        presets_dir() / "models",
        folders.config / "models",
        families=registry.ADAPTERS if adapters is None else adapters,
    )


def presets(folders: Folders) -> Presets:
    """The presets that ship, replaced by the user's where names are equal."""
    return Presets(presets_dir() / "generate", folders.config / "presets")


def accelerators(folders: Folders) -> Accelerators:
    """The accelerators that ship, replaced by the user's where names are equal."""
    return Accelerators(presets_dir() / "accelerators", folders.config / "accelerators")


def models_dir(settings: Settings, folders: Folders, override: Path | None = None) -> Path:
    """Folder of fetched weights; `override` is the value of `--models-dir`."""
    return (override or settings.models_dir or folders.data / "models").expanduser()


def loras_dir(settings: Settings, folders: Folders) -> Path:
    """Folder where LoRAs are looked up by name."""
    return (settings.loras_dir or folders.data / "loras").expanduser()


def work_dir(settings: Settings, folders: Folders) -> Path:
    """Folder for weights that memory cannot hold."""
    return (settings.work_dir or folders.state / "work").expanduser().absolute()


def control_folders(environment: Mapping[str, str] | None = None) -> list[Path]:
    """Folders with the sockets of running commands: in the user's runtime folder, and one in /tmp."""
    environment = os.environ if environment is None else environment
    runtime = environment.get("XDG_RUNTIME_DIR")
    folders = [Path(runtime) / "wangp"] if runtime and Path(runtime).is_absolute() else []
    return [*folders, Path(f"/tmp/wangp-{os.geteuid()}")]


def trace_context(environment: Mapping[str, str] | None = None) -> str | None:
    """The W3C trace context in TRACEPARENT; None where it is missing or malformed."""
    context = (os.environ if environment is None else environment).get("TRACEPARENT", "")
    return context if re.fullmatch(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", context) else None


def command_line() -> list[str]:
    """The arguments of this process for logs and events: cut to 200 characters, secrets replaced by ***."""
    words: list[str] = []
    for word in sys.argv[1:]:
        if SECRET.match(words[-1] if words else "") and "=" not in words[-1]:
            words.append("***")
        elif "=" in word and SECRET.match(word):
            words.append(f"{word.partition('=')[0]}=***")
        else:
            words.append(re.sub(r"(?<=://)[^/@\s]+@", "***@", word)[:200])
    return words


def start(
    sinks: Sequence[Sink],
    options: RunOptions | None = None,
    *,
    adapters: Adapters | None = None,
    networks: Networks = registry.NETWORKS,
    tasks: TaskTypes = TASKS,
) -> Session:
    """A session of a run.

    Args:
        sinks: called with every event.
        options: of the run; None for the defaults.
        adapters: of model families; None for those that wangp ships with.
        networks: loaders of auxiliary networks by architecture.
        tasks: the task types that may be run, by name.

    Raises:
        RequestError: the settings are wrong.
    """
    options = options or RunOptions()
    settings, origin, folders = load_settings()
    start_logging(folders, options.log_level or settings.log_level, verbose=options.verbose)
    prepare_libraries()
    control = Control()
    weights = models_dir(settings, folders, options.models_dir)
    return Session(
        settings=settings,
        settings_origin=origin,
        folders=folders,
        catalogue=catalogue(folders, adapters),
        presets=presets(folders),
        accelerators=accelerators(folders),
        stream=Stream(str(uuid.uuid4()), [control.note, *sinks], trace=trace_context()),
        pool=Pool(weights, registry.ADAPTERS if adapters is None else adapters, networks),
        models_dir=weights,
        loras_dir=loras_dir(settings, folders),
        scratch=Scratch(work_dir(settings, folders)),
        manifest_path=options.manifest_path,
        events_file=options.events_file,
        files_used=tuple(options.files_used()),
        tasks=tasks,
        control=control,
        progress_interval=options.progress_interval,
    )


def start_logging(folders: Folders, level: str, *, verbose: bool = False) -> None:
    """Log to a rotating file; with the level DEBUG or if `verbose` to stderr as well.

    Raises:
        RequestError: the level is unknown.
    """
    if level.upper() not in logging.getLevelNamesMapping():
        raise RequestError("log_level", f"{level!r} is no level", hint="DEBUG, INFO, WARNING or ERROR")
    # A log that cannot be written, on a full disk, is no reason to disturb the user.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.setLevel(level.upper())
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, _OneLine)]:
        root.removeHandler(handler)
        handler.close()
    console = logging.StreamHandler(sys.stderr)
    shown = verbose or level.upper() == "DEBUG"
    console.setLevel(logging.DEBUG if shown else logging.CRITICAL)
    handlers: list[logging.Handler] = [console]
    try:
        folders.state.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(folders.state / "wangp.log", maxBytes=LOG_BYTES, backupCount=3))
    except OSError as error:
        console.setLevel(min(console.level, logging.WARNING))
        logging.getLogger(__name__).warning("no log file in %s: %s", folders.state, error.strerror)
    for handler in handlers:
        handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)


def ensure_logging() -> None:
    """Start to log to the file, in a command that does not do so from its start."""
    if not any(isinstance(handler.formatter, _OneLine) for handler in logging.getLogger().handlers):
        start_logging(user_folders(), "INFO")


class _OneLine(logging.Formatter):
    """Formatter that escapes control characters, so that no prompt can draw on a terminal or forge a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name logging calls
        return super().formatMessage(record).replace("\n", "\\n")

    def format(self, record: logging.LogRecord) -> str:
        """The message, and the traceback if there is one."""
        return escape_control_characters(super().format(record))


def prepare_libraries() -> None:
    """Set environment variables that libraries read when they are imported."""
    # Threads that spin while they wait take the cores of everything else on a busy machine: a call took six
    # times as long beside one busy process; on a quiet machine it makes no difference.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("SVT_LOG", "1")
