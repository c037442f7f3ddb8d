"""Small, dependency-free text and HTML for reprs."""

from __future__ import annotations

from collections.abc import Sequence


def size_text(size: float) -> str:
    """Return a size in bytes as people write it (decimal units, as rates are in MB/s)."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 1000 or unit == "TB":
            break
    return f"{size:.3g} {unit}" if size < 100 else f"{size:.0f} {unit}"


def count_text(number: int, one: str, many: str = "") -> str:
    """Return so many of something, the noun in its number.

    >>> count_text(1, "file"), count_text(2, "file"), count_text(0, "live copy", "live copies")
    ('1 file', '2 files', '0 live copies')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def shortened(name: str, limit: int = 26) -> str:
    """Return a name with its middle left out when it is longer than `limit` characters.

    >>> shortened("lectures/distributed-systems/week-07.mp4")
    'lectures/dist…/week-07.mp4'
    """
    if len(name) <= limit:
        return name
    head = limit // 2
    return f"{name[:head]}…{name[head + 1 - limit :]}"


def table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return a two-column HTML table that is readable on light and dark pages; every text is escaped."""
    import html  # its table of entities is large, and few need it

    left = "style='text-align:left'"
    body = "".join(
        f"<tr><th {left}>{html.escape(key)}</th><td {left}>{html.escape(value)}</td></tr>" for key, value in rows
    )
    caption = f"<caption {left}>{html.escape(title)}</caption>"
    return f"<table class='dfs-summary'>{caption}<tbody>{body}</tbody></table>"
