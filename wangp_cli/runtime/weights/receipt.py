"""The receipt of a folder of fetched files: repository, commit, and the checksum of every file."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from wangp_cli.errors import ModelError
from wangp_cli.files.atomic import write_atomic
from wangp_cli.files.open_input import read_input
from wangp_cli.files.safe_names import path_fault
from wangp_cli.files.safe_text import quote_for_message

RECEIPT = "wangp.json"
MAX_BYTES = 16 << 20


class ReceiptEntry(BaseModel):
    """Size and checksum of a file that was fetched completely."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    size: int
    sha256: str


class Receipt(BaseModel):
    """The receipt of a folder of fetched files.

    Args:
        repository: `owner/name`.
        revision: the commit.
        files: entries by path in the folder.
        complete: all needed files of the repository are fetched. It is only read for repositories that are
            not in diffusers layout; in diffusers layout `model_index.json` is fetched last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    repository: str
    revision: str
    files: Mapping[str, ReceiptEntry] = {}
    complete: bool = False

    @classmethod
    def of(cls, folder: Path) -> Receipt | None:
        """The receipt in a folder, None if nothing was fetched into it.

        Raises:
            ModelError: it is broken.
        """
        try:
            receipt = cls.model_validate_json(read_input(folder / RECEIPT, MAX_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise ModelError(
                f"{folder / RECEIPT} cannot be read: {str(error).splitlines()[0]}",
                hint="delete it, and fetch again: complete files are kept",
            ) from None
        if wrong := next((name for name in receipt.files if path_fault(name)), None):
            raise ModelError(
                f"{folder / RECEIPT} names {quote_for_message(wrong)}, which {path_fault(wrong)}",
                hint="delete it, and fetch again: complete files are kept",
            )
        return receipt

    def save(self, folder: Path) -> None:
        """Write the receipt into a folder, atomically."""
        write_atomic(folder / RECEIPT, json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True))

    def missing(self, folder: Path) -> list[str]:
        """Paths of its files that are not in the folder."""
        return [path for path in self.files if not (folder / path).is_file()]

    def with_file(self, path: str, size: int, sha256: str) -> Receipt:
        """The receipt with one more file."""
        files = dict(self.files) | {path: ReceiptEntry(size=size, sha256=sha256)}
        return self.model_copy(update={"files": files})

    def without(self, paths: Collection[str]) -> Receipt:
        """The receipt without some files; it is incomplete if it had one of them."""
        files = {path: entry for path, entry in self.files.items() if path not in paths}
        return self.model_copy(update={"files": files, "complete": self.complete and files == self.files})
