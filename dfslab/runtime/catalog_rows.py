"""How the catalog's records lie in its tables: a row each, with a sum over what is in it.

SQLite does not see a flipped bit inside a value, nor an older page in the place of a newer one. So each
row carries a hash of its values, and the one row of the table `state` the total of these hashes: what is
read is what the commit of that number left, or it is damaged.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dfslab.core.blocks import CHECKSUM_BYTES, block_count
from dfslab.core.master.instructions import (
    CatalogRecord,
    ForgetReplica,
    ForgetUpload,
    ForgetVersion,
    PutKeeper,
    PutReplica,
    PutUpload,
    PutVersion,
)
from dfslab.core.model import Version
from dfslab.core.names import check_name

FORMAT = 2
HASH_MODULUS = 1 << 63

SCHEMA = (
    """CREATE TABLE keepers (
    keeper TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, decommissioned INTEGER NOT NULL, sum INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE versions (
    version TEXT PRIMARY KEY, name TEXT NOT NULL, size INTEGER NOT NULL, block_size INTEGER NOT NULL,
    checksums BLOB NOT NULL, created_at REAL NOT NULL, deleted INTEGER NOT NULL, sum INTEGER NOT NULL
) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX current_names ON versions (name) WHERE NOT deleted",
    """CREATE TABLE replicas (
    version TEXT NOT NULL, keeper TEXT NOT NULL, path TEXT NOT NULL, corrupt INTEGER NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY (version, keeper)
) WITHOUT ROWID""",
    """CREATE TABLE uploads (
    upload TEXT PRIMARY KEY, version TEXT NOT NULL, ack_replicas INTEGER NOT NULL, unix_s REAL NOT NULL,
    sum INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE state (
    only INTEGER PRIMARY KEY CHECK (only = 1), cluster TEXT NOT NULL, restored INTEGER NOT NULL,
    commits INTEGER NOT NULL, total INTEGER NOT NULL, sum INTEGER NOT NULL
)""",
)

Row = tuple[Any, ...]


class BadRow(ValueError):
    """A row that no master has written; its text says which, and why."""


@dataclass(frozen=True)
class Table:
    """One kind of record: its columns with their types, how many of them are the key, and the way there and back."""

    name: str
    columns: tuple[tuple[str, type], ...]
    keys: int
    to_row: Callable[[Any], Row]
    from_row: Callable[[Row], CatalogRecord]

    def put(self, db: sqlite3.Connection, row: Row) -> int:
        """Write a row in the place of one with the same key; return how the total changes."""
        change = row_sum(self.name, row) - self._sum_of(db, row[: self.keys])
        names = [name for name, _ in self.columns]
        updates = ", ".join(f"{name} = excluded.{name}" for name in [*names[self.keys :], "sum"])
        db.execute(
            # Not OR REPLACE, which would also remove another current version of the same name.
            f"INSERT INTO {self.name} VALUES ({', '.join('?' * len(names))}, ?) "
            f"ON CONFLICT ({', '.join(names[: self.keys])}) DO UPDATE SET {updates}",
            (*row, row_sum(self.name, row)),
        )
        return change

    def forget(self, db: sqlite3.Connection, key: Row) -> int:
        """Remove a row, if it is there; return how the total changes."""
        change = -self._sum_of(db, key)
        db.execute(f"DELETE FROM {self.name} WHERE {self._has_key}", key)
        return change

    @property
    def _has_key(self) -> str:
        return " AND ".join(f"{name} = ?" for name, _ in self.columns[: self.keys])

    def _sum_of(self, db: sqlite3.Connection, key: Row) -> int:
        found = db.execute(f"SELECT sum FROM {self.name} WHERE {self._has_key}", key).fetchone()
        return int(found[0]) if found else 0

    def read(self, db: sqlite3.Connection, *, summed: bool = True) -> Iterator[tuple[CatalogRecord, int]]:
        """Yield every record and its sum; raise BadRow for one that is not as it was written."""
        for row in db.execute(f"SELECT * FROM {self.name}"):
            values = row[:-1] if summed else row
            self._check_types(values)
            if summed and row[-1] != row_sum(self.name, values):
                raise BadRow(f"the row {self._label(values)} does not match its sum")
            yield self._decode(values), row[-1] if summed else row_sum(self.name, values)

    def _check_types(self, values: Row) -> None:
        kinds = tuple(kind for _, kind in self.columns)
        if tuple(map(type, values)) != kinds:
            raise BadRow(f"the row {self._label(values)} has values of the wrong kind")

    def _decode(self, values: Row) -> CatalogRecord:
        try:
            return self.from_row(values)
        except ValueError as error:  # an InvalidName is one, too
            raise BadRow(f"the row {self._label(values)} is none that a master writes: {error}") from None

    def _label(self, values: Row) -> str:
        return f"{self.name} {' '.join(str(value)[:80] for value in values[: self.keys])!r}"


def row_sum(table: str, row: Row) -> int:
    """Return a hash of a row's values, 63 bits, that depends on the table, the kind and the place of each."""
    hashed = hashlib.blake2b(table.encode(), digest_size=8)
    for value in row:
        content = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
        hashed.update(struct.pack(">cQ", type(value).__name__[:1].encode(), len(content)))
        hashed.update(content)
    return int.from_bytes(hashed.digest(), "big") % HASH_MODULUS


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _flag(value: int) -> bool:
    _require(value in (0, 1), f"{value} is neither yes nor no")
    return bool(value)


