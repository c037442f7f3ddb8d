"""`dfslab fsck`: what each kind of damage to a real cluster's directories is called, and that nothing is changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dfslab
from dfslab.runtime.catalog import Catalog
from tests.cli.by_hand import ByHand, by_hand
from tests.cli.test_crashes import wait_for_copies

NODES = ("m", "k1", "k2", "k3")
A = b"a" * 700_000
"""Three blocks, the last one shorter."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directories of a master and three keepers that have ended, with two files on all of them."""
    with by_hand(tmp_path_factory.mktemp("stopped")) as hand:
        hand.cluster(3)
        with hand.client() as client:
            client.upload(A, "a.bin")
            client.upload(b"b" * 10, "course/b.bin")
        wait_for_copies(hand, 3)
        for node in reversed(hand.nodes):
            node.send(signal.SIGTERM)
        yield hand.folder


@pytest.fixture
def there(stopped: Path, hand: ByHand) -> ByHand:
    """A copy of them, to be damaged."""
    for node in NODES:
        shutil.copytree(stopped / node, hand.folder / node)
    return hand


def version_of(hand: ByHand, name: str) -> str:
    catalog = Catalog(hand.folder / "m" / "catalog.sqlite")
    found = {version.name: version.id for version in catalog.load().versions}
    catalog.close()
    return found[name]


def replica(hand: ByHand, node: str, name: str, kind: str = "data") -> Path:
    return hand.folder / node / "replicas" / f"{version_of(hand, name)}.{kind}"


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file under a folder, with the moment of its last change."""
    files = [path for node in NODES for path in (folder / node).rglob("*") if path.is_file() or path.is_symlink()]
    return {str(path): (path.lstat().st_mtime_ns, b"" if path.is_symlink() else path.read_bytes()) for path in files}


def fsck(hand: ByHand, *arguments: str) -> tuple[int, list[tuple[str, str, str]], list[str]]:
    """Check all four directories; return the exit code, what was found, and the reasons. Nothing may change."""
    before = contents(hand.folder)
    ended = hand.call("fsck", *(arguments or NODES), "--json")
    assert ended.err == ""
    assert contents(hand.folder) == before
    report = json.loads(ended.out)
    assert report["problems"] == sum(one["is_problem"] for one in report["findings"])
    findings = [(one["trouble"], one["what"], one["where"]) for one in report["findings"]]
    return ended.code, findings, [one["reason"] for one in report["findings"]]


def test_a_healthy_cluster_has_no_problem(there: ByHand) -> None:
    assert fsck(there) == (0, [], [])

    said = there.call("fsck", *NODES)

    assert (said.code, said.err) == (0, "")
    assert said.out == "checked 2 files, 6 replicas, 2.1 MB: no problem\n"


def test_a_flipped_bit_is_found_in_its_block(there: ByHand) -> None:
    path = replica(there, "k2", "a.bin")
    content = bytearray(path.read_bytes())
    content[300_000] ^= 1
    path.write_bytes(content)

    code, found, reasons = fsck(there)

    assert (code, found) == (1, [("short", "a.bin", ""), ("corrupt", "a.bin", "keeper-2")])
    assert reasons == ["2 of 3 good copies", "block 1 of 3 fails its CRC32C"]


def test_a_replica_whose_own_checksums_fit_but_not_the_catalogs_is_found(there: ByHand) -> None:
    """A keeper that lies, or two replicas whose contents were exchanged with their checksums."""
    from dfslab.runtime import dfs_pb2 as pb
    from dfslab.runtime.checksum import block_crcs, crc

    data, checksums = replica(there, "k1", "a.bin"), replica(there, "k1", "a.bin", "crc")
    content = bytes(len(A))
    message = pb.ReplicaChecksums.FromString(checksums.read_bytes()[4:])
    message.checksums = block_crcs(memoryview(content), message.block_size)
    data.write_bytes(content)
    checksums.write_bytes(crc(message.SerializeToString()) + message.SerializeToString())

    code, found, reasons = fsck(there)

    assert (code, found[-1]) == (1, ("corrupt", "a.bin", "keeper-1"))
    assert reasons[-1] == "block 0 is not what was uploaded"


def cut(hand: ByHand) -> None:
    path = replica(hand, "k1", "a.bin")
    path.write_bytes(path.read_bytes()[:-1])


def lose_checksums(hand: ByHand) -> None:
    replica(hand, "k1", "a.bin", "crc").unlink()


def damage_checksums(hand: ByHand) -> None:
    replica(hand, "k1", "a.bin", "crc").write_bytes(b"not checksums")


def link(hand: ByHand) -> None:
    path = replica(hand, "k1", "a.bin")
    path.unlink()
    path.symlink_to("/etc/hostname")


SHORT = ("short", "a.bin", "")
DAMAGES: dict[str, tuple[Callable[[ByHand], object], list[tuple[str, str, str]]]] = {
    "cut": (cut, [SHORT, ("corrupt", "a.bin", "keeper-1")]),
    "no checksums": (lose_checksums, [SHORT, ("corrupt", "a.bin", "keeper-1")]),
    "bad checksums": (damage_checksums, [SHORT, ("corrupt", "a.bin", "keeper-1")]),
    "gone": (lambda hand: replica(hand, "k1", "a.bin").unlink(), [SHORT, ("missing", "a.bin", "keeper-1")]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_to_a_replica_is_named(there: ByHand, damage: str) -> None:
    act, expected = DAMAGES[damage]
    act(there)

    code, found, _ = fsck(there)

    assert code == 1
    assert [one for one in found if one[0] != "leftover"] == expected


def test_a_link_in_the_place_of_a_replica_is_not_followed(there: ByHand) -> None:
    name = replica(there, "k1", "a.bin").name
    link(there)

    code, found, _ = fsck(there)

    assert code == 1
    assert {SHORT, ("missing", "a.bin", "keeper-1"), ("symlink", name, "keeper-1")} <= set(found)


def test_a_pipe_in_the_place_of_checksums_or_a_lock_is_not_waited_for(there: ByHand) -> None:
    for path in (replica(there, "k1", "a.bin", "crc"), there.folder / "k2" / "lock"):
        path.unlink()
        os.mkfifo(path)

    ended = there.run("fsck", *NODES)

    assert ended.code == 1
    assert ended.out.startswith("short: a.bin: 2 of 3 good copies\ncorrupt: a.bin on keeper-1: its checksums file is")


def test_two_directories_of_one_keeper_are_named(there: ByHand) -> None:
    """Somebody has copied a keeper's directory: whoever is started second takes the name from the first."""
    shutil.rmtree(there.folder / "k2")
    shutil.copytree(there.folder / "k1", there.folder / "k2")

    code, found, reasons = fsck(there)

    assert (code, [one for one in found if one[0] == "identity"]) == (1, [("identity", "k2", "keeper-1")])
    assert reasons[0] == "it says that it is keeper-1, as k1 does: only one of them may be started"


