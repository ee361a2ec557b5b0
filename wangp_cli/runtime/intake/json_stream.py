"""Split byte streams into lines, and JSON lists into items, without reading them whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from wangp_cli.files.strict_json import MAX_BYTES

CHUNK = 1 << 16
_MARK = re.compile(rb'["\\\[\]{},]')
_BLANK = b" \t\r\n"


class MalformedError(ValueError):
    """The JSON list is malformed, so that no further item can be read."""


def raw_lines(stream: BinaryIO, head: bytes = b"", number: int = 0) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number and the text of each line when it is complete; None for a line that is too long.

    The last line needs no line end. Blank lines and lines that start with `#` are skipped.

    Args:
        stream: the rest of the file, after `head`.
        head: the start of the next line, which was read already.
        number: of the line before `head`.
    """
    while True:
        line = head if head.endswith(b"\n") else head + stream.readline(MAX_BYTES + 2 - len(head))
        head = b""
        if not line:
            return
        number += 1
        too_long = len(line) > MAX_BYTES and not line.endswith(b"\n")
        while too_long and (rest := stream.readline(CHUNK)) and not rest.endswith(b"\n"):
            pass
        if too_long:
            yield number, None
        elif text := strip_line(line):
            yield number, text


def strip_line(line: bytes) -> bytes:
    """A line without BOM and white space around it; empty for a comment."""
    text = line.removeprefix(b"\xef\xbb\xbf").strip(_BLANK)
    return b"" if text.startswith(b"#") else text


def is_complete_json(text: bytes) -> bool:
    """Whether the brackets and quotes of one JSON value are closed."""
    try:
        return len(list(list_items([b"[", text, b"]"]))) == 1
    except MalformedError:
        return False


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The parts of a stream, each as soon as it can be read."""
    read = getattr(stream, "read1", stream.read)
    while chunk := read(CHUNK):
        yield chunk


def list_items(parts: Iterable[bytes], limit: int = MAX_BYTES) -> Iterator[bytes | None]:
    """Yield the text of each item of a JSON list; None for one of more than `limit` bytes.

    Items are split at brackets and quotes, without parsing, so that an item that is not JSON costs no other.

    Raises:
        MalformedError: the list does not begin, does not end, or something follows it.
    """
    splitter = _ListSplitter(limit)
    for part in parts:
        yield from splitter.feed(part)
    if splitter.depth or not splitter.ended:
        raise MalformedError("the list has no end" if splitter.begun else "there is no list")


class _ListSplitter:
    """Splits the bytes of a JSON list at its brackets, quotes and commas; `depth` counts open brackets."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.depth = 0
        self.begun = self.ended = False
        self._quoted = self._comma = False
        self._offset, self._escaped = 0, -1
        self._item = bytearray()

    def feed(self, part: bytes) -> Iterator[bytes | None]:
        """The items that end in the next part of the stream."""
        start = 0
        for match in _MARK.finditer(part):
            mark, at = match[0], match.start()
            if self._offset + at == self._escaped:
                continue
            if mark == b"\\":
                self._escaped = self._offset + at + 1
            elif mark == b'"':
                self._quoted = not self._quoted
            elif self._quoted:
                continue
            elif mark in b"[{":
                if self.depth == 0:
                    self._begin(part[start:at], mark)
                    start = match.end()
                self.depth += 1
            elif mark in b"]}":
                self.depth -= 1
                if self.depth <= 0:
                    yield from self._finish(part[start:at], mark)
                    start = match.end()
            elif self.depth == 1:
                self._keep(part[start:at])
                start = match.end()
                self._comma = True
                yield self._take()
        self._keep(part[start:])
        self._offset += len(part)

    def _begin(self, before: bytes, mark: bytes) -> None:
        self._keep(before)
        if self._item.removeprefix(b"\xef\xbb\xbf").strip(_BLANK) or mark != b"[" or self.ended:
            raise MalformedError("something stands outside the list")
        self._item.clear()
        self.begun = True

    def _finish(self, last: bytes, mark: bytes) -> Iterator[bytes | None]:
        if mark != b"]" or not self.begun or self.ended:
            raise MalformedError("the brackets of the list do not match")
        self._keep(last)
        self.ended = True
        if self._comma or self._item.strip(_BLANK):
            yield self._take()
        self._item.clear()

    def _keep(self, piece: bytes) -> None:
        if self.ended and piece.strip(_BLANK):
            raise MalformedError("something follows the list")
        if len(self._item) <= self._limit:
            self._item += piece

    def _take(self) -> bytes | None:
        text = None if len(self._item) > self._limit else bytes(self._item.strip(_BLANK))
        self._item.clear()
        return text