def _keeper_of(row: Row) -> PutKeeper:
    keeper, incarnation, decommissioned = row
    _require(incarnation >= 0, f"incarnation {incarnation}")
    return PutKeeper(check_name(keeper), incarnation, _flag(decommissioned))


def _version_of(row: Row) -> PutVersion:
    version, name, size, block_size, checksums, created_at, deleted = row
    _require(bool(version), "it has no version id")
    _require(size >= 0 and block_size >= 1, f"size {size}, block size {block_size}")
    wanted = CHECKSUM_BYTES * block_count(size, block_size)
    _require(len(checksums) == wanted, f"{len(checksums)} bytes of checksums, {wanted} belong to {size} bytes")
    return PutVersion(Version(version, check_name(name), size, block_size, checksums, created_at, _flag(deleted)))


def _replica_of(row: Row) -> PutReplica:
    version, keeper, path, corrupt = row
    return PutReplica(version, check_name(keeper), path, _flag(corrupt))


def _upload_of(row: Row) -> PutUpload:
    upload, version, ack_replicas, unix_s = row
    _require(ack_replicas >= 1, f"{ack_replicas} copies")
    return PutUpload(upload, version, ack_replicas, unix_s)


KEEPERS = Table(
    "keepers",
    (("keeper", str), ("incarnation", int), ("decommissioned", int)),
    1,
    lambda r: (r.keeper, r.incarnation, int(r.decommissioned)),
    _keeper_of,
)
VERSIONS = Table(
    "versions",
    (
        ("version", str),
        ("name", str),
        ("size", int),
        ("block_size", int),
        ("checksums", bytes),
        ("created_at", float),
        ("deleted", int),
    ),
    1,
    lambda r: (
        r.version.id,
        r.version.name,
        r.version.size,
        r.version.block_size,
        r.version.checksums,
        float(r.version.created_at),
        int(r.version.deleted),
    ),
    _version_of,
)
REPLICAS = Table(
    "replicas",
    (("version", str), ("keeper", str), ("path", str), ("corrupt", int)),
    2,
    lambda r: (r.version, r.keeper, r.path, int(r.corrupt)),
    _replica_of,
)
UPLOADS = Table(
    "uploads",
    (("upload", str), ("version", str), ("ack_replicas", int), ("unix_s", float)),
    1,
    lambda r: (r.upload_id, r.version, r.ack_replicas, float(r.unix_s)),
    _upload_of,
)
TABLES = (KEEPERS, VERSIONS, REPLICAS, UPLOADS)

_PUTS: dict[type, Table] = {PutKeeper: KEEPERS, PutVersion: VERSIONS, PutReplica: REPLICAS, PutUpload: UPLOADS}
_FORGETS: dict[type, tuple[Table, Callable[[Any], Row]]] = {
    ForgetVersion: (VERSIONS, lambda r: (r.version,)),
    ForgetReplica: (REPLICAS, lambda r: (r.version, r.keeper)),
    ForgetUpload: (UPLOADS, lambda r: (r.upload_id,)),
}


def write_record(db: sqlite3.Connection, record: CatalogRecord) -> int:
    """Write a record; return how the total of all rows' sums changes."""
    if table := _PUTS.get(type(record)):
        return table.put(db, table.to_row(record))
    table, key = _FORGETS[type(record)]
    return table.forget(db, key(record))


@dataclass(frozen=True, slots=True)
class State:
    """What the catalog says of itself.

    Attributes
    ----------
    cluster : str
        The cluster's id, drawn when the catalog was made.
    commits : int
        Counts its commits; a lost one shows by this.
    total : int
        The sum of all rows' sums, modulo 2^63.
    restored : bool
        True after it was restored from a backup, until an operator says that nothing is missed.
    """

    cluster: str
    commits: int = 0
    total: int = 0
    restored: bool = False

    def after(self, change: int) -> State:
        """Return the state one commit later."""
        return State(self.cluster, self.commits + 1, (self.total + change) % HASH_MODULUS, self.restored)

    def write(self, db: sqlite3.Connection) -> None:
        """Write it in place of the one that is there."""
        row = (1, self.cluster, int(self.restored), self.commits, self.total)
        db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?)", (*row, row_sum("state", row)))

    @classmethod
    def read(cls, db: sqlite3.Connection) -> State:
        """Read it, or raise BadRow."""
        rows = db.execute("SELECT * FROM state").fetchall()
        if len(rows) != 1:
            raise BadRow(f"its table state has {len(rows)} rows instead of one")
        (_, cluster, restored, commits, total, _) = rows[0]
        if rows[0][-1] != row_sum("state", rows[0][:-1]):
            raise BadRow("the row of the table state does not match its sum")
        return cls(cluster, commits, total, bool(restored))


def make_tables(db: sqlite3.Connection, state: State, records: Sequence[CatalogRecord] = ()) -> State:
    """Make the tables in a transaction of the caller's, with these records; return the state that they are in."""
    for statement in SCHEMA:
        db.execute(statement)
    change = sum(write_record(db, record) for record in records)
    filled = State(state.cluster, state.commits, (state.total + change) % HASH_MODULUS, state.restored)
    filled.write(db)
    db.execute(f"PRAGMA user_version = {FORMAT}")
    return filled


def schema_of(db: sqlite3.Connection) -> list[Row]:
    """Return what the database says its tables are."""
    return db.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    ).fetchall()
