"""How the catalog's records lie in its tables: a row each, with a sum over what is in it.

SQLite does not see a flipped bit inside a value, nor an older page in the place of a newer one. So each
row carries a hash of its values, and the one row of the table `state` the total of these hashes: what is
read is what the commit of that number left, or it is damaged.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
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
MOST_ROWS = 500
"""In one statement."""

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

    @property
    def names(self) -> list[str]:
        """The names of its columns, but for the sum."""
        return [name for name, _ in self.columns]

    def key_matches(self, values: Sequence[str]) -> str:
        """Return the condition that the key's columns are these expressions."""
        return " AND ".join(f"{name} = {value}" for name, value in zip(self.names[: self.keys], values, strict=False))

    def triggers(self) -> Iterator[str]:
        """Yield what writes a row of this table, and what removes one, when it comes in through the view."""
        arguments = [f"NEW.{column}" for column in _ARGUMENTS[: len(self.columns) + 1]]
        updates = ", ".join(f"{name} = excluded.{name}" for name in [*self.names[self.keys :], "sum"])
        yield (
            f"CREATE TEMP TRIGGER put_{self.name} INSTEAD OF INSERT ON incoming "
            f"WHEN NEW.what = 'put {self.name}' BEGIN "
            # Not OR REPLACE, which would also remove another current version of the same name.
            f"INSERT INTO {self.name} VALUES ({', '.join(arguments)}) "
            f"ON CONFLICT ({', '.join(self.names[: self.keys])}) DO UPDATE SET {updates}; END"
        )
        yield (
            f"CREATE TEMP TRIGGER forget_{self.name} INSTEAD OF INSERT ON incoming "
            f"WHEN NEW.what = 'forget {self.name}' BEGIN "
            f"DELETE FROM {self.name} WHERE {self.key_matches(arguments)}; END"
        )

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


MOST_KEYS = max(table.keys for table in TABLES)
_KEYS = {table.name: table.keys for table in TABLES}
_ARGUMENTS = tuple(f"a{number}" for number in range(1, max(len(table.columns) for table in TABLES) + 2))


def prepare(db: sqlite3.Connection) -> None:
    """Make the way in of a connection: a view of its own through which records of all tables come in one statement.

    Each statement costs a wait for the interpreter lock, which many threads of a cluster in one process want: a
    commit of a statement or two a record took 9 ms, of which SQLite used one.
    """
    db.execute("PRAGMA temp_store = MEMORY")
    if db.execute("SELECT 1 FROM temp.sqlite_master WHERE name = 'incoming'").fetchone() is None:
        columns = ", ".join(f"NULL AS {name}" for name in ("what", *_ARGUMENTS))
        db.execute(f"CREATE TEMP VIEW incoming AS SELECT {columns}")
        for table in TABLES:
            for trigger in table.triggers():
                db.execute(trigger)


def write_records(db: sqlite3.Connection, records: Iterable[CatalogRecord]) -> int:
    """Write records, in their order, on a connection that is prepared; return how the total of all sums changes."""
    change, left = 0, [_incoming_of(record) for record in records]
    while left:
        some, left = left[:MOST_ROWS], left[MOST_ROWS:]
        change += _write(db, some)
    return change


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A row to write, or the key of one to remove."""

    table: Table
    row: Row
    is_put: bool

    @property
    def key(self) -> Row:
        return self.row[: self.table.keys]

    @property
    def sum(self) -> int:
        return row_sum(self.table.name, self.row) if self.is_put else 0

    def arguments(self, row_sum: int) -> Row:
        """Return what goes into the view."""
        values = (*self.row, row_sum) if self.is_put else self.row
        what = f"{'put' if self.is_put else 'forget'} {self.table.name}"
        return (what, *values, *[None] * (len(_ARGUMENTS) - len(values)))


def _incoming_of(record: CatalogRecord) -> _Incoming:
    if table := _PUTS.get(type(record)):
        return _Incoming(table, table.to_row(record), is_put=True)
    table, key = _FORGETS[type(record)]
    return _Incoming(table, key(record), is_put=False)


def _write(db: sqlite3.Connection, records: Sequence[_Incoming]) -> int:
    there = _sums_of(db, records)
    before = sum(there.values())
    arguments: list[Any] = []
    for one in records:
        there[one.table.name, one.key] = new = one.sum
        arguments += one.arguments(new)
    row = f"({', '.join('?' * (len(_ARGUMENTS) + 1))})"
    db.execute(f"INSERT INTO incoming VALUES {', '.join([row] * len(records))}", arguments)
    return sum(there.values()) - before


def _sums_of(db: sqlite3.Connection, records: Sequence[_Incoming]) -> dict[tuple[str, Row], int]:
    """Return the sums of the rows that records are about, as far as these are there, by table and key."""
    questions, arguments = list[str](), list[Any]()
    for table in TABLES:
        keys = list(dict.fromkeys(one.key for one in records if one.table is table))
        if keys:
            # A join, for "IN (VALUES ...)" looks at every row of a table whose key has two columns.
            values = ", ".join([f"({', '.join('?' * table.keys)})"] * len(keys))
            key = [f"column{number}" for number in range(1, table.keys + 1)]
            columns = ", ".join((*key, *["NULL"] * (MOST_KEYS - table.keys)))
            questions.append(
                f"SELECT '{table.name}', {columns}, sum FROM (VALUES {values}) "
                f"CROSS JOIN {table.name} ON {table.key_matches(key)}"
            )
            arguments += itertools.chain.from_iterable(keys)
    found = db.execute(" UNION ALL ".join(questions), arguments).fetchall()
    return {(name, key[: _KEYS[name]]): int(total) for (name, *_), key, total in ((r, r[1:-1], r[-1]) for r in found)}


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
    prepare(db)
    change = write_records(db, records)
    filled = State(state.cluster, state.commits, (state.total + change) % HASH_MODULUS, state.restored)
    filled.write(db)
    db.execute(f"PRAGMA user_version = {FORMAT}")
    return filled


def schema_of(db: sqlite3.Connection) -> list[Row]:
    """Return what the database says its tables are."""
    return db.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    ).fetchall()
