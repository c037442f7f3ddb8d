"""The master's catalog: killed in its writes, damaged, on a full disk (rows 7, 8, 14)."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfslab import DfsError
from dfslab.core.errors import CatalogDamaged
from tests.faults.case import Case
from tests.faults.disks import Tmpfs
from tests.faults.dying import arm, wait_for_death
from tests.faults.ledger import Ledger
from tests.faults.plugin import row
from tests.faults.waiting import until

KB, MB = 1000, 1000 * 1000


@contextlib.contextmanager
def busy(files: Ledger) -> Iterator[None]:
    """Upload, overwrite and delete small files all the while; what is refused is in the books."""
    over = threading.Event()

    def work() -> None:
        number = 0
        while not over.is_set():
            number += 1
            with contextlib.suppress(DfsError):
                files.upload(f"file-{number % 40}", 2 * KB + number)
            if number % 5 == 0:
                with contextlib.suppress(DfsError):
                    files.delete(f"file-{(number - 3) % 40}")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@row(7)
@pytest.mark.parametrize("point", ["before-commit", "in-commit", "after-commit"])
def test_a_master_killed_at_any_point_of_a_write_restarts_with_every_acknowledged_file(case: Case, point: str) -> None:
    files = case.start(2, replicas=2, isolation="process")
    with busy(files):
        for _ in range(2):
            more_than(files, files.acknowledged() + 5)
            at = case.rng.randrange(1, 12)
            arm(files, "master", f"master.{point}", at=at)
            wait_for_death(case, files, "master", f"at {point}")
            files.cluster.restart_master()


def more_than(files: Ledger, count: int) -> None:
    until("some more uploads", lambda: files.acknowledged() > count)


@row(8)
def test_a_master_with_a_damaged_catalog_refuses_to_start_and_overwrites_nothing(case: Case) -> None:
    files = case.start(2, replicas=2, isolation="process")
    for number in range(5):
        files.upload(f"file-{number}", 10 * KB + number)
    files.cluster.wait_for_replicas()
    files.cluster.kill_master()
    folder = files.cluster.root / "master"
    catalog, log = folder / "catalog.sqlite", folder / "catalog.sqlite-wal"

    for what in ("one bit", "cut short", "gone"):
        check_refusal(case, files, log, what)
    with contextlib.closing(sqlite3.connect(catalog)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # now all of it is in the file itself
    for what in ("one bit", "cut short", "noise", "emptied", "gone"):
        check_refusal(case, files, catalog, what)
    files.cluster.restart_master()


def check_refusal(case: Case, files: Ledger, path: Path, what: str) -> None:
    """Damage a file of the dead master's, and see that it does not start; then put the good one back."""
    good = path.read_bytes()
    path.write_bytes(damaged(good, what, case))
    if what == "gone":
        path.unlink()
    before = contents(path.parent)

    with pytest.raises(CatalogDamaged, match=r"catalog\.sqlite.*nothing was overwritten"):
        files.cluster.restart_master()

    assert contents(path.parent) == before
    case.strike(f"{path.name}: {what}")
    path.write_bytes(good)


def damaged(content: bytes, what: str, case: Case) -> bytes:
    match what:
        case "one bit":
            at = content.rindex(b"file-") + case.rng.randrange(5)  # in a row, not in the unused end of a page
            return content[:at] + bytes([content[at] ^ (1 << case.rng.randrange(8))]) + content[at + 1 :]
        case "cut short":
            return content[: case.rng.randrange(1, len(content) // 2)]
        case "noise":
            return case.rng.randbytes(len(content))
        case _:
            return b""


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of the master's but its lock, and SQLite's index of the log, which is made anew."""
    kept = (path for path in folder.iterdir() if path.name != "lock" and not path.name.endswith("-shm"))
    return {path.name: path.read_bytes() for path in kept}


@row(14)
def test_a_master_whose_disk_is_full_says_so_and_goes_on_reading(case: Case) -> None:
    disk = Tmpfs(case.folder / "cluster" / "master", 2 * MB)
    case.finally_(disk.unmount)
    files = case.start(2, replicas=2, isolation="process", root=case.folder / "cluster")
    files.upload("clip", 50 * KB)
    files.cluster.wait_for_replicas()

    disk.fill()
    refused = until("the master to refuse", lambda: refused_upload(files, case))

    for words in ("full", "read-only"):
        assert words in str(refused)
    files.download("clip")
    with pytest.raises(DfsError, match="full"):
        files.delete("clip")
    case.strike("changes refused", 2)

    disk.free()
    until("the master to take changes again", lambda: not refused_upload(files, case))
    files.delete("clip")


def refused_upload(files: Ledger, case: Case) -> DfsError | None:
    """Upload until the catalog has no room for the record, and return what the client hears."""
    try:
        files.upload(f"more-{case.rng.randrange(10**6)}", 20 * KB)
    except DfsError as error:
        return error
    return None
