"""Questions that several views ask a snapshot of the lookup table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dfslab.core.history import FileRow, ReplicaRow, Table

_NUMBER = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """Return a key that sorts names as people count, keeper-2 before keeper-10.

    >>> sorted(["keeper-10", "keeper-2", "keeper-1"], key=natural_key)
    ['keeper-1', 'keeper-2', 'keeper-10']
    """
    parts = _NUMBER.split(name)
    numbers = [int(part) for part in parts[1::2]] + [-1]
    return tuple(zip(parts[::2], numbers, strict=True))


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names, each once, as people count them."""
    return sorted(dict.fromkeys(names), key=natural_key)


def current_files(table: Table) -> list[FileRow]:
    """Return the current files by name, one row a name.

    A snapshot taken in the middle of an overwrite holds both versions; the later commit counts.
    """
    newest = {row.file_name: row for row in table.files.values()}
    return [newest[name] for name in sorted(newest)]


def replicas_of(table: Table, version: str) -> list[ReplicaRow]:
    """Return the replicas of a version in the natural order of their keepers."""
    rows = table.replicas.get(version, {}).values()
    return sorted(rows, key=lambda row: natural_key(row.keeper))


def live_holders(table: Table, version: str) -> list[str]:
    """Return the live keepers with a valid replica of a version, in natural order."""
    return sorted(table.live_holders(version), key=natural_key)


def file_state(live: int, wanted: int) -> str:
    """Return what a file's number of live copies means: "ok", "degraded" or "unavailable"."""
    if live == 0:
        return "unavailable"
    return "ok" if live >= wanted else "degraded"


@dataclass
class Load:
    """A keeper's rows of the lookup table, whatever their state, and their bytes."""

    replicas: int = 0
    stored_bytes: int = 0


def load_by_keeper(table: Table) -> Mapping[str, Load]:
    """Return what each keeper holds of current files; a keeper that holds nothing has a `Load` of zeros."""
    load = defaultdict[str, Load](Load)
    for file in current_files(table):
        for keeper in table.replicas.get(file.version, {}):
            load[keeper].replicas += 1
            load[keeper].stored_bytes += file.size
    return load
