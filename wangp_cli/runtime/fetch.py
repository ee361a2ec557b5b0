"""Fetching a model's weights from a hub."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wangp_cli.catalogue import ModelSpec, Source
from wangp_cli.errors import ConflictError, ModelError, NoSpaceError
from wangp_cli.runtime.download import Remote, checksums, download
from wangp_cli.runtime.record import FileRecord, Record
from wangp_cli.runtime.weights import INDEX, TRANSFORMERS, expected, folder_of, hub_file

SPARE_BYTES = 64 << 20
"""Room that is left on the disk."""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Where repositories are, and whether it may be asked.

    Args:
        endpoint: of a mirror; None is the library's own, which HF_ENDPOINT sets.
        offline: ask nothing.
    """

    endpoint: str | None = None
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far a fetch is: `done` of `total` files and so many bytes are here; `file` is on its way."""

    file: str
    done: int
    total: int
    bytes: int
    bytes_total: int


@dataclass(frozen=True, kw_only=True)
class Want:
    """Files of one repository: these, or all of the diffusers layout."""

    repository: str
    revision: str | None
    paths: tuple[str, ...] = ()
    transformers: bool = True

    def names(self, path: str) -> bool:
        """Whether the file belongs to what is wanted."""
        if self.paths:
            return path in self.paths
        if not self.transformers and path.partition("/")[0] in TRANSFORMERS:
            return False
        return path == INDEX or ("/" in path and path.endswith((".json", ".safetensors", ".model", ".txt")))


def fetch(
    spec: ModelSpec, models_dir: Path, hub: Hub, report: Callable[[Step], None], *, update: bool = False
) -> list[Path]:
    """Download a model's weights, file by file; what is here already is not fetched again.

    A folder stays at the commit it was begun at, unless the catalogue names another.

    Args:
        spec: a model with something on a hub.
        models_dir: folder of all weights.
        hub: where from.
        report: told how far it is; what it raises ends the fetch, which can go on later.
        update: take the newest commit where the catalogue names none.

    Returns:
        the folders and files of the weights.

    Raises:
        ModelError: there is no repository, no network, no access, or a file is not what it should be.
        NoSpaceError: the disk is too small.
        ConflictError: another process fetches into the same folder.
    """
    wanted = wants(spec)
    if not wanted:
        raise ModelError(f"{spec.name!r} has no repository to fetch from", hint=spec.status_note or None)
    for want in wanted:
        folder = folder_of(Source(repository=want.repository), models_dir)
        with _alone(folder), _known(want.repository):
            if hub.offline:
                raise _Offline
            _fetch(want, folder, hub, report, update=update)
    found = expected(spec, models_dir)
    return [file for _, files in found.files for file in files] + [found.folder]


def wants(spec: ModelSpec) -> list[Want]:
    """What a model needs of which repositories on a hub; nothing if its weights are elsewhere."""
    source = spec.source
    single = []
    for name in (*source.file, *source.file_2):
        if remote := hub_file(name):
            single.append(Want(repository=remote.repository, revision=remote.revision, paths=(remote.path,)))
    merged = {want.repository: want for want in single}
    for repository in merged:
        same = [want for want in single if want.repository == repository]
        if len({want.revision for want in same}) > 1:
            raise ModelError(f"{spec.name!r} names {repository} at two revisions")
        paths = tuple(path for want in same for path in want.paths)
        merged[repository] = Want(repository=repository, revision=same[0].revision, paths=paths)
    whole = source.components or source
    if whole.repository:
        own = Want(
            repository=whole.repository, revision=whole.revision, transformers=source.components is None
        )
        return [*merged.values(), own]
    return list(merged.values())


def _fetch(
    want: Want, folder: Path, hub: Hub, report: Callable[[Step], None], *, update: bool = False
) -> None:
    old = Record.of(folder)
    revision = want.revision or (old.revision if old and not update else None)
    listing = _listing(want, folder, hub, revision)
    record = Record(repository=want.repository, revision=listing.commit, files=old.files if old else {})
    todo = []
    for remote in listing.remotes:
        name = str(remote.path.relative_to(folder))
        if sha256 := _here(remote, record.files.get(name)):
            record = record.with_file(name, remote.path.stat().st_size, sha256)
        else:
            todo.append(remote)
    _check_room(folder, sum((remote.size or 0) - remote.waiting for remote in todo))
    whole = sum(remote.size or 0 for remote in listing.remotes)
    got = whole - sum(remote.size or 0 for remote in todo)
    total = len(listing.remotes)
    for index, remote in enumerate(todo):
        name, done = str(remote.path.relative_to(folder)), total - len(todo) + index

        def tell(size: int, name: str = name, done: int = done, got: int = got) -> None:
            report(Step(file=name, done=done, total=total, bytes=got + size, bytes_total=whole))

        tell(remote.waiting)
        sha256 = download(remote, tell)
        got += remote.path.stat().st_size
        record = record.with_file(name, remote.path.stat().st_size, sha256)
        record.save(folder)
    kept = {path: file for path, file in record.files.items() if (folder / path).is_file()}
    record.model_copy(update={"files": kept}).save(folder)
    if listing.remotes:
        last = str(listing.remotes[-1].path.relative_to(folder))
        report(Step(file=last, done=total, total=total, bytes=whole, bytes_total=whole))


@dataclass(frozen=True)
class _Listing:
    commit: str
    remotes: list[Remote]


def _listing(want: Want, folder: Path, hub: Hub, revision: str | None) -> _Listing:
    """The wanted files of a repository at a revision, the index last: it says that all else is there."""
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    info: Any = HfApi(endpoint=hub.endpoint).model_info(
        want.repository, revision=revision, files_metadata=True
    )
    siblings = {file.rfilename: file for file in info.siblings or []}
    for path in want.paths or (INDEX,):
        if path not in siblings:
            raise ModelError(f"{want.repository} has no file {path} at {info.sha}")
    remotes = [
        Remote(
            url=hf_hub_url(want.repository, path, revision=info.sha, endpoint=hub.endpoint),
            path=folder / path,
            size=file.size,
            sha256=file.lfs.sha256 if file.lfs else None,
            blob=None if file.lfs else file.blob_id,
            headers=build_hf_headers(),
        )
        for path, file in sorted(siblings.items(), key=lambda item: (item[0] == INDEX, item[0]))
        if want.names(path) and not path.startswith("/") and ".." not in path.split("/")
    ]
    return _Listing(info.sha, remotes)


def _here(remote: Remote, noted: FileRecord | None) -> str | None:
    """The checksum of a file that is here and is the one that is wanted; read through if nobody noted it."""
    if not remote.path.is_file() or remote.path.stat().st_size != remote.size:
        return None
    if remote.sha256 and noted:
        return noted.sha256 if noted.sha256 == remote.sha256 else None
    sha256, blob = checksums(remote.path)
    return sha256 if (remote.sha256 or sha256, remote.blob or blob) == (sha256, blob) else None


def _check_room(folder: Path, needed: int) -> None:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if needed and free < needed + SPARE_BYTES:
        raise NoSpaceError(
            f"{existing} has {free / 1e9:.1f} GB free, the weights take {needed / 1e9:.1f} GB more",
            hint="--models-dir FOLDER on a larger disk, or the setting models_dir",
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time fetch into a folder."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".wangp.lock", timeout=0):
            yield
    except Timeout:
        raise ConflictError(f"another process is fetching into {folder}", hint="wait for it") from None


class _Offline(Exception):  # noqa: N818 - the same as the library's own
    """Nothing may be asked of a hub."""


@contextmanager
def _known(repository: str) -> Iterator[None]:
    """What goes wrong at a hub, in one clear message."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise ModelError(
            f"{repository} asks you to accept its licence first",
            hint=f"accept it on the hub page of {repository}, then run `hf auth login`",
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"{repository} has no such revision", hint="correct the catalogue entry") from None
    except errors.RepositoryNotFoundError:
        raise ModelError(
            f"{repository} is not on the hub, or asks for a login", hint="`hf auth login` if it is private"
        ) from None
    except (errors.OfflineModeIsEnabled, _Offline):
        raise ModelError(
            f"{repository} cannot be asked for: offline", hint="without --offline and HF_HUB_OFFLINE"
        ) from None
    except errors.HfHubHTTPError as error:
        raise _failed(repository, error) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpx2"):
            raise _failed(repository, error) from None
        raise


def _failed(repository: str, error: Exception) -> ModelError:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ModelError(f"cannot fetch {repository}: {line}", hint="try again; it goes on where it stopped")
