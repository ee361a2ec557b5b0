"""Tables whose rows are printed as soon as they are measured."""

from __future__ import annotations


class Rows:
    """Prints a heading, then rows below it.

    Args:
        names: of the columns; the first is the row's own.
    """

    def __init__(self, *names: str) -> None:
        self._widths = [24, *(max(8, len(name)) for name in names[1:])]
        self.add(*names)

    def add(self, name: str, *cells: str) -> None:
        """Print a row."""
        padded = (f"{cell:>{width}}" for cell, width in zip(cells, self._widths[1:], strict=True))
        print("  ".join([f"{name:<{self._widths[0]}}", *padded]), flush=True)
