"""Reads a catalog and judges it, without changing a byte of it.

SQLite writes when it opens a database that was not closed: it replays the log and removes it. A damaged
catalog must stay as it is, so what is opened here is a copy, or, where there is no log, the file as one
that nobody changes.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfslab.core.errors import CatalogDamaged
from dfslab.core.master.instructions import CatalogRecord, PutKeeper, PutReplica, PutUpload, PutVersion
from dfslab.core.master.master import CatalogImage
from dfslab.runtime.catalog_mark import BadMark, read_mark
from dfslab.runtime.catalog_rows import FORMAT, HASH_MODULUS, TABLES, BadRow, State, make_tables, schema_of

_FIRST_FORMAT_COLUMNS = {
    "keepers": ("keeper", "incarnation", "decommissioned"),
    "versions": ("version", "name", "size", "block_size", "checksums", "created_at", "deleted"),
    "replicas": ("version", "keeper", "path", "corrupt"),
    "uploads": ("upload", "version", "ack_replicas", "unix_s"),
}


@dataclass(frozen=True)
class Contents:
    """What a catalog holds.

    Attributes
    ----------
    format : int
        The format that it is in; 0 when it is empty, as a master leaves it that was killed while making it.
    state : State
    image : CatalogImage
    """

    format: int
    state: State
    image: CatalogImage


def read_catalog(path: Path, *, marked: bool = True) -> Contents:
    """Return what a catalog holds, whole and as it was committed.

    Parameters
    ----------
    path : Path
        The catalog's file; its log and its mark lie beside it.
    marked : bool
        Whether its mark counts: not for a backup, which is a file alone.

    Raises
    ------
    CatalogDamaged
        It can't be read, or is not what was committed. Nothing was changed.
    FileNotFoundError
        There is no such file, and no mark either.
    """
    try:
        mark = read_mark(path) if marked else None
        if mark is not None and not path.exists():
            raise BadRow(f"it is missing, though its commit {mark} was acknowledged")
        with opened(path) as db:
            contents = read_database(db)
        if marked:
            _check_mark(contents, mark)
        return contents
    except FileNotFoundError:
        raise
    except (sqlite3.Error, BadRow, BadMark, UnicodeDecodeError) as error:  # the last for the text of its tables
        raise CatalogDamaged(path=str(path), reason=str(error)) from None
    except OSError as error:
        raise CatalogDamaged(path=str(path), reason=f"it can't be read: {error.strerror or error}") from None


def _check_mark(contents: Contents, mark: int | None) -> None:
    commits = contents.state.commits
    if mark is None and commits:
        raise BadRow("the file beside it that notes its newest commit is missing")
    if mark is not None and (commits < mark or contents.format < FORMAT):
        raise BadRow(f"it ends at commit {commits}, though commit {mark} was acknowledged")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a catalog so that nothing of it changes."""
    log = path.with_name(path.name + "-wal")
    with contextlib.ExitStack() as stack:
        path.open("rb").close()
        if log.exists() and log.stat().st_size:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dfslab-catalog-")))
            for file in (path, log):
                shutil.copyfile(file, folder / file.name)
            where = (folder / path.name).as_uri()
        else:
            where = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        db = sqlite3.connect(where, uri=True, isolation_level=None)
        stack.callback(db.close)
        yield db


def read_database(db: sqlite3.Connection) -> Contents:
    """Return what an open database holds; raise BadRow or sqlite3.Error for one that is not a catalog as committed."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    tables = schema_of(db)
    if version == 0 and not tables:
        return Contents(0, State(""), CatalogImage())
    if version not in (1, FORMAT):
        raise BadRow(f"it has format {version}, this dfslab reads {FORMAT}")
    if version == 1:
        _check_first_format(db)
    elif tables != _schema():
        raise BadRow("its tables are not those of a catalog")
    problem = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != "ok":
        raise BadRow(problem)
    state = State.read(db) if version == FORMAT else State("")
    image, total = _read_rows(db, summed=version == FORMAT)
    if version == FORMAT and total != state.total:
        raise BadRow(f"its rows are not those that commit {state.commits} left")
    _check_references(image)
    image.cluster, image.restored = state.cluster, state.restored
    return Contents(version, state, image)


def _check_first_format(db: sqlite3.Connection) -> None:
    for name, columns in _FIRST_FORMAT_COLUMNS.items():
        found = tuple(row[1] for row in db.execute(f"PRAGMA table_info({name})"))
        if found != columns:
            raise BadRow(f"its table {name} is not one of a catalog")


def _schema() -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        make_tables(db, State(""))
        return schema_of(db)


def _read_rows(db: sqlite3.Connection, *, summed: bool) -> tuple[CatalogImage, int]:
    image, total = CatalogImage(), 0
    for table in TABLES:
        for record, row_sum in table.read(db, summed=summed):
            total += row_sum
            _add(image, record)
    return image, total % HASH_MODULUS


def _add(image: CatalogImage, record: CatalogRecord) -> None:
    match record:
        case PutKeeper():
            image.keepers.append(record)
        case PutVersion(version):
            image.versions.append(version)
        case PutReplica():
            image.replicas.append(record)
        case PutUpload():
            image.uploads.append(record)
        case _:
            raise TypeError(record)


def _check_references(image: CatalogImage) -> None:
    versions = {version.id for version in image.versions}
    for record in image.replicas:
        if record.version not in versions:
            raise BadRow(f"it has replicas of an unknown version {record.version}")
    names: set[str] = set()
    for version in image.versions:
        if not version.deleted and version.name in names:
            raise BadRow(f"two versions of {version.name!r} are current")
        if not version.deleted:
            names.add(version.name)
