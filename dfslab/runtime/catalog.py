"""The master's catalog: SQLite with a write-ahead log, synced at every commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dfslab.core.errors import CatalogDamaged, CatalogUnwritable
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
from dfslab.core.master.master import CatalogImage
from dfslab.core.model import Version

FORMAT = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE keepers (
    keeper TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, decommissioned INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE versions (
    version TEXT PRIMARY KEY, name TEXT NOT NULL, size INTEGER NOT NULL, block_size INTEGER NOT NULL,
    checksums BLOB NOT NULL, created_at REAL NOT NULL, deleted INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX current_names ON versions (name) WHERE NOT deleted;
CREATE TABLE replicas (
    version TEXT NOT NULL, keeper TEXT NOT NULL, path TEXT NOT NULL, corrupt INTEGER NOT NULL,
    PRIMARY KEY (version, keeper)
) WITHOUT ROWID;
CREATE TABLE uploads (
    upload TEXT PRIMARY KEY, version TEXT NOT NULL, ack_replicas INTEGER NOT NULL, unix_s REAL NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
COMMIT;
"""

# Not OR REPLACE, which would also remove another current version of the same name.
_PUT_VERSION = """
INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (version) DO UPDATE SET name = excluded.name, deleted = excluded.deleted
"""

_WRITES: dict[type, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    PutKeeper: (
        "INSERT OR REPLACE INTO keepers VALUES (?, ?, ?)",
        lambda r: (r.keeper, r.incarnation, r.decommissioned),
    ),
    PutVersion: (
        _PUT_VERSION,
        lambda r: (
            r.version.id,
            r.version.name,
            r.version.size,
            r.version.block_size,
            r.version.checksums,
            r.version.created_at,
            r.version.deleted,
        ),
    ),
    ForgetVersion: ("DELETE FROM versions WHERE version = ?", lambda r: (r.version,)),
    PutReplica: (
        "INSERT OR REPLACE INTO replicas VALUES (?, ?, ?, ?)",
        lambda r: (r.version, r.keeper, r.path, r.corrupt),
    ),
    ForgetReplica: ("DELETE FROM replicas WHERE version = ? AND keeper = ?", lambda r: (r.version, r.keeper)),
    PutUpload: (
        "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)",
        lambda r: (r.upload_id, r.version, r.ack_replicas, r.unix_s),
    ),
    ForgetUpload: ("DELETE FROM uploads WHERE upload = ?", lambda r: (r.upload_id,)),
}


class Catalog:
    """What the master must not forget, in one file.

    `append` returns once the records are on stable storage (`synchronous=FULL` syncs the log at
    every commit).

    Raises
    ------
    CatalogDamaged
        When the file is there but can't be read whole; it is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._open()
        except sqlite3.OperationalError as error:
            raise CatalogUnwritable(path=str(path), reason=str(error)) from None
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise CatalogDamaged(path=str(path), reason=str(error)) from None

    def _open(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == 0 and tables == 0:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            return
        if version != FORMAT:
            raise sqlite3.DatabaseError(f"it has format {version}, this dfslab reads {FORMAT}")
        problem = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    def load(self) -> CatalogImage:
        """Return everything in it."""
        try:
            image = CatalogImage(
                [PutKeeper(k, n, bool(d)) for k, n, d in self._db.execute("SELECT * FROM keepers")],
                [
                    Version(v, name, size, block, bytes(checksums), at, bool(deleted))
                    for v, name, size, block, checksums, at, deleted in self._db.execute("SELECT * FROM versions")
                ],
                [PutReplica(v, k, path, bool(bad)) for v, k, path, bad in self._db.execute("SELECT * FROM replicas")],
                [PutUpload(*row) for row in self._db.execute("SELECT * FROM uploads")],
            )
        except sqlite3.DatabaseError as error:
            raise CatalogDamaged(path=str(self.path), reason=str(error)) from None
        versions = {version.id for version in image.versions}
        astray = [record.version for record in image.replicas if record.version not in versions]
        if astray:
            raise CatalogDamaged(path=str(self.path), reason=f"it has replicas of an unknown version {astray[0]}")
        return image

    def append(self, records: Iterable[CatalogRecord]) -> None:
        """Make records durable, all or none; raise CatalogUnwritable when that fails."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for record in records:
                statement, values = _WRITES[type(record)]
                self._db.execute(statement, values(record))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise CatalogUnwritable(path=str(self.path), reason=str(error)) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()
