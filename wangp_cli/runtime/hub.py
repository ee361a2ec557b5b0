"""Files of repositories on the hub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from wangp_cli.errors import ModelError
from wangp_cli.runtime.download import Remote


def files_of(repository: str, revision: str | None = None) -> dict[str, Remote]:
    """Every file of a repository by its path, all of one commit.

    Raises:
        ModelError: there is no such repository, no network, or no access.
    """
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    with hub_errors(repository):
        info = HfApi().model_info(repository, revision=revision, files_metadata=True)
    headers = build_hf_headers()
    return {
        file.rfilename: Remote(
            url=hf_hub_url(repository, file.rfilename, revision=info.sha),
            headers=headers,
            size=file.size,
            sha256=file.lfs.sha256 if file.lfs else None,
        )
        for file in info.siblings or []
    }


@contextlib.contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """Turn what the hub's client raises into one message."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise ModelError(
            f"{repository} asks you to accept its licence first",
            hint=f"accept it on the hub page of {repository}, then run `hf auth login`",
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(f"{repository} is not on the hub, or asks for a login") from None
    except RevisionNotFoundError:
        raise ModelError(f"{repository} has no such revision") from None
    except OfflineModeIsEnabled:
        raise ModelError(f"{repository} cannot be fetched offline", hint="unset HF_HUB_OFFLINE") from None
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{repository} cannot be fetched: {first}", hint="try again; it resumes") from None
