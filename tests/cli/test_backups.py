"""A catalog is backed up while its master runs, is lost, and is restored: with real processes.

What was acknowledged after the backup is forgotten by the catalog, but nothing of it is deleted.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

import pytest

from dfslab import DfsError
from dfslab.core.errors import (
    BackupUnusable,
    CatalogDamaged,
    CatalogInTheWay,
    DirectoryInUse,
    FileUnavailable,
    NoCatalog,
    TargetUnwritable,
)
from dfslab.core.master.instructions import PutKeeper
from dfslab.runtime.catalog import Catalog
from dfslab.runtime.catalog_backup import accept, back_up, restore
from dfslab.runtime.catalog_reading import read_catalog
from tests.cli.by_hand import ByHand, wait_for

ONE_COPY = ("--replicas", "1", "--replication-interval-s", "0.3")


def blobs(hand: ByHand) -> set[str]:
    return {path.name for path in (hand.folder / "k1" / "replicas").glob("*.data")}


def upload(hand: ByHand, name: str) -> str:
    with hand.client() as client:
        return client.upload(name.encode() * 100, name).version


def test_a_lost_catalog_is_restored_and_what_it_has_forgotten_is_kept_until_it_is_accepted(hand: ByHand) -> None:
    hand.excused = "was not heard"
    master, keepers = hand.cluster(1, *ONE_COPY)
    for name in ("kept", "overwritten later", "deleted later"):
        upload(hand, name)
    assert hand.run("backup", "m", "monday.catalog").code == 0  # while the master runs
    forgotten = upload(hand, "stored later")
    newer = upload(hand, "overwritten later")
    with hand.client() as client:
        client.delete("deleted later")
    wait_for("the deleted and the overwritten replica to go", lambda: len(blobs(hand)) == 3)
    before = blobs(hand)
    master.kill()
    for path in (hand.folder / "m").glob("catalog.sqlite*"):
        path.unlink()

    restored = hand.run("restore", "monday.catalog", "m")
    assert (restored.code, restored.err) == (0, "")
    assert "3 files, 1 keeper" in restored.out
    assert "dfslab restore --accept m" in restored.out
    master = hand.master(*ONE_COPY, "--orphan-grace-s", "0.5")
    master.wait_for(rf"keeper-1 holds {forgotten}, which the catalog does not know; it is kept")
    master.wait_for(rf"keeper-1 holds {newer}, which the catalog does not know; it is kept")
    keepers["keeper-1"].wait_for("incarnation 2")

    upload(hand, "after the restore")  # scans go on meanwhile, and the grace is over
    earlier = scans(hand)
    wait_for("some scans", lambda: scans(hand) >= earlier + 4)
    assert before <= blobs(hand)
    with hand.client() as client:
        assert client.download("kept", hand.folder / "got").path.read_bytes() == b"kept" * 100
        for name in ("deleted later", "overwritten later"):  # neither the deleted bytes nor unknown ones are current
            with pytest.raises(FileUnavailable):
                client.download(name, hand.folder / "got")
        assert "stored later" not in {info.name for info in client.list()}

    keepers["keeper-1"].kill()
    master.send(signal.SIGTERM)
    assert "are deleted again" in hand.run("restore", "--accept", "m").out
    hand.master(*ONE_COPY, "--orphan-grace-s", "0.5")
    hand.keeper(1).wait_for("registered with")
    wait_for("the unknown replicas to go", lambda: len(blobs(hand)) == 2)


def scans(hand: ByHand) -> int:
    return len(re.findall(r'"kind": ?"scan"', (hand.folder / "m" / "trace.jsonl").read_text()))


def test_a_backup_taken_under_writes_has_everything_that_was_acknowledged_before_it(hand: ByHand) -> None:
    hand.cluster(1, *ONE_COPY)
    over, acknowledged = threading.Event(), list[str]()

    def work() -> None:
        while not over.is_set():
            name = f"file-{len(acknowledged)}"
            try:
                upload(hand, name)
            except DfsError:
                return
            acknowledged.append(name)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for number in range(5):
            wait_for("uploads", lambda number=number: len(acknowledged) > 3 * number)  # type: ignore[misc]
            so_far = set(acknowledged)
            contents = back_up(hand.folder / "m", hand.folder / f"{number}.catalog")
            assert so_far <= {version.name for version in contents.image.versions}
    finally:
        over.set()
        writer.join()
    assert len(acknowledged) > 12
    assert not list(hand.folder.glob(".*.tmp"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The directory of a master that does not run, with two keepers in its catalog."""
    (tmp_path / "m").mkdir()
    catalog = Catalog(tmp_path / "m" / "catalog.sqlite")
    catalog.append([PutKeeper("keeper-1", 4), PutKeeper("keeper-2", 1)])
    catalog.close()
    return tmp_path / "m"


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "lock"}


