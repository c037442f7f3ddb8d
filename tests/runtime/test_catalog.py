"""The master's catalog, with real SQLite."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

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
from dfslab.core.model import Version
from dfslab.runtime import failpoints
from dfslab.runtime.catalog import Catalog
from dfslab.runtime.catalog_rows import MOST_ROWS, TABLES


def version(number: int, name: str = "clip", *, deleted: bool = False) -> Version:
    return Version(f"v{number}-0000000000", name, 10, 4, b"abcdefghijkl", 1.5, deleted)


def everything(catalog: Catalog) -> set[CatalogRecord]:
    return set(catalog.load().records())


RECORDS: tuple[CatalogRecord, ...] = (
    PutKeeper("keeper-1", 3),
    PutKeeper("keeper-2", 1, decommissioned=True),
    PutVersion(version(1)),
    PutReplica(version(1).id, "keeper-1", "/somewhere"),
    PutUpload("u1", version(1).id, 2, 7.0),
)


def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    catalog.append(RECORDS)
    catalog.close()

    assert everything(Catalog(tmp_path / "catalog")) == set(RECORDS)


def test_a_catalog_that_is_closed_twice_closes_nobody_elses_file(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    catalog.close()
    with (tmp_path / "other").open("wb") as other:  # takes the descriptor that has become free
        catalog.close()
        other.write(b"still open")
    assert (tmp_path / "other").read_bytes() == b"still open"


def test_records_of_one_commit_take_effect_in_their_order_also_when_they_are_about_the_same_row(tmp_path: Path) -> None:
    """They go in by one statement, and the sum of all rows, which reading checks, counts each row once."""
    catalog = Catalog(tmp_path / "catalog")
    catalog.append(RECORDS)
    catalog.append(
        [
            PutVersion(version(1, deleted=True)),
            PutVersion(version(2)),
            PutVersion(version(2, "other")),
            PutVersion(version(3)),
            ForgetReplica(version(1).id, "keeper-1"),
            PutReplica(version(1).id, "keeper-1", "/elsewhere"),
            PutReplica(version(3).id, "keeper-1", "/gone"),
            ForgetReplica(version(3).id, "keeper-1"),
            ForgetUpload("nobody's"),
        ]
    )
    catalog.close()

    assert everything(Catalog(tmp_path / "catalog")) == {
        PutKeeper("keeper-1", 3),
        PutKeeper("keeper-2", 1, decommissioned=True),
        PutVersion(version(1, deleted=True)),
        PutVersion(version(2, "other")),
        PutVersion(version(3)),
        PutReplica(version(1).id, "keeper-1", "/elsewhere"),
        PutUpload("u1", version(1).id, 2, 7.0),
    }


def test_a_commit_that_breaks_off_between_its_rows_and_their_total_leaves_nothing(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    catalog.append(RECORDS)
    with failpoints.armed("master.in-commit", "EIO"), pytest.raises(CatalogUnwritable):
        catalog.append([PutKeeper("keeper-3", 1), PutUpload("u2", version(1).id, 1, 8.0)])
    catalog.close()

    assert everything(Catalog(tmp_path / "catalog")) == set(RECORDS)


def test_a_commit_of_more_records_than_one_statement_takes_is_whole(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    records: list[CatalogRecord] = [PutUpload(f"u{at}", f"v{at}-0000000000", 1, 1.0) for at in range(MOST_ROWS + 1)]
    catalog.append(records)
    catalog.close()

    assert everything(Catalog(tmp_path / "catalog")) == set(records)


def test_what_a_commit_costs_does_not_grow_with_the_catalog(tmp_path: Path) -> None:
    """No statement of a commit looks at all rows of a table."""
    catalog = Catalog(tmp_path / "catalog")
    statements: list[str] = []
    catalog._db.set_trace_callback(statements.append)
    catalog.append(RECORDS)
    catalog._db.set_trace_callback(None)

    questions = [one for one in statements if one.startswith(("SELECT", "INSERT"))]
    assert questions
    for question in questions:
        plan = [row[-1] for row in catalog._db.execute(f"EXPLAIN QUERY PLAN {question}")]
        assert not [step for step in plan for table in TABLES if step.startswith(f"SCAN {table.name}")], plan
    catalog.close()


def test_records_replace_and_remove_earlier_ones(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    catalog.append(RECORDS)

    catalog.append(
        [
            PutKeeper("keeper-1", 4),
            PutVersion(version(1, deleted=True)),
            PutVersion(version(2)),
            ForgetReplica(version(1).id, "keeper-1"),
            ForgetVersion(version(1).id),
            ForgetUpload("u1"),
        ]
    )

    assert everything(catalog) == {PutKeeper("keeper-1", 4), RECORDS[1], PutVersion(version(2))}


def test_a_batch_is_durable_whole_or_not_at_all(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    catalog.append([PutVersion(version(1))])

    with pytest.raises(CatalogUnwritable):
        catalog.append([PutKeeper("keeper-9", 1), PutVersion(version(2))])  # a second current version of one name

    assert everything(catalog) == {PutVersion(version(1))}
    catalog.append([PutKeeper("keeper-9", 1)])


def test_a_number_that_sqlite_cannot_hold_leaves_no_transaction_open(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")

    with pytest.raises(OverflowError):
        catalog.append([PutKeeper("keeper-1", 1 << 64)])

    catalog.append([PutKeeper("keeper-2", 1)])
    assert everything(catalog) == {PutKeeper("keeper-2", 1)}


FIRST_FORMAT = """
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
INSERT INTO keepers VALUES ('keeper-1', 3, 0), ('keeper-2', 1, 1);
INSERT INTO versions VALUES ('v1-0000000000', 'clip', 10, 4, CAST('abcdefghijkl' AS BLOB), 1.5, 0);
INSERT INTO replicas VALUES ('v1-0000000000', 'keeper-1', '/somewhere', 0);
INSERT INTO uploads VALUES ('u1', 'v1-0000000000', 2, 7.0);
PRAGMA user_version = 1;
COMMIT;
"""


def first_format(path: Path, *more: str) -> None:
    """Write a catalog as dfslab 0.1.0 did."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(FIRST_FORMAT)
        for statement in more:
            db.execute(statement)


