"""What changed between two moments of a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from dfslab.core.history import FileRow, ReplicaRow, Table
from dfslab.views.snapshot import current_files, in_natural_order, natural_key
from dfslab.views.tables import frame

DIFF = {
    "what": "string",
    "file_name": "string",
    "data_node": "string",
    "change": "string",
    "field": "string",
    "before": "string",
    "after": "string",
    "version": "string",
}


class Change(NamedTuple):
    """A row of the table."""

    what: str
    file_name: str
    data_node: str
    change: str
    field: str
    before: str
    after: str
    version: str = ""


def diff(before: Table, after: Table) -> pd.DataFrame:
    """Return what changed from one snapshot to a later one: keepers, then files, then replicas.

    Parameters
    ----------
    before, after : Table
        Snapshots, see `dfslab.core.trace.Trace.table`.

    Returns
    -------
    DataFrame
        One row a change; without a row where nothing changed.

        =========== ======= =========================================================================
        `what`      string  "keeper", "file" or "replica"
        `file_name` string  as it is called afterwards; empty for a keeper
        `data_node` string  the keeper; empty for a file
        `change`    string  "appeared", "vanished" or "changed"
        `field`     string  of a keeper: "state", "incarnation" (it registered again);
                            of a file: "version" (stored or overwritten), "file_name" (renamed),
                            "live_copies"; of a replica: "state", "file_path"
        `before`    string  the field's value, such as "alive" or "valid"; empty for what appeared
        `after`     string  such as "dead" or "corrupt"; empty for what vanished
        `version`   string  the content of the file that a replica is of; empty for a keeper
        =========== ======= =========================================================================
    """
    return frame(DIFF, [*_keepers(before, after), *_files(before, after), *_replicas(before, after)])


def _one(what: str, file_name: str, data_node: str, field: str, before: str, after: str, version: str = "") -> Change:
    change = "appeared" if not before else "changed" if after else "vanished"
    return Change(what, file_name, data_node, change, field, before, after, version)


def _keepers(before: Table, after: Table) -> Iterator[Change]:
    for keeper in in_natural_order([*before.keepers, *after.keepers]):
        old, new = before.keepers.get(keeper), after.keepers.get(keeper)
        states = (old.state if old else "", new.state if new else "")
        if states[0] != states[1]:
            yield _one("keeper", "", keeper, "state", *states)
        if old and new and old.incarnation != new.incarnation:
            yield _one("keeper", "", keeper, "incarnation", str(old.incarnation), str(new.incarnation))


def _files(before: Table, after: Table) -> Iterator[Change]:
    old, new = _by_name(before), _by_name(after)
    renamed = _renamed(old, new)
    kept = {name: row for name, row in old.items() if name not in renamed.values()}
    for name in sorted({**kept, **new}):
        was, row = old[renamed[name]] if name in renamed else kept.get(name), new.get(name)
        versions = (was.version if was else "", row.version if row else "")
        if name in renamed:
            yield _one("file", name, "", "file_name", renamed[name], name, versions[1])
        elif versions[0] != versions[1]:
            yield _one("file", name, "", "version", *versions, versions[1] or versions[0])
        copies = [str(table.live_copies(version)) for table, version in zip((before, after), versions, strict=True)]
        if was and row and copies[0] != copies[1]:
            yield _one("file", name, "", "live_copies", copies[0], copies[1], row.version)


def _by_name(table: Table) -> dict[str, FileRow]:
    return {row.file_name: row for row in current_files(table)}


def _renamed(old: dict[str, FileRow], new: dict[str, FileRow]) -> dict[str, str]:
    """Return the old names of the versions that are called otherwise now, by their new ones."""
    names = {row.version: row.file_name for row in old.values()}
    return {
        row.file_name: names[row.version]
        for row in new.values()
        if row.version in names and names[row.version] != row.file_name
    }


def _replicas(before: Table, after: Table) -> Iterator[Change]:
    old, new = _current_replicas(before), _current_replicas(after)
    for key in sorted({**old, **new}, key=lambda key: (_name_of(key[0], after, before), natural_key(key[1]), key[0])):
        version, keeper = key
        was, row, name = old.get(key), new.get(key), _name_of(version, after, before)
        states = (was.state if was else "", row.state if row else "")
        if states[0] != states[1]:
            yield _one("replica", name, keeper, "state", *states, version=version)
        if was and row and was.path != row.path:
            yield _one("replica", name, keeper, "file_path", was.path, row.path, version)


def _current_replicas(table: Table) -> dict[tuple[str, str], ReplicaRow]:
    versions = (file.version for file in current_files(table))
    return {(version, row.keeper): row for version in versions for row in table.replicas.get(version, {}).values()}


def _name_of(version: str, *tables: Table) -> str:
    return next(table.files[version].file_name for table in tables if version in table.files)
