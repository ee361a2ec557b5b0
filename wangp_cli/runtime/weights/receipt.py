"""What was fetched into a folder: from where, which commit, and the checksum of every file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from wangp_cli.errors import ModelError

NAME = "wangp.json"


class ReceiptEntry(BaseModel):
    """A file that was fetched whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    size: int
    sha256: str


class Receipt(BaseModel):
    """One folder of fetched files."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    repository: str
    revision: str
    files: Mapping[str, ReceiptEntry] = {}

    @classmethod
    def of(cls, folder: Path) -> Receipt | None:
        """The record of a folder, None if nothing was fetched into it.

        Raises:
            ModelError: it is broken.
        """
        try:
            return cls.model_validate_json((folder / NAME).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise ModelError(
                f"{folder / NAME} cannot be read: {str(error).splitlines()[0]}",
                hint="delete it, and fetch again: files that are whole are kept",
            ) from None

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{NAME}.part"
        data = self.model_dump(mode="json")
        with part.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / NAME)

    def with_file(self, path: str, size: int, sha256: str) -> Receipt:
        """The record with one more file."""
        files = dict(self.files) | {path: ReceiptEntry(size=size, sha256=sha256)}
        return self.model_copy(update={"files": files})
