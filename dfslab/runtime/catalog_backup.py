"""Backups of the catalog: one file, taken also while the master runs, and put back while none does.

A restored catalog is marked: it has forgotten what was acknowledged since the backup, so that replicas
which it does not know are kept until an operator accepts the loss (`core/master/registration.py`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dfslab.core.errors import (
    BackupUnusable,
    CatalogDamaged,
    CatalogInTheWay,
    DirectoryInUse,
    NoCatalog,
    TargetUnwritable,
)
from dfslab.runtime.catalog import CATALOG
from dfslab.runtime.catalog_mark import BadMark, Mark, mark_path, read_mark
from dfslab.runtime.catalog_reading import Contents, opened, read_catalog
from dfslab.runtime.catalog_rows import State, make_tables
from dfslab.runtime.storage import DirectoryLock, sync_directory


def master_directory(directory: Path) -> Path:
    """Return the master's directory: the one that is given, or `master/` in the root of a cluster."""
    inner = directory / "master"
    return inner if inner.is_dir() and not (directory / CATALOG).exists() else directory


def back_up(directory: Path, target: Path) -> Contents:
    """Write a copy of a catalog to `target`, whole and checked, or leave nothing there; return what it holds.

    Parameters
    ----------
    directory : Path
        A master's, or a cluster's root. The master may run.
    target : Path
        A new file; one that is there is not overwritten.

    Raises
    ------
    NoCatalog, CatalogDamaged, TargetUnwritable
        Nothing was written.
    """
    catalog = master_directory(directory) / CATALOG
    if not catalog.exists() and not mark_path(catalog).exists():
        raise NoCatalog(path=str(directory))
    if target.exists():
        raise TargetUnwritable(path=str(target), reason="it exists already")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.touch(mode=0o600, exist_ok=False)
        acknowledged = _mark_of(catalog)
        with _running_or_not(catalog) as source, _lone_file(temporary) as copy:
            source.backup(copy)
        contents = read_catalog(temporary, marked=False)
        if contents.state.commits < acknowledged:
            reason = f"it ends at commit {contents.state.commits}, though commit {acknowledged} was acknowledged"
            raise CatalogDamaged(path=str(catalog), reason=reason)
        _appear(temporary, target)
        return contents
    except sqlite3.Error as error:
        raise CatalogDamaged(path=str(catalog), reason=str(error)) from None
    except CatalogDamaged as error:
        raise CatalogDamaged(path=str(catalog), reason=error.fields["reason"]) from None
    except OSError as error:
        if isinstance(error, TargetUnwritable):
            raise
        raise TargetUnwritable.because(target, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def _mark_of(catalog: Path) -> int:
    try:
        return read_mark(catalog) or 0
    except BadMark as error:
        raise CatalogDamaged(path=str(catalog), reason=str(error)) from None


@contextlib.contextmanager
def _running_or_not(catalog: Path) -> Iterator[sqlite3.Connection]:
    """Open a catalog for reading: beside the master that has it open, or, where none runs, without a trace."""
    with contextlib.ExitStack() as stack:
        try:
            stack.callback(DirectoryLock(catalog.parent).release)
        except DirectoryInUse:
            db = sqlite3.connect(f"{catalog.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            stack.callback(db.close)
        else:
            read_catalog(catalog)
            db = stack.enter_context(opened(catalog))
        yield db


@contextlib.contextmanager
def _lone_file(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database that will be one file, without a log beside it, and sync it at the end."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db
        db.execute("PRAGMA journal_mode = DELETE")
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _appear(temporary: Path, target: Path) -> None:
    """Give a whole file its name, unless the name was taken meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise TargetUnwritable(path=str(target), reason="it exists already") from None
    sync_directory(target.parent)


def restore(backup: Path, directory: Path, *, force: bool = False) -> tuple[Contents, Path | None]:
    """Put a backup in the place of a catalog; return what it holds and where the earlier catalog is kept.

    Parameters
    ----------
    backup : Path
        What `back_up` wrote, or any catalog's file: of a damaged one, what is left of it.
    directory : Path
        A master's, or a cluster's root; made if it is not there.
    force : bool
        Also set a good catalog aside.

    Raises
    ------
    NoCatalog, BackupUnusable, CatalogInTheWay, DirectoryInUse
        Nothing was changed.
    """
    contents = _usable(backup)
    home = master_directory(directory)
    lock = DirectoryLock(home)
    try:
        catalog = home / CATALOG
        if not force:
            _refuse_to_lose(catalog)
        temporary = home / f"{CATALOG}.tmp"
        temporary.unlink(missing_ok=True)
        state = _write_restored(contents, temporary)
        kept = _set_aside(catalog)
        os.rename(temporary, catalog)  # until its mark is there, a master refuses it: restore it again
        Mark(catalog, state.commits).close()
        sync_directory(home)
        return contents, kept
    finally:
        lock.release()


def _usable(backup: Path) -> Contents:
    try:
        contents = read_catalog(backup, marked=False)
    except FileNotFoundError:
        raise NoCatalog(path=str(backup)) from None
    except CatalogDamaged as error:
        raise BackupUnusable(path=str(backup), reason=error.fields["reason"]) from None
    if not contents.format:
        raise BackupUnusable(path=str(backup), reason="it is empty")
    return contents


def _refuse_to_lose(catalog: Path) -> None:
    try:
        found = read_catalog(catalog)
    except (CatalogDamaged, FileNotFoundError):
        return
    if found.state.commits:
        files = sum(1 for version in found.image.versions if not version.deleted)
        raise CatalogInTheWay(path=str(catalog), commits=found.state.commits, files=files)


def _write_restored(contents: Contents, path: Path) -> State:
    """Write a marked catalog; its count of commits goes far ahead: where there is a seed, ids are drawn by it."""
    cluster = contents.state.cluster or secrets.token_hex(8)
    commits = contents.state.commits + 1 + secrets.randbelow(1 << 32)
    path.touch(mode=0o600, exist_ok=False)
    with _lone_file(path) as db:
        db.execute("BEGIN IMMEDIATE")
        state = make_tables(db, State(cluster, commits, restored=True), list(contents.image.records()))
        db.execute("COMMIT")
    return state


def _set_aside(catalog: Path) -> Path | None:
    """Move the files of the catalog that is there, if one is, into a folder beside it."""
    files = [path for path in catalog.parent.glob(f"{CATALOG}*") if path.suffix != ".tmp"]
    if not files:
        return None
    number = 1
    while (folder := catalog.parent / f"before-restore-{number}").exists():
        number += 1
    folder.mkdir(mode=0o700)
    for path in sorted(files):
        os.rename(path, folder / path.name)
    sync_directory(folder)
    sync_directory(catalog.parent)
    return folder


def accept(directory: Path) -> bool:
    """Have a restored catalog count as complete, so that replicas it does not know are deleted again.

    Returns False when it was not restored. Raises NoCatalog, CatalogDamaged, DirectoryInUse, CatalogUnwritable.
    """
    catalog = master_directory(directory) / CATALOG
    if not catalog.exists():
        raise NoCatalog(path=str(directory))
    lock = DirectoryLock(catalog.parent)
    try:
        return _accept(catalog)
    finally:
        lock.release()


def _accept(catalog: Path) -> bool:
    contents = read_catalog(catalog)
    if not contents.state.restored:
        return False
    with contextlib.closing(sqlite3.connect(catalog, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        state = replace(contents.state.after(0), restored=False)
        state.write(db)
        db.execute("COMMIT")
    mark = Mark(catalog, state.commits)
    mark.close()
    return True