def test_a_catalog_of_the_first_format_is_brought_to_this_one_with_everything_in_it(tmp_path: Path) -> None:
    first_format(tmp_path / "catalog")

    catalog = Catalog(tmp_path / "catalog")

    assert everything(catalog) == set(RECORDS)
    cluster = catalog.cluster
    catalog.append([PutKeeper("keeper-3", 1)])
    catalog.close()
    again = Catalog(tmp_path / "catalog")
    assert everything(again) == {*RECORDS, PutKeeper("keeper-3", 1)}
    assert (again.cluster, len(cluster)) == (cluster, 16)


@pytest.mark.parametrize(
    "nonsense",
    [
        "UPDATE versions SET size = -1",
        "UPDATE versions SET checksums = CAST('abc' AS BLOB)",
        "UPDATE versions SET name = '../up'",
        "UPDATE versions SET block_size = 0",
        "UPDATE versions SET created_at = 'today'",
        "UPDATE versions SET deleted = 7",
        "UPDATE keepers SET incarnation = -4",
        "UPDATE replicas SET version = 'v9-0000000000'",
        "UPDATE uploads SET ack_replicas = 0",
        "ALTER TABLE keepers ADD COLUMN extra",
    ],
)
def test_rows_that_no_master_writes_are_refused_also_in_the_first_format(tmp_path: Path, nonsense: str) -> None:
    first_format(tmp_path / "catalog", nonsense)
    before = (tmp_path / "catalog").read_bytes()

    with pytest.raises(CatalogDamaged, match="nothing was overwritten"):
        Catalog(tmp_path / "catalog")

    assert (tmp_path / "catalog").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["catalog"]


def test_a_process_killed_at_any_moment_leaves_every_batch_that_was_acknowledged(tmp_path: Path) -> None:
    """FAULTS row 7: the child says each number after its commit, and is killed -9 in mid-stream."""
    code = """
        import sys
        from pathlib import Path
        from dfslab.core.master.instructions import PutKeeper
        from dfslab.runtime.catalog import Catalog
        catalog = Catalog(Path(sys.argv[1]))
        for number in range(100000):
            catalog.append([PutKeeper(f"keeper-{number}", number), PutKeeper("newest", number)])
            print(number, flush=True)
    """
    for round_number in range(3):
        path = tmp_path / f"catalog-{round_number}"
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), path], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 20 * (round_number + 1):
                os.kill(child.pid, signal.SIGKILL)
                break
        said = int((line + child.stdout.read()).split()[-1])
        child.wait(10)
        child.stdout.close()

        numbers = {record.keeper: record.incarnation for record in Catalog(path).load().keepers}

        newest = numbers.pop("newest")
        assert newest >= said
        assert numbers == {f"keeper-{number}": number for number in range(newest + 1)}


@pytest.mark.parametrize(
    "damage", ["garbage", "another program's", "a later format", "a page overwritten", "a version lost"]
)
def test_a_damaged_catalog_is_refused_named_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    """FAULTS row 8."""
    path = tmp_path / "catalog"
    if damage == "garbage":
        path.write_bytes(b"not a database " * 1000)
    elif damage == "another program's":
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE theirs (x)")
        other.close()
    else:
        catalog = Catalog(path)
        catalog.append(RECORDS)
        catalog.append([PutReplica(version(1).id, f"keeper-{number}", "/" * 200) for number in range(500)])
        catalog.close()
        if damage == "a version lost":
            with sqlite3.connect(path) as other:
                other.execute("DELETE FROM versions")
            other.close()
        elif damage == "a later format":
            with sqlite3.connect(path) as later:
                later.execute("PRAGMA user_version = 3")
            later.close()
        else:
            content = bytearray(path.read_bytes())
            content[8192:12288] = b"\xff" * 4096
            path.write_bytes(content)
    before = path.read_bytes()

    with pytest.raises(CatalogDamaged) as caught:
        Catalog(path).load()

    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
