"""Names and sizes, and many who use one name at once (rows 28 to 31)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import psutil
import pytest

from dfslab.core.errors import InvalidName, NoSuchFile
from dfslab.core.trace import Kind
from dfslab.runtime import dfs_pb2 as pb
from tests.faults import disks
from tests.faults.case import Case
from tests.faults.changes import Outcome
from tests.faults.ledger import Ledger
from tests.faults.leftovers import peak_memory_bytes
from tests.faults.plugin import BIG_VARIABLE, row
from tests.faults.reading import FirstFrom
from tests.faults.waiting import until

KB, MB = 1000, 1000 * 1000
BLOCK = 256 * 1024


def at_once(*calls: Callable[[], object]) -> None:
    """Call each on a thread of its own, let all begin together, and return when all have ended."""
    start = threading.Barrier(len(calls))
    errors: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        start.wait()
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# -- one name, many at once -------------------------------------------------------------------


@row(28)
def test_of_many_uploads_of_one_name_at_once_one_wins_whole(case: Case) -> None:
    files = case.start()
    contents = [files.content(case.rng.randrange(1, 2 * MB)) for _ in range(12)]

    def upload(mine: list[bytes]) -> None:
        for content in mine:
            files.upload("clip", content)

    def read() -> None:
        for _ in range(8):
            if files.is_there("clip"):
                files.download("clip")

    at_once(*(lambda mine=contents[at::4]: upload(mine) for at in range(4)), read, read)

    case.strike("uploads of one name", files.count(Kind.FILE_COMMITTED))
    assert [info.name for info in files.cluster._client.list()] == ["clip"]
    assert files.count(Kind.FILE_COMMITTED) == len(contents)


@row(29)
@pytest.mark.parametrize("change", ["deleted", "overwritten"])
def test_a_download_during_a_change_gets_the_old_version_or_the_new_one_whole(case: Case, change: str) -> None:
    files = case.start()
    files.upload("clip", 8 * MB)
    for holder in files.holders("clip"):
        files.cluster.set_link(holder, rate_mb_s=8)
    moment = case.rng.uniform(0.1, 0.9)
    struck: list[int] = []

    def change_it(done: int, total: int) -> None:
        if not struck and done >= moment * total:
            struck.append(done)
            if change == "deleted":
                files.delete("clip")
            else:
                files.upload("clip", 3 * MB)

    with contextlib.suppress(NoSuchFile):
        files.download("clip", progress=change_it)

    case.strike("changes in the middle of a download", sum(0 < done < 8 * MB for done in struck))
    assert files.is_there("clip") == (change == "overwritten")


@row(29)
@pytest.mark.parametrize("change", ["deleted", "overwritten"])
def test_a_change_during_a_repair_brings_nothing_back(case: Case, change: str) -> None:
    files = case.start()
    files.upload("clip", 4 * MB, ack_replicas=3)
    holders = files.holders("clip")
    for holder in holders:
        files.cluster.set_link(holder, rate_mb_s=4)
    version, before = files.version("clip"), files.count(Kind.COPY_STARTED)
    files.cluster.kill(holders[0])
    until("the repair to begin", lambda: files.count(Kind.COPY_STARTED) > before)

    if change == "deleted":
        files.delete("clip")
    else:
        files.upload("clip", 1 * MB)

    ordered = [event for event in files.events(Kind.COPY_ORDERED) if event.version == version]
    done = [event for event in files.events(Kind.COPY_DONE) if event.version == version]
    case.strike("repairs whose file changed in their middle", len(ordered) - len(done))
    files.cluster.heal_all()
    until("the old version to be gone", lambda: not disks.copies(files.cluster.root, version))
    assert files.is_there("clip") == (change == "overwritten")


# -- names ------------------------------------------------------------------------------------

BAD_NAMES = ["../x", "a/../../x", "/etc/x", "", ".", "a//b", "nul\0", "bell\7", "n" * 256, "\udcff"]


@row(30)
def test_names_that_are_no_keys_are_refused_by_the_client_and_by_the_master_itself(case: Case) -> None:
    files = case.start(n=3)
    files.upload("good", 100)
    files.cluster.wait_for_replicas()
    before = everything(case.folder)

    for name in BAD_NAMES:
        for call in (files.cluster.stat, files.cluster.delete, lambda name: files.cluster.upload(b"x", name=name)):
            with pytest.raises(InvalidName):
                call(name)
            case.strike("names refused by the client")
        if "\udcff" not in name:
            assert raw_begin_upload(files, name.encode()) == grpc.StatusCode.INVALID_ARGUMENT
            case.strike("names refused by the master")
    assert raw_begin_upload(files, b"not utf-8 \xff\xfe") not in (grpc.StatusCode.OK, None)
    assert [info.name for info in files.cluster._client.list()] == ["good"]
    assert everything(case.folder) == before


def raw_begin_upload(files: Ledger, name: bytes) -> grpc.StatusCode | None:
    """Ask the master for a slot with no client of ours in between; return the status of its answer."""
    request = pb.BeginUploadRequest(upload_id="raw", size=1, ack_replicas=1).SerializeToString()
    request += bytes([2 << 3 | 2]) + varint(len(name)) + name  # field 2, of any bytes
    with grpc.insecure_channel(files.cluster.address) as channel:
        call: Callable[..., bytes] = channel.unary_unary("/dfslab.v1.MasterTracker/BeginUpload")
        try:
            call(request, timeout=5.0, metadata=(("dfs-token", files.cluster.token),))
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])


def everything(folder: Path) -> set[str]:
    kept = {path for path in folder.rglob("*") if path.suffix in (".data", ".crc") or path.parent == folder}
    return {str(path.relative_to(folder)) for path in kept}


@row(30)
def test_a_symlink_in_a_store_is_not_followed(case: Case) -> None:
    files = case.start()
    files.upload("clip", case.rng.randrange(100 * KB, 900 * KB))
    files.cluster.wait_for_replicas()
    victim = case.rng.choice(files.holders("clip"))
    copy = disks.copy_on(files.cluster.root, victim, files.version("clip"))
    secret = case.folder / "secret"
    secret.write_bytes(case.rng.randbytes(copy.data.stat().st_size))
    before = secret.read_bytes()
    copy.data.unlink()
    copy.data.symlink_to(secret)

    got = files.download("clip", scheduler=FirstFrom(victim))

    refused = got.chunks[(got.chunks.keeper == victim) & (got.chunks.outcome == "failed")]
    case.strike("symlinks that a reader met", len(refused))
    assert not refused.reason.str.contains("CRC32C").any(), "bytes of another file were sent"
    assert got.chunks[got.chunks.outcome == "ok"].keeper.ne(victim).all()
    files.cluster.wait_for_recovery()
    assert secret.read_bytes() == before


# -- sizes ------------------------------------------------------------------------------------


@row(31)
def test_files_of_every_awkward_size_come_back_identical(case: Case) -> None:
    files = case.start(n=3)
    sizes = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK - 1, 4 * BLOCK, 4 * BLOCK + 1, case.rng.randrange(5 * MB)]

    for size in sizes:
        assert files.upload(f"of-{size}", size).size == size
        assert files.download(f"of-{size}").size == size
        case.strike("awkward sizes")


BIG_BYTES = 256 * MB
ALLOWED_BYTES = 64 * MB
"""What a transfer may add to a process's memory, whatever its size: buffers, and what is imported for it."""

