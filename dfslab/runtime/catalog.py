"""The master's catalog: SQLite with a write-ahead log, synced at every commit.

<directory>/catalog.sqlite       the tables (runtime/catalog_rows.py)
<directory>/catalog.sqlite-wal   commits that are not in there yet
<directory>/catalog.sqlite-mark  the number of the newest commit (runtime/catalog_mark.py)
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from dfslab.core.errors import CatalogDamaged, CatalogFull, CatalogUnwritable
from dfslab.core.master.instructions import CatalogRecord
from dfslab.core.master.master import CatalogImage
from dfslab.runtime import failpoints
from dfslab.runtime.catalog_mark import Mark
from dfslab.runtime.catalog_reading import Contents, read_catalog, read_database
from dfslab.runtime.catalog_rows import FORMAT, TABLES, BadRow, State, make_tables, prepare, write_records

CATALOG = "catalog.sqlite"
STATEMENTS = 512
"""That are kept prepared: one for each number of records that a commit may have."""
ROOM_BYTES = 1 << 20
"""What must be free on the disk before a full one counts as having room again."""


class Catalog:
    """What the master must not forget, in one file.

    `append` returns once the records are on stable storage (`synchronous=FULL` syncs the log at
    every commit). A catalog of an earlier format is brought to this one in one transaction.

    Raises
    ------
    CatalogDamaged
        When the file is there but is not what was committed; nothing in its directory is changed.
    CatalogUnwritable
        It can't be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            contents = read_catalog(path)
        except FileNotFoundError:
            _refuse_half_a_restore(path)
            contents = Contents(0, State(""), CatalogImage())
        with contextlib.ExitStack() as undo, self._writing():
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
            )
            undo.callback(self._db.close)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            prepare(self._db)
            self._state = contents.state if contents.format == FORMAT else self._make(contents)
            self._mark = Mark(path, self._state.commits)
            undo.pop_all()
        self._read_at_start = contents.image if contents.format == FORMAT else None

    @property
    def cluster(self) -> str:
        """The cluster's id, drawn when the catalog was made."""
        return self._state.cluster

    @property
    def commits(self) -> int:
        """How often something was made durable in it, ever."""
        return self._state.commits

    def _make(self, contents: Contents) -> State:
        """Make this format's tables, out of those of an earlier format if there are any."""
        with self._transaction():
            for table in TABLES if contents.format else ():
                self._db.execute(f"DROP TABLE {table.name}")
            return make_tables(self._db, State(secrets.token_hex(8)), list(contents.image.records()))

    def load(self) -> CatalogImage:
        """Return everything in it; the first time, what the start has read and checked already."""
        image, self._read_at_start = self._read_at_start, None
        if image is not None:
            return image
        try:
            return read_database(self._db).image
        except (sqlite3.Error, BadRow) as error:
            raise CatalogDamaged(path=str(self.path), reason=str(error)) from None

    def append(self, records: Iterable[CatalogRecord]) -> None:
        """Make records durable, all or none; raise CatalogUnwritable (CatalogFull, if it is room) when that fails."""
        self._read_at_start = None
        with self._writing():
            failpoints.hit("master.before-commit")
            with self._transaction():
                state = self._state.after(write_records(self._db, records))
                failpoints.hit("master.in-commit")
                state.write(self._db)
        self._state = state
        failpoints.hit("master.after-commit")
        self._mark.write(state.commits)

    def check_room(self) -> None:
        """Write for the sake of it; raise CatalogUnwritable while that fails, or while the disk has next to no room."""
        if self._room() < ROOM_BYTES:
            raise CatalogFull(path=str(self.path))
        with self._writing(), self._transaction():
            self._state.write(self._db)

    def _is_full(self, code: int) -> bool:
        """Return True when it is for want of room that nothing was written; a failed sync may have written all."""
        if code & 0xFF == sqlite3.SQLITE_IOERR and code != sqlite3.SQLITE_IOERR_FSYNC:
            return self._room() == 0
        return code == sqlite3.SQLITE_FULL

    def _room(self) -> int:
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what SQLite and the disk say into an error that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            if self._is_full(getattr(error, "sqlite_errorcode", 0)):
                raise CatalogFull(path=str(self.path)) from None
            raise CatalogUnwritable(path=str(self.path), reason=str(error)) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise CatalogFull(path=str(self.path)) from None
            raise CatalogUnwritable(path=str(self.path), reason=error.strerror or str(error)) from None

    def close(self) -> None:
        """Close the file."""
        self._mark.close()
        self._db.close()


def _refuse_half_a_restore(path: Path) -> None:
    """Refuse to begin anew where a restore was killed after it had moved the old catalog aside."""
    aside = sorted(path.parent.glob("before-restore-*"))
    if aside:
        reason = f"it is missing, and its predecessor is in {aside[-1].name}: a restore was broken off; restore again"
        raise CatalogDamaged(path=str(path), reason=reason)
