"""Write the report page: one HTML file that contains its style, script and data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, TextIO
from urllib.parse import quote

from wangp_cli.errors import ConflictError
from wangp_cli.files.atomic import atomic_file
from wangp_cli.files.mime import MIME
from wangp_cli.files.safe_text import escape_control_characters
from wangp_cli.runtime.report.files import Result
from wangp_cli.runtime.report.read_history import Entry, History

MARK = '<meta name="generator" content="wangp report">'
"""Element by which a page of this program is recognised."""
LARGEST_EMBEDDED = 4 << 20
"""Largest file in bytes that is embedded."""
EMBEDDED_ROOM = 64 << 20
"""Bytes of all embedded files of a page; browsers become slow beyond."""
SCRIPTS = ("select.js", "cards.js", "viewer.js", "page.js")
TYPES = {suffix: mime for suffix, mime in MIME.items() if not mime.startswith("application/")}


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page to write.

    Args:
        path: absolute.
        run_dir: absolute; only files inside it are embedded.
        embed: whether small files are embedded.
    """

    path: Path
    run_dir: Path
    embed: bool = False

    def is_report(self) -> bool:
        """Whether the existing file was written by `write`."""
        with self.path.open("rb") as file:
            return MARK.encode() in file.read(2000)

    def write(self, history: History, *, overwrite: bool) -> dict[str, int]:
        """Write the page and return its counts.

        Raises:
            ConflictError: the file exists and `overwrite` is off.
            NoSpaceError: the disk is full or the folder cannot be written.
        """
        if self.path.exists() and not overwrite:
            raise ConflictError(f"output: {self.path} exists", hint="--overwrite replaces it")
        head, tail = _around_data(escape_control_characters(self.run_dir.name or str(self.run_dir)))
        with (
            atomic_file(self.path, overwrite=overwrite) as partial,
            partial.open("w", encoding="utf-8") as out,
        ):
            out.write(head)
            counts = self._write_data(out, history)
            out.write(tail)
        return counts

    def _write_data(self, out: TextIO, history: History) -> dict[str, int]:
        statuses = Counter(entry.status for entry in history.entries)
        counts = Counter({"embedded": 0, "linked": 0, "missing": 0})
        room = EMBEDDED_ROOM if self.embed else 0
        out.write('{"tasks":[')
        for index, entry in enumerate(history.entries):
            shown = []
            for result in entry.results:
                embedded = self._embedded(result, room)
                room -= len(embedded or "")
                shown.append(self._file_data(result, embedded))
                counts["missing" if not result.file else "embedded" if embedded else "linked"] += 1
            inputs = [self._file_data(file, None) for file in entry.inputs]
            out.write(",\n"[index == 0 :] + _json(_document(entry, shown, inputs)))
        out.write(f'\n],"skipped":{history.skipped}}}')
        by_status = {status: statuses[status] for status in ("done", "failed", "cancelled", "rejected")}
        return {"tasks": len(history.entries), **by_status, **counts, "skipped_lines": history.skipped}

    def _file_data(self, result: Result, embedded: str | None) -> dict[str, Any]:
        """The data of one file for the script."""
        shown: dict[str, Any] = {
            name: getattr(result, name) for name in ("kind", "role", "name", "seed", "seconds", "frames")
        }
        if result.file and result.kind != "file":
            shown["url"] = embedded or self._url(result.file)
        if preview := result.preview:
            shown["preview"] = self._url(preview)
        return shown | {"missing": result.file is None}

    def _url(self, file: Path) -> str:
        """The file's URL relative to the page; a colon is encoded, so that no name acts as a scheme."""
        return quote(os.fsencode(os.path.relpath(file, self.path.parent)), safe="/")

    def _embedded(self, result: Result, room: int) -> str | None:
        """The file as a data URI; None unless small, of a known kind and, links resolved, in `run_dir`."""
        file = result.file
        if not file or not room or result.kind in ("file", "archive", "folder"):
            return None
        real = file.resolve()
        if not real.is_relative_to(self.run_dir.resolve()) or real.stat().st_size > LARGEST_EMBEDDED:
            return None
        kind = TYPES[file.suffix.lower()]
        uri = f"data:{kind};base64,{base64.b64encode(real.read_bytes()).decode()}"
        return uri if len(uri) <= room else None


def _document(entry: Entry, shown: list[dict[str, Any]], inputs: list[dict[str, Any]]) -> dict[str, Any]:
    document = asdict(entry) | {"results": shown, "inputs": inputs}
    return {key: value for key, value in document.items() if value not in (None, "", [], ())}


def _json(value: Any) -> str:
    """JSON that is safe inside a script element: it can neither end the script nor open a comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _around_data(title: str) -> tuple[str, str]:
    """The page before and after its data."""
    style = _static("style.css")
    script = '(() => {\n"use strict";\n' + "\n".join(map(_static, SCRIPTS)) + "})();\n"
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src 'self' file: data:; media-src 'self' file: data:; base-uri 'none'; form-action 'none'"
    )
    values = {
        "mark": MARK,
        "policy": policy,
        "title": html.escape(title),
        "style": style,
        "script": script,
    }
    # Cut first: the title may be anything.
    head, tail = _static("template.html").split("@data@")
    return Template(head).substitute(values), Template(tail).substitute(values)


def _static(name: str) -> str:
    return (files("wangp_cli.runtime.report") / "static" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The CSP source expression that allows exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
