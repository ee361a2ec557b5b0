"""List the files of a repository on a hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wangp_cli.errors import ModelError, first_line
from wangp_cli.runtime.weights.download import RemoteFile


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A hub, and whether requests to it are allowed.

    Args:
        endpoint: URL of a mirror; None for the default of huggingface_hub, which HF_ENDPOINT sets.
        offline: send no requests.
    """

    endpoint: str | None = None
    offline: bool = False


def files_of(
    repository: str, revision: str | None, folder: Path, hub: Hub
) -> tuple[str, dict[str, RemoteFile]]:
    """The commit of a revision, and all files of a repository at that commit by path.

    Args:
        repository: `owner/name`.
        revision: a commit, tag or branch; None for the newest commit.
        folder: destination of the files.
        hub: the hub.

    Raises:
        errors that `hub_errors` turns into `ModelError`.
    """
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    if hub.offline:
        raise _Offline
    info: Any = HfApi(endpoint=hub.endpoint).model_info(repository, revision=revision, files_metadata=True)
    headers = build_hf_headers()
    return info.sha, {
        file.rfilename: RemoteFile(
            url=hf_hub_url(repository, file.rfilename, revision=info.sha, endpoint=hub.endpoint),
            path=folder / file.rfilename,
            size=file.size,
            sha256=file.lfs.sha256 if file.lfs else None,
            blob=None if file.lfs else file.blob_id,
            headers=headers,
        )
        for file in info.siblings or []
        if not file.rfilename.startswith("/") and ".." not in file.rfilename.split("/")
    }


class _Offline(Exception):  # noqa: N818 - like OfflineModeIsEnabled of the library
    """Requests to a hub are not allowed."""


@contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """A context that turns errors of a hub's client into `ModelError`."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise ModelError(
            f"{repository} requires you to accept its licence first",
            hint=f"accept it on the hub page of {repository}, then run `hf auth login`",
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"{repository} has no such revision", hint="check its name") from None
    except errors.RepositoryNotFoundError:
        raise ModelError(
            f"{repository} is not on the hub, or requires a login", hint="`hf auth login` if it is private"
        ) from None
    except (errors.OfflineModeIsEnabled, _Offline):
        raise ModelError(
            f"{repository} cannot be fetched: offline", hint="without --offline and HF_HUB_OFFLINE"
        ) from None
    except errors.HfHubHTTPError as error:
        raise _failed(repository, error) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpx2"):
            raise _failed(repository, error) from None
        raise


def _failed(repository: str, error: Exception) -> ModelError:
    return ModelError(f"cannot fetch {repository}: {first_line(error)}", hint="try again; it resumes")