ROUND_TRIP = """
    import resource, sys
    import dfslab

    address, token, source, target = sys.argv[1:]
    with dfslab.Client(address, token=token) as client:
        client.upload(b"small", "small")
        client.download("small", target)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        client.upload(source, "big", ack_replicas=2)
        client.download("big", target)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@row(31)
@pytest.mark.timeout(3600)
def test_a_file_larger_than_any_buffer_comes_back_identical_with_little_memory(case: Case) -> None:
    """256 MB of real bytes; 10 GB with DFSLAB_BIG, as `make soak` has it."""
    size = 10_000 * MB if os.environ.get(BIG_VARIABLE) else BIG_BYTES
    files = case.start(2, replicas=2, isolation="process", heartbeat_timeout_s=100.0)
    source, target = case.folder / "source", case.folder / "target"
    case.write(source, size)
    children = psutil.Process().children()
    files.upload("first", KB)
    before = {child.pid: peak_memory_bytes(child.pid) for child in children}
    command = [sys.executable, "-c", textwrap.dedent(ROUND_TRIP), files.cluster.address, files.cluster.token]
    client = case.process([*command, source, target], stdout=subprocess.PIPE)

    change = files.begin("big", source)
    small = files.begin("small", b"small")
    added, _ = client.communicate(timeout=100.0 + size / MB)

    assert client.returncode == 0
    for one in (change, small):
        files.end(one, Outcome.ACKNOWLEDGED)
    assert target.stat().st_size == size
    assert disks.digest_of(target) == disks.digest_of(source)
    assert int(added) < ALLOWED_BYTES, "the client's memory"
    for pid, had in before.items():
        assert peak_memory_bytes(pid) - had < ALLOWED_BYTES, "a node's memory"
    case.strike(f"{size // MB} MB there and back")
    source.unlink()
    target.unlink()
