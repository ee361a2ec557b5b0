"""The links of chained Ogg files: whole streams one behind another, as recordings of radio are."""

from __future__ import annotations

from pathlib import Path

_PAGE_HEADER = 27
_FIRST_PAGE = 2


def chain_links(path: Path) -> list[tuple[int, int]]:
    """Where each link of an Ogg file begins and ends, in bytes; none for other files."""
    begins, position, was_first = [], 0, False
    with path.open("rb") as file:
        while len(header := file.read(_PAGE_HEADER)) == _PAGE_HEADER and header.startswith(b"OggS"):
            is_first = bool(header[5] & _FIRST_PAGE)
            # Streams that play together have their first pages together.
            if is_first and not was_first:
                begins.append(position)
            was_first = is_first
            segments = file.read(header[26])
            position += _PAGE_HEADER + len(segments) + sum(segments)
            file.seek(position)
    ends = [*begins[1:], path.stat().st_size]
    return list(zip(begins, ends, strict=False))
