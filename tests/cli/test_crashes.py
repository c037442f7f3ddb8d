"""Processes are killed with SIGKILL in the middle of their work; what was acknowledged is there, byte for byte."""

import hashlib
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dfslab import DfsError
from tests.cli.by_hand import ByHand, NodeProcess, wait_for

KB = 1000


def live_copies(hand: ByHand) -> dict[str, set[str]]:
    """Return the live holders of every file by name, as `dfslab table` has them."""
    copies: dict[str, set[str]] = {}
    with hand.client() as client:
        for row in client.lookup_rows():
            holders = copies.setdefault(row.file_name, set())
            if row.is_alive and row.state == "valid":
                holders.add(row.data_node)
    return copies


def wait_for_copies(hand: ByHand, count: int) -> dict[str, set[str]]:
    def enough() -> dict[str, set[str]]:
        copies = live_copies(hand)
        return copies if copies and all(len(holders) >= count for holders in copies.values()) else {}

    return wait_for(f"{count} live copies of every file", enough)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put_some(hand: ByHand, count: int = 3, size: int = 400 * KB) -> dict[str, bytes]:
    files = {f"file-{number}.bin": os.urandom(size + number) for number in range(count)}
    for name, data in files.items():
        (hand.folder / name).write_bytes(data)
    assert hand.call("put", *files, "--ack", "2").code == 0
    return files


def check_downloads(hand: ByHand, files: dict[str, bytes], into: Path) -> None:
    into.mkdir()
    for name, data in files.items():
        ended = hand.call("get", name, str(into))
        assert (ended.code, ended.err) == (0, "")
        assert sha256((into / name).read_bytes()) == sha256(data)


def test_a_killed_keepers_files_are_copied_again_and_it_is_welcome_when_it_comes_back(hand: ByHand) -> None:
    master, keepers = hand.cluster(3, "--replicas", "2")
    files = put_some(hand)
    victim = sorted(wait_for_copies(hand, 2)["file-0.bin"])[0]

    keepers[victim].kill()
    master.wait_for(f"{victim} is dead")

    for holders in wait_for_copies(hand, 2).values():
        assert victim not in holders
    assert "False" in hand.call("table").out
    check_downloads(hand, files, hand.folder / "while-it-is-dead")
    hand.keeper(int(victim[-1])).wait_for("registered with")
    wait_for("no row of a dead keeper", lambda: "False" not in hand.call("table").out)
    check_downloads(hand, files, hand.folder / "when-it-is-back")


@contextmanager
def uploads(hand: ByHand) -> Iterator[dict[str, bytes]]:
    """Upload small files one after another until the block ends; yield those that were acknowledged so far."""
    acknowledged: dict[str, bytes] = {}
    over = threading.Event()

    def work() -> None:
        with hand.client() as client:
            for number in itertools.count():
                if over.wait(0.02):  # the nodes need the processors too
                    return
                name, data = f"stream/{number:05}", os.urandom(20 * KB + number)
                try:
                    client.upload(data, name)
                except DfsError:
                    continue  # not acknowledged: it may be there or not
                acknowledged[name] = data

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield acknowledged
    finally:
        over.set()
        thread.join()


def test_kills_of_the_master_and_of_keepers_in_the_middle_of_uploads_lose_nothing_acknowledged(hand: ByHand) -> None:
    """Each file is acknowledged from one disk: what a dead keeper alone had is back with it."""
    master, keepers = hand.cluster(3, "--replicas", "2")
    hand.excused = "was not heard"  # what a keeper has to say while there is no master

    with uploads(hand) as acknowledged:
        wait_for("the first uploads", lambda: len(acknowledged) >= 10)
        master.kill()
        before = len(acknowledged)
        master = hand.master("--replicas", "2")
        for keeper in keepers.values():
            keeper.wait_for("incarnation 2")
        wait_for("uploads after the master's restart", lambda: len(acknowledged) >= before + 5)
        for name in ("keeper-1", "keeper-3"):
            keepers[name].kill()
        for name in ("keeper-1", "keeper-3"):
            master.wait_for(f"{name} is dead")
        before = len(acknowledged)
        for keeper in [hand.keeper(number) for number in (1, 3)]:
            keeper.wait_for("registered with")
        wait_for("uploads after the keepers' restart", lambda: len(acknowledged) >= before + 5)

    assert set(acknowledged) <= set(wait_for_copies(hand, 2))
    with hand.client() as client:
        for name, data in acknowledged.items():
            assert client.download(name, hand.folder / "got").path.read_bytes() == data


def test_after_a_power_cut_of_everything_all_acknowledged_files_are_there(hand: ByHand) -> None:
    master, keepers = hand.cluster(2, "--replicas", "2")
    files = put_some(hand)
    nodes: list[NodeProcess] = [master, *keepers.values()]

    for node in nodes:
        node.process.kill()
    for node in nodes:
        node.wait()
    hand.cluster(2, "--replicas", "2")

    assert set(wait_for_copies(hand, 2)) == set(files)
    check_downloads(hand, files, hand.folder / "after")