def test_a_backup_leaves_the_catalog_of_a_stopped_master_as_it_is_byte_for_byte(home: Path, tmp_path: Path) -> None:
    before = contents_of(home)

    back_up(home, tmp_path / "b")

    assert contents_of(home) == before
    assert (
        read_catalog(tmp_path / "b", marked=False).image.keepers == read_catalog(home / "catalog.sqlite").image.keepers
    )
    assert (tmp_path / "b").stat().st_mode & 0o77 == 0


def test_a_backup_overwrites_nothing_and_one_that_can_not_be_written_leaves_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    for target in (tmp_path / "taken", tmp_path / "no" / "such" / "folder"):
        with pytest.raises(TargetUnwritable):
            back_up(home, target)

    assert (tmp_path / "taken").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "taken"]


def test_a_damaged_catalog_is_not_backed_up_as_if_it_were_good(home: Path, tmp_path: Path) -> None:
    content = bytearray((home / "catalog.sqlite").read_bytes())
    content[content.index(b"keeper-2") + 7] ^= 1
    (home / "catalog.sqlite").write_bytes(content)

    with pytest.raises(CatalogDamaged):
        back_up(home, tmp_path / "b")

    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_good_catalog_is_not_replaced_without_force_and_kept_aside_with_it(home: Path, tmp_path: Path) -> None:
    back_up(home, tmp_path / "b")
    before = contents_of(home)

    with pytest.raises(CatalogInTheWay, match="--force"):
        restore(tmp_path / "b", home)
    assert contents_of(home) == before
    _, kept = restore(tmp_path / "b", home, force=True)

    assert kept is not None
    assert contents_of(kept) == before
    assert read_catalog(home / "catalog.sqlite").state.restored
    assert Catalog(home / "catalog.sqlite").load().restored


def test_a_damaged_backup_is_refused_and_what_is_there_stays(home: Path, tmp_path: Path) -> None:
    back_up(home, tmp_path / "b")
    before = contents_of(home)
    for damage in (b"", b"garbage", (tmp_path / "b").read_bytes().replace(b"keeper-2", b"keeper-3")):
        (tmp_path / "damaged").write_bytes(damage)
        with pytest.raises(BackupUnusable):
            restore(tmp_path / "damaged", home, force=True)
    with pytest.raises(NoCatalog):
        restore(tmp_path / "nothing", home, force=True)

    assert contents_of(home) == before


def test_what_is_left_of_a_catalog_that_lost_its_end_can_be_restored_as_such(home: Path) -> None:
    (home / "catalog.sqlite-mark").write_bytes(b"damaged")
    with pytest.raises(CatalogDamaged):
        Catalog(home / "catalog.sqlite")

    _, kept = restore(home / "catalog.sqlite", home)

    assert kept is not None
    image = Catalog(home / "catalog.sqlite").load()
    assert [keeper.keeper for keeper in image.keepers] == ["keeper-1", "keeper-2"]
    assert image.restored


def test_nothing_is_restored_or_accepted_under_a_running_master(hand: ByHand) -> None:
    hand.master()
    back_up(hand.folder / "m", hand.folder / "b")

    with pytest.raises(DirectoryInUse):
        restore(hand.folder / "b", hand.folder / "m", force=True)
    with pytest.raises(DirectoryInUse):
        accept(hand.folder / "m")
    assert hand.run("restore", "b", "m").code == 1


def test_a_restore_that_is_killed_anywhere_leaves_a_catalog_that_is_refused(home: Path, tmp_path: Path) -> None:
    """Each state between two of its renames: the master refuses it, and the same restore again is enough."""
    back_up(home, tmp_path / "b")
    content, mark = (home / "catalog.sqlite").read_bytes(), (home / "catalog.sqlite-mark").read_bytes()
    for has_catalog, has_mark in ((False, True), (True, False), (False, False)):
        (home / "catalog.sqlite").unlink(missing_ok=True)
        (home / "catalog.sqlite-mark").unlink(missing_ok=True)
        if has_catalog:
            (home / "catalog.sqlite").write_bytes(content)
        if has_mark:
            (home / "catalog.sqlite-mark").write_bytes(mark)
        with pytest.raises(CatalogDamaged):
            Catalog(home / "catalog.sqlite")

        restore(tmp_path / "b", home)

        Catalog(home / "catalog.sqlite").close()


def test_the_root_of_a_cluster_will_do_and_a_folder_without_a_catalog_will_not(home: Path, tmp_path: Path) -> None:
    os.rename(home, tmp_path / "master")

    assert len(back_up(tmp_path, tmp_path / "b").image.keepers) == 2

    (tmp_path / "empty").mkdir()
    with pytest.raises(NoCatalog):
        back_up(tmp_path / "empty", tmp_path / "c")
    with pytest.raises(NoCatalog):
        accept(tmp_path / "empty")
