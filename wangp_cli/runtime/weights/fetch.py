"""Fetching a model's weights from a hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wangp_cli.errors import ConflictError, ModelError
from wangp_cli.models import ModelSpec, Source
from wangp_cli.pipelines.base import TRANSFORMERS
from wangp_cli.runtime.weights.download import Remote, check_room, checksums, download
from wangp_cli.runtime.weights.hub import Hub, files_of, hub_errors
from wangp_cli.runtime.weights.locate import INDEX, expected, folder_of, hub_file
from wangp_cli.runtime.weights.receipt import Receipt, ReceiptEntry

SUFFIXES = (".json", ".safetensors", ".model", ".txt")
NETWORK_SUFFIXES = (".onnx", ".sft")
PICKLES = (".pt", ".pth", ".bin", ".ckpt")


@dataclass(frozen=True, kw_only=True)
class Step:
    """Progress of a fetch: `done` of `total` files, `bytes` of `bytes_total`; `file` is being downloaded."""

    file: str
    done: int
    total: int
    bytes: int
    bytes_total: int


@dataclass(frozen=True, kw_only=True)
class RepositoryFiles:
    """Files that a model needs of one repository.

    Args:
        repository: `owner/name`.
        revision: a commit, tag or branch; None is the newest.
        paths: of the files; without them all weights and configurations.
        transformers: those of transformers, too.
        suffixes: of the files in a repository that is in its author's layout; empty for one in diffusers
            layout.
    """

    repository: str
    revision: str | None
    paths: tuple[str, ...] = ()
    transformers: bool = True
    suffixes: tuple[str, ...] = ()

    def includes(self, path: str) -> bool:
        """Whether the model needs the file at a path."""
        if self.paths:
            return path in self.paths
        if not self.transformers and path.partition("/")[0] in TRANSFORMERS:
            return False
        if self.suffixes:
            return path.endswith(self.suffixes)
        return path == INDEX or ("/" in path and path.endswith(SUFFIXES))


def fetch(
    spec: ModelSpec, models_dir: Path, hub: Hub, report: Callable[[Step], None], *, update: bool = False
) -> list[Path]:
    """Download a model's weights, file by file; files on this machine are not fetched again.

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
    if spec.status == "unsupported":
        raise ModelError(f"model {spec.name!r} is not supported: {spec.status_note}")
    wanted = needed_repositories(spec)
    if not wanted:
        raise ModelError(f"{spec.name!r} has no repository to fetch from")
    for want in wanted:
        folder = folder_of(Source(repository=want.repository), models_dir)
        with _alone(folder), hub_errors(want.repository):
            _fetch(want, folder, hub, report, update=update)
    found = expected(spec, models_dir)
    return [file for _, files in found.files for file in files] + [found.folder]


def needed_repositories(spec: ModelSpec) -> list[RepositoryFiles]:
    """The files that a model needs, by repository on a hub; empty if its weights are not on a hub."""
    source = spec.source
    single = []
    for name in (name for names in source.parts.values() for name in names):
        if remote := hub_file(name):
            single.append(
                RepositoryFiles(repository=remote.repository, revision=remote.revision, paths=(remote.path,))
            )
    merged = {want.repository: want for want in single}
    for repository in merged:
        same = [want for want in single if want.repository == repository]
        if len({want.revision for want in same}) > 1:
            raise ModelError(f"{spec.name!r} names {repository} at two revisions")
        paths = tuple(path for want in same for path in want.paths)
        merged[repository] = RepositoryFiles(repository=repository, revision=same[0].revision, paths=paths)
    whole = source.components or source
    if whole.repository:
        own = RepositoryFiles(
            repository=whole.repository,
            revision=whole.revision,
            transformers=not source.file,
            suffixes=() if spec.is_diffusion else _suffixes(source),
        )
        return [*merged.values(), own]
    return list(merged.values())


def _suffixes(source: Source) -> tuple[str, ...]:
    """Files that a network of a tool may need: weights and configurations, never code."""
    return (*SUFFIXES, *NETWORK_SUFFIXES, *(PICKLES if source.allow_pickle else ()))


def _fetch(
    want: RepositoryFiles, folder: Path, hub: Hub, report: Callable[[Step], None], *, update: bool = False
) -> None:
    old = Receipt.of(folder)
    revision = want.revision or (old.revision if old and not update else None)
    listing = _listing(want, folder, hub, revision)
    record = Receipt(repository=want.repository, revision=listing.commit)
    if old:
        complete = old.complete and old.revision == listing.commit
        record = record.model_copy(update={"files": old.files, "complete": complete})
    todo = []
    for remote in listing.remotes:
        name = str(remote.path.relative_to(folder))
        if sha256 := _here(remote, record.files.get(name)):
            record = record.with_file(name, remote.path.stat().st_size, sha256)
        else:
            todo.append(remote)
    if todo and not want.paths:
        record = record.model_copy(update={"complete": False})
    check_room(
        folder,
        sum((remote.size or 0) - remote.waiting for remote in todo),
        hint="--models-dir FOLDER on a larger disk, or the setting models_dir",
    )
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
    record = record.without(record.missing(folder))
    record.model_copy(update={"complete": record.complete or not want.paths}).save(folder)
    if listing.remotes:
        last = str(listing.remotes[-1].path.relative_to(folder))
        report(Step(file=last, done=total, total=total, bytes=whole, bytes_total=whole))


@dataclass(frozen=True)
class _Listing:
    commit: str
    remotes: list[Remote]


def _listing(want: RepositoryFiles, folder: Path, hub: Hub, revision: str | None) -> _Listing:
    """The wanted files of a repository at a revision, the index last, as it marks the folder as complete."""
    commit, found = files_of(want.repository, revision, folder, hub)
    for path in want.paths or (() if want.suffixes else (INDEX,)):
        if path not in found:
            raise ModelError(f"{want.repository} has no file {path} at {commit}")
    wanted = sorted((path for path in found if want.includes(path)), key=lambda path: (path == INDEX, path))
    if not wanted:
        raise ModelError(f"{want.repository} has no weights that are read at {commit}")
    return _Listing(commit, [found[path] for path in wanted])


def _here(remote: Remote, noted: ReceiptEntry | None) -> str | None:
    """The checksum of a local file if it is the remote one; computed where no receipt has it."""
    if not remote.path.is_file() or remote.path.stat().st_size != remote.size:
        return None
    if remote.sha256 and noted:
        return noted.sha256 if noted.sha256 == remote.sha256 else None
    sha256, blob = checksums(remote.path)
    return sha256 if (remote.sha256 or sha256, remote.blob or blob) == (sha256, blob) else None


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