def test_a_file_without_a_good_copy_is_lost(there: ByHand) -> None:
    for node in ("k1", "k2", "k3"):
        replica(there, node, "course/b.bin").write_bytes(b"bbbbbbbbbX")

    code, found, reasons = fsck(there)

    assert (code, found[0]) == (1, ("lost", "course/b.bin", ""))
    assert [one[0] for one in found[1:]] == ["corrupt"] * 3
    assert reasons[0].startswith("no good copy")


def test_what_a_crash_leaves_strangers_files_and_orphans_are_told_and_no_problem(there: ByHand) -> None:
    shelf = there.folder / "k1" / "replicas"
    (shelf / "notes.txt").write_text("mine")
    (shelf / "v7-0123456789.deadbeef.data.tmp").write_bytes(b"half")
    for kind in ("data", "crc"):
        source = replica(there, "k1", "course/b.bin", kind)
        shutil.copyfile(source, shelf / f"v99-0123456789.{kind}")

    code, found, _ = fsck(there)

    kinds = {(trouble, what) for trouble, what, _ in found}
    assert {
        ("stray", "notes.txt"),
        ("leftover", "v7-0123456789.deadbeef.data.tmp"),
        ("orphan", "v99-0123456789"),
    } <= kinds
    # an orphan is no problem, but its checksums are those of another version
    assert (code, [one for one in found if one[0] == "corrupt"]) == (1, [("corrupt", "v99-0123456789", "keeper-1")])


def test_a_damaged_catalog_and_an_identity_that_is_none_are_named(there: ByHand) -> None:
    path = there.folder / "m" / "catalog.sqlite"
    content = bytearray(path.read_bytes())
    content[content.index(b"course/b.bin")] ^= 1
    path.write_bytes(content)
    (there.folder / "k3" / "keeper.json").write_text("{")

    code, found, reasons = fsck(there)

    assert code == 1
    assert [one[0] for one in found] == ["catalog", "identity"]
    assert found[0][1] == "m/catalog.sqlite"
    assert reasons[0]
    assert "keeper.json is damaged" in reasons[1]


def test_a_keeper_of_another_cluster_is_named(there: ByHand) -> None:
    path = there.folder / "k2" / "keeper.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cluster": "0123456789abcdef"}))

    code, found, reasons = fsck(there)

    assert (code, found) == (1, [("identity", "k2", "keeper-2")])
    assert "0123456789abcdef" in reasons[0]


def test_a_master_or_a_keeper_alone_is_checked_as_far_as_that_goes(there: ByHand) -> None:
    assert fsck(there, "k1") == (0, [], [])
    code, found, _ = fsck(there, "m", "k1")

    assert (code, found) == (0, [("unseen", "keeper-2", ""), ("unseen", "keeper-3", "")])


def test_a_running_node_keeps_it_out_and_so_does_a_place_with_nothing_in_it(there: ByHand) -> None:
    there.keeper(1).wait_for("serves at")

    assert there.call("fsck", *NODES).code == 6
    assert "in use by another node" in there.call("fsck", "k1").err
    (there.folder / "empty").mkdir()
    assert there.call("fsck", "empty").code == 6
    assert there.call("fsck", "nowhere").code == 6


def test_the_root_of_a_cluster_from_a_notebook_is_checked_as_a_whole(hand: ByHand) -> None:
    with dfslab.cluster.start(n=3, root=hand.folder / "lab") as cluster:
        cluster.upload(A, "a.bin")
        cluster.wait_for_replicas("a.bin")

    said = hand.call("fsck", "lab")

    assert (said.code, said.out) == (0, "checked 1 file, 3 replicas, 2.1 MB: no problem\n")
