"""The work folder beside results: cached segments, latents and drawn seeds of unfinished tasks."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wangp_cli.files.atomic import disk_error, sweep
from wangp_cli.files.checksum import open_regular, remove_open
from wangp_cli.files.folders import make_folder
from wangp_cli.files.locks import lock
from wangp_cli.files.safetensors_header import read_header
from wangp_cli.tasks.finishing import Finishing

if TYPE_CHECKING:
    from wangp_cli.tasks.render import Render

FOLDER = ".wangp-work"
IGNORED_FIELDS = {
    "task_id", "overwrite", "skip_existing", "visualize", "keep_intermediates", *Finishing.model_fields,
}  # fmt: skip
"""Fields that change neither what the model makes nor the path of a result."""
LATENTS_KEY = "wangp"
"""Key of the request in the metadata of a file of latents."""
OUR_NAMES = re.compile(r"[0-9a-f]{64}\.(npy|npz|seed)|[0-9a-f]{32}\..+", re.DOTALL)
"""Names of segments and seeds, which are hashes, and of scratch files, which are random."""
MAX_AGE_SECONDS = 7 * 24 * 3600
"""Age at which a file that no run has used since is removed."""


def folder_beside(result: Path) -> Path:
    """The work folder of a result."""
    return result.parent / FOLDER


def sweep_work(folder: Path) -> None:
    """Remove old and abandoned files of this program from the work folder of an output folder."""
    work = folder / FOLDER
    if not work.is_dir() or work.is_symlink():
        return
    sweep(work)
    oldest = time.time() - MAX_AGE_SECONDS
    for path in work.iterdir():
        with open_regular(path, os.O_RDWR) as file:
            if file is None or os.fstat(file).st_mtime >= oldest:
                continue
            if _is_ours(path) and lock(file) is not False:
                remove_open(file, path)
    remove_empty(work)


def _is_ours(path: Path) -> bool:
    """Whether a file has a name that cannot be guessed, or is one of latents with their request."""
    if OUR_NAMES.fullmatch(path.name):
        return True
    with suppress(OSError, ValueError, KeyError, TypeError):
        return path.suffix == ".safetensors" and LATENTS_KEY in read_header(path)[0]["__metadata__"]
    return False


def remove_empty(work: Path) -> None:
    """Remove the work folder if it is empty."""
    with suppress(OSError):
        work.rmdir()


def find_interrupted_seed(task: Render, folder: Path) -> int | None:
    """The seed that an unfinished run drew for the same request in the same folder; None if there is none."""
    with suppress(OSError, ValueError), _seed_file(task, folder / FOLDER).open("rb") as file:
        if lock(file.fileno()) is not False:
            return int(file.read())
    return None


def store_seed(task: Render, work: Path) -> IO[bytes]:
    """Store the seed drawn for a request; the file stays locked while it is open."""
    file = _seed_file(task, work)
    try:
        make_folder(work)
        locked = open(file, "r+b", opener=_open_or_create)  # noqa: SIM115 - the caller closes it
        lock(locked.fileno())
        locked.truncate()
        locked.write(str(task.seed).encode())
        locked.flush()
        os.fsync(locked.fileno())
    except OSError as error:
        raise disk_error(error, file) from None
    return locked


def _open_or_create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o666)


def _seed_file(task: Render, work: Path) -> Path:
    values = task.model_dump(mode="json", exclude={"seed", *IGNORED_FIELDS})
    text = json.dumps(values, sort_keys=True)
    return work / f"{hashlib.sha256(text.encode()).hexdigest()}.seed"


def work_size(folder: Path) -> int:
    """Bytes in the work folder of an output folder."""
    work = folder / FOLDER
    return sum(file.stat().st_size for file in work.iterdir()) if work.is_dir() else 0
