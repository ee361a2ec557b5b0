"""Fetch the weights of a model from a hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wangp_cli.errors import ConflictError, ModelError
from wangp_cli.models import ModelSpec, Source
from wangp_cli.pipelines.base import TRANSFORMERS
from wangp_cli.runtime.weights.download import RemoteFile, check_download_space, checksums, download
from wangp_cli.runtime.weights.hub import Hub, files_of, hub_errors
from wangp_cli.runtime.weights.locate import INDEX, expected, folder_of, hub_file
from wangp_cli.runtime.weights.receipt import Receipt, ReceiptEntry

SUFFIXES = (".json", ".safetensors", ".model", ".txt")
NETWORK_SUFFIXES = (".onnx", ".sft")
PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt")


@dataclass(frozen=True, kw_only=True)
class FetchProgress:
    """Progress of a fetch.

    Args:
        file: path of the file that is downloaded.
        done: complete files.
        total: all files.
        bytes: downloaded bytes of all files.
        bytes_total: size of all files.
    """

    file: str
    done: int
    total: int
    bytes: int
    bytes_total: int


@dataclass(frozen=True, kw_only=True)
class RepositoryFiles:
    """The files of one repository that a model needs.

    Args:
        repository: `owner/name`.
        revision: a commit, tag or branch; None for the newest commit.
        paths: paths of the files; empty for all weights and configurations.
        transformers: include the weights of transformers.
        suffixes: suffixes of files to include from a repository that is not in diffusers layout; empty for
            diffusers layout.
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
    spec: ModelSpec,
    models_dir: Path,
    hub: Hub,
    report: Callable[[FetchProgress], None],
    *,
    update: bool = False,
) -> list[Path]:
    """Download the weights of a model that are not complete on this machine.

    A folder stays at the commit of its first fetch, unless the catalogue names a revision.

    Args:
        spec: a model with a source on a hub.
        models_dir: folder of all weights.
        hub: the hub.
        report: called with the progress; an error of it interrupts the fetch, which can be resumed.
        update: fetch the newest commit if the catalogue names no revision.

    Returns:
        the folders and files of the weights.

    Raises:
        ModelError: the model has no repository, the hub or repository is not accessible, or a file is wrong.
        NoSpaceError: the disk is too small.
        ConflictError: another process fetches into the same folder.
    """
    if spec.status == "unsupported":
        raise ModelError(f"model {spec.name!r} is not supported: {spec.status_note}")
    repositories = needed_repositories(spec)
    if not repositories:
        raise ModelError(f"{spec.name!r} has no repository to fetch from")
    with ExitStack() as locks:
        parts = []
        for needed in repositories:
            folder = folder_of(Source(repository=needed.repository), models_dir)
            locks.enter_context(_locked(folder))
            with hub_errors(needed.repository):
                parts.append(_compare(needed, folder, hub, update=update))
        _check_space(parts, models_dir)
        _download_all(parts, report)
    weights = expected(spec, models_dir)
    return [file for _, files in weights.files for file in files] + [weights.folder]


def needed_repositories(spec: ModelSpec) -> list[RepositoryFiles]:
    """The files that a model needs from each repository on a hub; empty if its weights are not on a hub.

    Raises:
        ModelError: files of one repository have different revisions.
    """
    source = spec.source
    single = []
    for name in (name for names in source.parts.values() for name in names):
        if remote := hub_file(name):
            single.append(
                RepositoryFiles(repository=remote.repository, revision=remote.revision, paths=(remote.path,))
            )
    merged = {files.repository: files for files in single}
    for repository in merged:
        same = [files for files in single if files.repository == repository]
        if len({files.revision for files in same}) > 1:
            raise ModelError(f"{spec.name!r} names {repository} at two revisions")
        paths = tuple(path for files in same for path in files.paths)
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
    """Suffixes of weights and configurations that an auxiliary network may need; code is excluded."""
    return (*SUFFIXES, *NETWORK_SUFFIXES, *(PICKLES if source.allow_pickle else ()))


@dataclass(kw_only=True)
class _Part:
    """The files of one repository: what is needed, what of it is missing, and the receipt of its folder."""

    needed: RepositoryFiles
    folder: Path
    remotes: list[RemoteFile]
    todo: list[RemoteFile]
    receipt: Receipt

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(remote.size or 0 for remote in self.remotes)


