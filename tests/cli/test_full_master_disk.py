"""FAULTS row 14: the disk of the master's catalog is full, for real: a small tmpfs with a file that fills it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfslab import DfsError
from dfslab.core.errors import CatalogFull
from tests.cli.by_hand import ByHand, wait_for
from tests.small_disk import fill, mounted

DISK_BYTES = 4 << 20


@pytest.fixture
def disk(hand: ByHand) -> Iterator[Path]:
    """A disk of 4 MiB on which the master has its directory."""
    with mounted(hand.folder / "m", DISK_BYTES) as folder:
        try:
            yield folder
        finally:
            for node in hand.nodes:
                node.kill()


def kinds(disk: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in (disk / "trace.jsonl").read_text().splitlines() if line.endswith("}")]


def upload_until_refused(hand: ByHand) -> tuple[dict[str, bytes], DfsError]:
    """Upload small files until the log has no room left; return those that were acknowledged, and the refusal."""
    acknowledged: dict[str, bytes] = {}
    with hand.client() as client:
        for number in range(2000):
            name, data = f"more/{number}", os.urandom(3000)
            try:
                client.upload(data, name)
            except DfsError as error:
                return acknowledged, error
            acknowledged[name] = data
    raise AssertionError("the disk never became full")


def test_on_a_full_disk_the_master_is_read_only_says_so_and_goes_on_by_itself(hand: ByHand, disk: Path) -> None:
    hand.excused = "trace|was not heard"  # its trace is on that disk, too
    master, keepers = hand.cluster(2, "--replicas", "2", "--ack-replicas", "2")
    with hand.client() as client:
        client.upload(b"before" * 1000, "before")

    filler = fill(disk)
    acknowledged, refusal = upload_until_refused(hand)

    assert isinstance(refusal, CatalogFull)
    assert refusal.definite
    assert "read-only because the disk" in str(refusal)
    master.wait_for("read-only because the disk of its catalog")
    with hand.client() as client:
        names = {info.name: info.version for info in client.list()}
        assert set(names) == {"before", *acknowledged}
        for change in (lambda: client.delete("before"), lambda: client.rename("before", "after")):
            with pytest.raises(CatalogFull):
                change()
        for name, data in {"before": b"before" * 1000, **acknowledged}.items():
            assert client.stat(name).version == names[name]
            assert client.download(name, hand.folder / "got").path.read_bytes() == data
        assert {row.data_node for row in client.lookup_rows() if row.is_alive} == {"keeper-1", "keeper-2"}
    assert hand.call("put", str(hand.folder / "got")).code == 1

    keepers["keeper-2"].kill()
    again = hand.keeper(2)
    master.wait_for("keeper-2 is dead")
    with hand.client() as client:
        assert client.download("before", hand.folder / "got").size == 6000

    filler.unlink()
    master.wait_for("takes changes again")
    again.wait_for("registered with")
    with hand.client() as client:
        wait_for("an upload", lambda: _uploads(client))
        client.rename("before", "after")
        assert {info.name for info in client.list()} == {"after", "new", *acknowledged}
    for number in (1, 2):  # what was refused has left nothing
        replicas = hand.folder / f"k{number}" / "replicas"
        wait_for("no replica too many", lambda replicas=replicas: _blobs(replicas) == len(acknowledged) + 2)  # type: ignore[misc]


def _uploads(client: object) -> bool:
    try:
        client.upload(b"new", "new")  # type: ignore[attr-defined]
    except DfsError:
        return False
    return True


def _blobs(replicas: Path) -> int:
    return len(list(replicas.glob("*.data")))


def test_a_master_killed_on_its_full_disk_has_every_acknowledged_file_once_there_is_room(
    hand: ByHand, disk: Path
) -> None:
    hand.excused = "trace|was not heard"
    master, _ = hand.cluster(1, "--replicas", "1")
    filler = fill(disk)
    acknowledged, refusal = upload_until_refused(hand)
    assert isinstance(refusal, CatalogFull)

    master.kill()
    filler.unlink()
    hand.master("--replicas", "1").wait_for("keeper-1 is registered")

    with hand.client() as client:
        assert {info.name for info in client.list()} == set(acknowledged)
        for name, data in acknowledged.items():
            assert client.download(name, hand.folder / "got").path.read_bytes() == data
