"""What is still missing until files have their copies, and until a cluster has recovered, in sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from dfslab.core.guard import Standing
from dfslab.core.history import FileRow, Table
from dfslab.core.nodes import MASTER


def short_of_replicas(table: Table, running: Collection[str], name: str | None, count: int) -> list[str]:
    """Return what is missing for every file (or the one named) to have `count` live copies on keepers that run."""
    files = [row for row in table.files.values() if name is None or row.file_name == name]
    if name is not None and not files:
        return [f"{name!r} is not in the lookup table"]
    missing = []
    for file in files:
        holders = [keeper for keeper in table.live_holders(file.version) if keeper in running]
        missing += _short_of(file, holders, count)
    return missing


def above_replicas(table: Table, name: str | None, count: int) -> list[str]:
    """Return which files (or the one named) have more than `count` copies, or one that is still to be deleted."""
    files = [row for row in table.files.values() if name is None or row.file_name == name]
    extra = []
    for file in files:
        copies = list(table.replicas.get(file.version, {}))
        if len(copies) > count:
            extra.append(f"{file.file_name!r} has {len(copies)} copies ({', '.join(copies)}), {count} are wanted")
    return extra


def not_recovered(table: Table, standing: Standing, replicas: int) -> list[str]:
    """Return which keepers and files are not yet as they should be, apart from what is still broken.

    A broken keeper that the master goes on hearing, such as one that is cut off from other keepers only,
    keeps its copies in the master's count: nothing is copied in place of them.
    """
    if MASTER in standing.dead:
        return []
    broken = replace(standing, corrupt=()).broken()  # damage that nobody has found keeps nothing from recovering
    well = [keeper for keeper in standing.keepers if keeper not in broken]
    missing = [f"the master has not got {name} back" for name in well if not table.is_alive(name)]
    for file in table.files.values():
        valid = table.valid_holders(file.version)
        counted = [keeper for keeper in table.live_holders(file.version) if keeper in well or standing.is_heard(keeper)]
        sources = [keeper for keeper in counted if keeper in well]
        targets = [keeper for keeper in well if keeper not in counted and keeper not in standing.full]
        if not sources and any(keeper in broken for keeper in valid):
            continue  # there is nothing to copy it from while another fault lasts
        missing += _short_of(file, counted, min(replicas, len(counted) + len(targets)))
    return missing


def _short_of(file: FileRow, holders: Sequence[str], wanted: int) -> list[str]:
    """Return what a file with these live copies is short of, in one sentence, or nothing."""
    if len(holders) >= wanted:
        return []
    where = ", ".join(holders) or "none"
    return [f"{file.file_name!r} has {len(holders)} of {wanted} live copies ({where})"]
