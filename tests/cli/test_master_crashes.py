"""FAULTS rows 5, 6 and 7: the master is killed (-9) at named points of a commit; nothing acknowledged is lost.

The master is a process that dies at the n-th passage of a failpoint. A client uploads on, as clients do.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dfslab.client import Client
from dfslab.core.errors import NoLiveKeepers
from dfslab.core.model import Address
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.catalog import Catalog
from dfslab.runtime.dfs_pb2_grpc import MasterTrackerStub
from dfslab.runtime.gate import Gate
from dfslab.runtime.network import Network
from dfslab.runtime.rpc import RpcClient
from tests.cli.by_hand import ByHand, wait_for

FILES = {f"file-{number}": os.urandom(20_000 + number) for number in range(4)}


def _upload(client: Client, name: str, data: bytes) -> str:
    """Upload a file once there is a keeper for it, and return its version."""

    def attempt() -> str:
        try:
            return client.upload(data, name).version
        except NoLiveKeepers:
            return ""

    return wait_for("a keeper", attempt)


@contextmanager
def uploads(hand: ByHand) -> Iterator[dict[str, str]]:
    """Upload all files, patiently, while the block runs; yield the version of each, once it is acknowledged."""
    versions: dict[str, str] = {}
    problems: list[Exception] = []

    def work() -> None:
        with Client(hand.address, token=hand.token, patience_s=20.0) as client:
            try:
                for name, data in FILES.items():
                    versions[name] = _upload(client, name, data)
            except Exception as error:  # noqa: BLE001 - the test fails with it, below
                problems.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield versions
    finally:
        thread.join()
    assert problems == []


def has_at_least(versions: dict[str, str], count: int) -> bool:
    return len(versions) >= count


def upload_ids(hand: ByHand) -> dict[str, str]:
    """Return the upload id of every file, from the slots that the master's trace tells of."""
    lines = [json.loads(line) for line in (hand.folder / "m" / "trace.jsonl").read_text().splitlines()]
    slots: list[dict[str, Any]] = [line["detail"] for line in lines if line["kind"] == "slot_granted"]
    return {slot["name"]: slot["upload"] for slot in slots}


def check_everything(hand: ByHand, versions: dict[str, str], into: Path) -> None:
    """Every file is there once, byte for byte, and the retry of its upload gets the version that was acknowledged."""
    master = RpcClient(MasterTrackerStub, Address.parse(hand.address), hand.token, Network().nic("client", Gate()))
    with hand.client() as client:
        assert {info.name: info.version for info in client.list()} == versions
        for name, data in FILES.items():
            assert client.download(name, into).path.read_bytes() == data
    ids = upload_ids(hand)
    for name, data in FILES.items():
        request = pb.BeginUploadRequest(upload_id=ids[name], name=name, size=len(data), ack_replicas=1, client="again")
        reply = master.call("BeginUpload", request, 5.0)
        assert (reply.committed.version, reply.keeper) == (versions[name], "")
    master.close()


@pytest.mark.parametrize("passage", [1, 3, 5])
@pytest.mark.parametrize("point", ["master.before-commit", "master.in-commit", "master.after-commit"])
def test_a_master_killed_at_any_point_of_a_commit_has_every_acknowledged_file(
    hand: ByHand, point: str, passage: int
) -> None:
    hand.excused = "was not heard"
    master = hand.master("--replicas", "1", DFSLAB_FAILPOINTS=f"{point}=kill@{passage}")
    keepers = [hand.keeper(1), hand.keeper(2)]  # a retry goes to the other one

    with uploads(hand) as versions:
        assert master.wait() == -signal.SIGKILL, "the fault did not strike"
        died_with = len(versions)
        hand.master("--replicas", "1")
        for keeper in keepers:
            keeper.wait_for("registered with")

    assert died_with < len(FILES) == len(versions)
    check_everything(hand, versions, hand.folder / "got")


def test_what_the_disk_has_of_a_running_master_at_any_instant_is_every_acknowledged_file(hand: ByHand) -> None:
    """The master is stopped, and its directory copied as a crash would leave it: with its log, not yet carried over."""
    master, _ = hand.cluster(1, "--replicas", "1")
    source = hand.folder / "m"

    with uploads(hand) as versions:
        for moment in range(len(FILES) + 1):
            wait_for("an upload", functools.partial(has_at_least, versions, moment))
            acknowledged = dict(versions)
            master.process.send_signal(signal.SIGSTOP)
            try:
                shutil.copytree(source, hand.folder / f"copy-{moment}")
            finally:
                master.process.send_signal(signal.SIGCONT)

            catalog = Catalog(hand.folder / f"copy-{moment}" / "catalog.sqlite")
            found = {version.name: version.id for version in catalog.load().versions}
            catalog.close()
            assert acknowledged.items() <= found.items()


@pytest.mark.parametrize("tail", ["half a frame", "a frame of zeroes", "garbage"])
def test_the_torn_end_of_a_commit_that_nobody_was_told_of_is_no_damage(hand: ByHand, tail: str) -> None:
    """A power cut in the middle of a write leaves some of it behind the last whole commit."""
    master, _ = hand.cluster(1, "--replicas", "1")
    with uploads(hand) as versions:
        pass
    master.kill()
    log = hand.folder / "m" / "catalog.sqlite-wal"
    whole = log.read_bytes()
    frame = 24 + 4096
    torn = {
        "half a frame": whole[32 : 32 + frame // 2],
        "a frame of zeroes": bytes(frame),
        "garbage": os.urandom(frame),
    }
    log.write_bytes(whole + torn[tail])

    again = hand.master("--replicas", "1")
    again.wait_for("keeper-1 is registered")

    check_everything(hand, versions, hand.folder / "got")


@pytest.mark.parametrize("file", ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-mark"])
def test_a_master_whose_catalog_is_damaged_does_not_start_says_why_and_changes_nothing(hand: ByHand, file: str) -> None:
    """FAULTS row 8, with a real process: after a crash, or, where no log covers the damage, after a clean end."""
    master, keepers = hand.cluster(1, "--replicas", "1")
    with uploads(hand):
        pass
    keepers["keeper-1"].send(signal.SIGTERM)
    master.send(signal.SIGTERM if file == "catalog.sqlite" else signal.SIGKILL)
    path = hand.folder / "m" / file
    content = bytearray(path.read_bytes())
    at = content.index(b"file-2") if file == "catalog.sqlite" else len(content) // 2
    content[at] ^= 8
    path.write_bytes(content)
    before = {path.name: path.read_bytes() for path in (hand.folder / "m").iterdir() if path.name.startswith("catalog")}

    ended = hand.run("master", "--root", "m", "--port", "0")

    assert ended.code == 1
    assert "catalog.sqlite is damaged" in ended.err
    assert "dfslab restore" in ended.err
    after = {path.name: path.read_bytes() for path in (hand.folder / "m").iterdir() if path.name.startswith("catalog")}
    assert after == before