def _compare(needed: RepositoryFiles, folder: Path, hub: Hub, *, update: bool) -> _Part:
    """List the files of a repository and find those that are not on this machine."""
    old = Receipt.of(folder)
    revision = needed.revision or (old.revision if old and not update else None)
    listing = _listing(needed, folder, hub, revision)
    receipt = Receipt(repository=needed.repository, revision=listing.commit)
    if old:
        complete = old.complete and old.revision == listing.commit
        receipt = receipt.model_copy(update={"files": old.files, "complete": complete})
    todo = []
    for remote in listing.remotes:
        name = str(remote.path.relative_to(folder))
        if sha256 := _current_checksum(remote, receipt.files.get(name)):
            receipt = receipt.with_file(name, remote.path.stat().st_size, sha256)
        else:
            todo.append(remote)
    if todo and not needed.paths:
        receipt = receipt.model_copy(update={"complete": False})
    return _Part(needed=needed, folder=folder, remotes=listing.remotes, todo=todo, receipt=receipt)


def _check_space(parts: list[_Part], models_dir: Path) -> None:
    check_download_space(
        models_dir,
        sum((remote.size or 0) - remote.partial_bytes for part in parts for remote in part.todo),
        hint="--models-dir FOLDER on a larger disk, or the setting models_dir",
    )


def _download_all(parts: list[_Part], report: Callable[[FetchProgress], None]) -> None:
    """Download the missing files, and record each in the receipt of its folder."""
    total = sum(len(part.remotes) for part in parts)
    bytes_total = sum(part.bytes for part in parts)
    done = total - sum(len(part.todo) for part in parts)
    bytes_done = bytes_total - sum(remote.size or 0 for part in parts for remote in part.todo)

    def tell(name: str, size: int = 0) -> None:
        report(
            FetchProgress(file=name, done=done, total=total, bytes=bytes_done + size, bytes_total=bytes_total)
        )

    for part in parts:
        with hub_errors(part.needed.repository):
            for remote in part.todo:
                name = str(remote.path.relative_to(part.folder))
                tell(name, remote.partial_bytes)
                sha256 = download(remote, partial(tell, name))
                done, bytes_done = done + 1, bytes_done + remote.path.stat().st_size
                part.receipt = part.receipt.with_file(name, remote.path.stat().st_size, sha256)
                part.receipt.save(part.folder)
        receipt = part.receipt.without(part.receipt.missing(part.folder))
        receipt.model_copy(update={"complete": receipt.complete or not part.needed.paths}).save(part.folder)
    last = parts[-1]
    tell(str(last.remotes[-1].path.relative_to(last.folder)))


@dataclass(frozen=True)
class _Listing:
    """The commit of a revision, and the files to fetch at it."""

    commit: str
    remotes: list[RemoteFile]


def _listing(needed: RepositoryFiles, folder: Path, hub: Hub, revision: str | None) -> _Listing:
    """The needed files at a revision; `model_index.json` is last, as it marks a complete folder."""
    commit, available = files_of(needed.repository, revision, folder, hub)
    for path in needed.paths or (() if needed.suffixes else (INDEX,)):
        if path not in available:
            raise ModelError(f"{needed.repository} has no file {path} at {commit}")
    paths = sorted(filter(needed.includes, available), key=lambda path: (path == INDEX, path))
    if not paths:
        raise ModelError(f"{needed.repository} has no weights of a supported format at {commit}")
    return _Listing(commit, [available[path] for path in paths])


def _current_checksum(remote: RemoteFile, entry: ReceiptEntry | None) -> str | None:
    """SHA-256 of a local file that equals the remote one, else None; computed if the receipt has no entry."""
    if not remote.path.is_file() or remote.path.stat().st_size != remote.size:
        return None
    if remote.sha256 and entry:
        return entry.sha256 if entry.sha256 == remote.sha256 else None
    sha256, blob = checksums(remote.path)
    return sha256 if (remote.sha256 or sha256, remote.blob or blob) == (sha256, blob) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A context in which no other process fetches into a folder."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".wangp.lock", timeout=0):
            yield
    except Timeout:
        raise ConflictError(f"another process is fetching into {folder}", hint="wait for it") from None
