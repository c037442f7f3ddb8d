"""Strangers on the data port, and a port that is taken (rows 32 to 34)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator

import psutil
import pytest

import dfslab
from dfslab.core.errors import PortTaken
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from tests.cluster.by_hand import ask, connected, granted, proven, to_write
from tests.faults.case import QUICK, Case
from tests.faults.ledger import Ledger
from tests.faults.leftovers import peak_memory_bytes
from tests.faults.plugin import row
from tests.faults.waiting import until

MB = 1000 * 1000

GARBAGE = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "the longest length": frames.HEAD.pack(frames.MAGIC, 2**32 - 1),
    "a length of 2^63": frames.MAGIC + struct.pack(">Q", 2**63),
    "another version": b"DFS2" + struct.pack(">I", 4) + b"abcd",
    "a broken message": frames.HEAD.pack(frames.MAGIC, 4) + b"\xff\xff\xff\xff",
    "nulls": bytes(64),
}


def data_ports(files: Ledger) -> list[tuple[str, int]]:
    """Return where the keepers' data ports are."""
    addresses = (keeper.data_address for keeper in files.cluster._client.keeper_infos())
    return [(address.host, address.port) for address in addresses]


def rest_of(sock: socket.socket) -> bytes:
    """Return what still comes before the other side closes the connection; fail when it does not."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            answer += part
    return answer


@row(32)
def test_what_is_not_the_protocol_gets_the_connection_closed_and_nothing_allocated(case: Case) -> None:
    files = case.start(n=3, isolation="process")
    files.upload("clip", MB)
    nodes = [child.pid for child in psutil.Process().children()]
    before = {pid: peak_memory_bytes(pid) for pid in nodes}
    rubbish = {**GARBAGE, "noise": case.rng.randbytes(case.rng.randrange(8, 2000))}

    for what, garbage in rubbish.items():
        for address in data_ports(files):
            with socket.create_connection(address, timeout=5.0) as sock:
                sock.sendall(garbage)
                answer = rest_of(sock)
            if answer:
                assert error_in(answer) in ("ProtocolError", "BadToken"), what
            case.strike(what)

    for pid, had in before.items():
        assert peak_memory_bytes(pid) - had < 16 * MB, "something was allocated"


def error_in(answer: bytes) -> str:
    """Return the name of the error in a reply."""
    length = frames.body_length(answer[: frames.HEAD.size])
    return frames.decode(pb.DataReply, answer[frames.HEAD.size :][:length]).error.name


@row(32)
@pytest.mark.parametrize("size", [2**63 - 1, 2**62, 10**15])
def test_an_upload_of_impossible_size_is_refused_before_a_byte_is_allocated(case: Case, size: int) -> None:
    files = case.start(n=3)
    files.upload("clip", MB)
    files.cluster.wait_for_replicas()
    free = os.statvfs(case.folder).f_bavail

    for keeper in (1, 2, 3):
        put = pb.Put(version="v9-0123456789", size=size, block_size=65536)
        ticket = to_write(files.cluster, granted(files.cluster, "clip", keeper), put.version, size)
        with connected(files.cluster, keeper) as sock:
            reply = ask(sock, proven(files.cluster, pb.DataRequest(ticket=ticket, put=put)))
        assert reply.error.name in ("ProtocolError", "StorageFailed", "LimitReached")
        case.strike("impossible sizes")

    assert abs(os.statvfs(case.folder).f_bavail - free) * 4096 < 500 * MB


@row(33)
def test_hundreds_of_connections_that_dribble_are_closed_and_keep_nobody_waiting(case: Case) -> None:
    files = case.start(n=3)
    files.upload("clip", case.rng.randrange(MB, 2 * MB))
    files.cluster.wait_for_replicas()
    began = time.monotonic()

    with contextlib.ExitStack() as stack:
        ports = data_ports(files)
        socks = [stack.enter_context(socket.create_connection(ports[at % 3], timeout=5.0)) for at in range(500)]
        open_still = list(dribbling(socks, frames.HEAD.pack(frames.MAGIC, 60_000)))
        assert len(open_still) == len(socks)
        for _ in range(5):
            files.download("clip", limit_s=3.0)
        files.upload("another", MB, limit_s=5.0)
        until("the idle timeout to end them", lambda: not list(dribbling(socks, b"x")), 15.0)
    case.strike("connections that dribbled", len(socks))

    assert time.monotonic() - began < 20.0


def dribbling(socks: list[socket.socket], some: bytes) -> Iterator[socket.socket]:
    """Send a little on each connection, and yield those that the other side has not closed."""
    for sock in socks:
        sock.setblocking(False)
        try:
            sock.send(some)
            sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            yield sock
        except OSError:
            continue


@row(34)
def test_a_taken_port_is_named_and_the_start_undoes_itself(case: Case) -> None:
    root = case.folder / "cluster"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            dfslab.cluster.start(3, name="taken", root=root, port=port, **QUICK)
        case.strike("starts on a taken port")
        assert case.leftovers() == []

    files = case.start(3, root=root, port=port)
    files.upload("clip", 1000)
    assert files.cluster.address.endswith(f":{port}")
