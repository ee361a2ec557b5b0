"""List the files of a repository on a hub."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wangp_cli.errors import ModelError
from wangp_cli.files.safe_names import path_fault
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.runtime.weights.download import RemoteFile
from wangp_cli.runtime.weights.http import InterruptedTransferError, StatusError, check_address, get
from wangp_cli.runtime.weights.receipt import RECEIPT

MAX_LISTING = 64 << 20
"""Most bytes of a listing."""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A hub, and whether requests to it are allowed.

    Args:
        endpoint: URL of a mirror; None for the default of huggingface_hub, which HF_ENDPOINT sets.
        offline: send no requests.
    """

    endpoint: str | None = None
    offline: bool = False


class ListedFiles(Mapping[str, RemoteFile]):
    """The files of a repository by path; what the hub says about a file is checked when it is looked up.

    Args:
        entries: of the listing, by path.
        folder: destination of the files.
        address: URL of the repository's files at the commit.
        headers: of requests for files.

    Raises:
        ModelError: at a look-up, the path is unsafe or ambiguous, or the size or checksum is malformed.
    """

    def __init__(
        self, entries: Mapping[str, Mapping[str, Any]], folder: Path, address: str, headers: Mapping[str, str]
    ) -> None:
        self._entries, self._folder = entries, folder
        self._address, self._headers = address, headers
        self._spellings = Counter(map(_spelling, entries))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def __getitem__(self, path: str) -> RemoteFile:
        entry = self._entries[path]
        if fault := path_fault(path) or self._ambiguity(path):
            raise _malformed(f"the file name {quote_for_message(path)} {fault}")
        size, lfs = entry.get("size"), entry.get("lfs")
        if size is not None and (
            not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 60
        ):
            raise _malformed(f"the size {quote_for_message(str(size))} of {path}")
        return RemoteFile(
            url=f"{self._address}/{quote(path)}",
            path=self._folder / path,
            size=size,
            sha256=_checksum(lfs.get("sha256"), 64, path) if isinstance(lfs, dict) else None,
            blob=None if lfs else _checksum(entry.get("blobId"), 40, path),
            headers=self._headers,
        )

    def _ambiguity(self, path: str) -> str:
        """What makes a path another one on some systems, or the place of a file of ours."""
        if path.casefold() == RECEIPT:
            return "is a name of wangp"
        if self._spellings[_spelling(path)] > 1:
            return "differs from another one in upper and lower case only"
        parents = (_spelling(parent.as_posix()) for parent in Path(path).parents)
        return "lies in another file" if any(self._spellings[parent] for parent in parents) else ""


def _spelling(path: str) -> str:
    """The same text for paths that are one file on some systems."""
    return unicodedata.normalize("NFC", path).casefold()


def _checksum(value: Any, digits: int, path: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", value):
        raise _malformed(f"the checksum {quote_for_message(str(value))} of {path}")
    return value.lower()


def _malformed(what: str) -> ModelError:
    return ModelError(f"the hub lists something malformed: {what}", hint="another hub, with HF_ENDPOINT")


def files_of(repository: str, revision: str | None, folder: Path, hub: Hub) -> tuple[str, ListedFiles]:
    """The commit of a revision, and all files of a repository at that commit by path.

    Args:
        repository: `owner/name`.
        revision: a commit, tag or branch; None for the newest commit.
        folder: destination of the files.
        hub: the hub.

    Raises:
        errors that `hub_errors` turns into `ModelError`.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers

    if hub.offline or constants.HF_HUB_OFFLINE:
        raise _Offline
    endpoint = (hub.endpoint or constants.ENDPOINT).rstrip("/")
    # Who can read what is sent could take the token.
    is_private = check_address(endpoint, any_http=True).is_private
    headers = build_hf_headers(token=None if is_private else False)
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    with get(f"{endpoint}/api/models/{repository}{at}?blobs=true", headers, any_http=True) as reply:
        text = reply.read(MAX_LISTING)
    try:
        listing = json.loads(text)
        commit, siblings = listing["sha"], listing.get("siblings") or []
        entries = {file["rfilename"]: file for file in siblings}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _malformed(f"no list of the files of {repository}") from None
    if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{40}", commit):
        raise _malformed(f"the commit {quote_for_message(str(commit))}")
    if len(entries) < len(siblings) or not all(isinstance(path, str) for path in entries):
        raise _malformed("two files of one name" if len(entries) < len(siblings) else "a file without a name")
    return commit, ListedFiles(entries, folder, f"{endpoint}/{repository}/resolve/{commit}", headers)


class _Offline(Exception):  # noqa: N818 - like OfflineModeIsEnabled of the library
    """Requests to a hub are not allowed."""


@contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """A context that turns errors of requests for a repository into a `ModelError` that names it."""
    try:
        yield
    except _Offline:
        raise ModelError(
            f"{repository} cannot be fetched: offline", hint="without --offline and HF_HUB_OFFLINE"
        ) from None
    except InterruptedTransferError as error:
        raise ModelError(f"cannot fetch {repository}: {error.message}", hint=error.hint) from None
    except StatusError as error:
        raise _refusal(repository, error) from None


def _refusal(repository: str, error: StatusError) -> ModelError:
    if error.reason == "GatedRepo":
        return ModelError(
            f"{repository} requires you to accept its licence first",
            hint=f"accept it on the hub page of {repository}, then run `hf auth login`",
        )
    if error.reason == "RevisionNotFound":
        return ModelError(f"{repository} has no such revision", hint="check its name")
    if error.reason == "RepoNotFound" or error.status == 401:
        return ModelError(
            f"{repository} is not on the hub, or requires a login", hint="`hf auth login` if it is private"
        )
    return ModelError(f"cannot fetch {repository}: {error.message}", hint="try again; it resumes")
