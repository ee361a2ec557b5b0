"""Checks that files which exist may be replaced by results."""

from __future__ import annotations

import os
from pathlib import Path

from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.open_input import read_input

LONGEST_FILE_NAME = 255


def check_free(path: Path, *, overwrite: bool, named_by: str) -> None:
    """Check that a file may be written.

    Args:
        path: of the file.
        overwrite: replace what is there.
        named_by: the option that picks another name.

    Raises:
        RequestError: the name is too long, or that of a folder.
        ConflictError: the file exists, and `overwrite` is off.
    """
    if len(path.name.encode(errors="surrogateescape")) > LONGEST_FILE_NAME:
        raise RequestError("output", f"{path.name[:40]!r}... is too long, at most {LONGEST_FILE_NAME} bytes")
    if path.is_dir():
        raise RequestError("output", f"{path} is a folder", hint="use --output-dir for folders")
    if path.exists() and not overwrite:
        raise ConflictError(
            f"output: {path} exists",
            hint=f"--overwrite replaces it, --skip-existing keeps it, {named_by} picks another",
        )


def check_folder_free(path: Path, *, overwrite: bool) -> None:
    """Check that a folder of frames may be written.

    Args:
        path: of the folder.
        overwrite: replace one that holds frames alone.

    Raises:
        ConflictError: something is there that may not be replaced.
    """
    if not os.path.lexists(path):
        return
    from wangp_cli.media.image_sequence import is_sequence

    if path.is_dir() and not path.is_symlink():
        if not any(path.iterdir()) or (overwrite and is_sequence(path)):
            return
        hint = "--overwrite replaces it" if is_sequence(path) else None
        raise ConflictError(f"output: {path} exists", hint=hint or "it holds other files; pick another name")
    raise ConflictError(f"output: {path} exists and is no folder", hint="pick another name")


def check_sidecar(path: Path) -> None:
    """Check that a file beside a result, which the user did not name, may be replaced.

    Raises:
        ConflictError: it exists and is no request of a result.
    """
    if not os.path.lexists(path):
        return
    try:
        # An empty file has nothing to lose.
        document = strict_json.loads(read_input(path, strict_json.MAX_BYTES) or b'{"wangp": {}}')
    except (OSError, ValueError):
        document = None
    if isinstance(document, dict) and ("wangp" in document or "WanGP" in str(document.get("type"))):
        return
    raise ConflictError(
        f"output: {path} exists and is no request of a result",
        hint="--metadata-mode embed needs no file beside the result; or pick another name",
    )
