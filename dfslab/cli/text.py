"""Plain text in columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a table: each column as wide as its widest cell, those named in `right` flush right."""
    table = [header, *rows]
    widths = [max(width(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        cells = []
        for name, cell, wide in zip(header, row, widths, strict=True):
            gap = " " * (wide - width(cell))
            cells.append(gap + cell if name in right else cell + gap)
        yield "  ".join(cells).rstrip()


def plural(count: int, noun: str) -> str:
    """Return "1 file", "2 files"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rate(size: int, seconds: float) -> str:
    """Return a throughput in MB/s (10^6 bytes) as people write it."""
    mb_s = size / 1e6 / seconds if seconds > 0 else 0.0
    return f"{mb_s:.0f} MB/s" if mb_s >= 10 else f"{mb_s:.1f} MB/s"
