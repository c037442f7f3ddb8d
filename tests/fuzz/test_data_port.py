"""The data port of a running keeper: hostile callers get an answer or the door, real ones their files."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.errors import REGISTRY
from dfslab.core.trace import Kind
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from dfslab.runtime.paced import RESET_AT_CLOSE
from tests.cluster.by_hand import granted, proven, signed, to_write
from tests.cluster.conftest import cell
from tests.fuzz.messages import messages

CONTENT = bytes(range(256)) * 1024
GROWTH_BYTES = 48 * 1024 * 1024


@contextlib.contextmanager
def _gone_is_an_answer() -> Iterator[None]:
    """Let the keeper end the connection under us; silence until the timeout is no answer."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOTCONN, errno.ECONNRESET, errno.EPIPE):
            raise


class Port:
    """A keeper's data port, and the cluster behind it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        host, _, port = cell(cluster, "keeper-1", "data_address").rpartition(":")
        self.address = (host, int(port))
        self.version = cluster.stat("good").version
        self.leave = granted(cluster, "good")
        self.known: dict[str, list[Any]] = {"version": [self.version], "node": ["client"], "ticket": [self.leave]}

    def admitted(self, request: pb.DataRequest, length: int = 2**64 - 1) -> pb.DataRequest:
        """Return a request with the ticket that it needs, and the proof of the token."""
        version, size = request.put.version or request.get.version, request.put.size
        if request.WhichOneof("operation") == "put":
            request.ticket = to_write(self.cluster, self.leave, version, size)
        else:
            request.ticket = signed(self.cluster, self.leave, version=version, length=length)
        return proven(self.cluster, request)

    def ask(self, sent: list[bytes], ending: str) -> bytes:
        """Send pieces, end the connection one way or another, and return what the keeper said until it closed."""
        with socket.create_connection(self.address, timeout=10) as sock:
            heard = b""
            with _gone_is_an_answer():
                for piece in sent:
                    sock.sendall(piece)
                if ending == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
                    return b""
                sock.shutdown(socket.SHUT_WR)
                if ending == "half-closed":
                    while part := sock.recv(1 << 20):
                        heard += part
            return heard


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    """One keeper for all callers; at the end nothing of theirs is left, and it met no error of its own."""
    with dfslab.cluster.start(1, replicas=1, name="fuzz-data-port") as cluster:
        cluster.upload(CONTENT, name="good")
        cluster.download("good").path.unlink()
        port = Port(cluster)
        process = psutil.Process()
        port.ask([frames.encode(pb.DataRequest())], "half-closed")
        threads, files, memory = set(threading.enumerate()), process.num_fds(), process.memory_info().rss
        yield port
        check_well(cluster)
        new = [thread.name for thread in set(threading.enumerate()) - threads]
        pooled = ("keeper-1-", "master-rpc", "client-later")  # the last goes a moment after a download
        assert [name for name in new if not name.startswith(pooled)] == []
        assert len(new) <= 40, "more threads than the pools may have"
        assert process.num_fds() - files <= 8, "descriptors are left"
        assert process.memory_info().rss - memory < GROWTH_BYTES
        (folder,) = (path for path in cluster.root.glob("*/replicas"))
        assert sorted(path.name for path in folder.iterdir()) == [f"{port.version}.crc", f"{port.version}.data"]


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The module's cluster outlives its tests."""


def check_well(cluster: Cluster) -> None:
    """A real client is served, and no node met an error of its own."""
    got = cluster.download("good")
    assert got.path.read_bytes() == CONTENT
    got.path.unlink()
    assert [event.detail for event in cluster._recorder.events() if event.kind is Kind.NODE_ERROR] == []


def answer_in(heard: bytes) -> str:
    """Return how a keeper's first reply answers: "closed", "served", or an error of the registry."""
    if not heard:
        return "closed"
    length = frames.body_length(heard[: frames.HEAD.size])
    reply = frames.decode(pb.DataReply, heard[frames.HEAD.size :][:length])
    if not reply.HasField("error"):
        return "served"
    assert reply.error.name in REGISTRY
    assert reply.error.name != "InternalError"
    return reply.error.name


endings = st.sampled_from([*["half-closed"] * 6, "closed", "reset"])
sizes = st.sampled_from([0, 1, 4, 1000, len(CONTENT), 2**40, 2**63, 2**64 - 1])


def good_requests(version: str) -> list[pb.DataRequest]:
    """Return what a real client asks, and what it may ask of a keeper that has no such replica or no room."""
    return [
        pb.DataRequest(node="client", get=pb.Get(version=version, offset=4096, length=1000)),
        pb.DataRequest(node="client", get=pb.Get(version="v8-0123456789", length=1)),
        pb.DataRequest(node="client", put=pb.Put(version="v9-0123456789", size=4, block_size=65536)),
        pb.DataRequest(node="client", put=pb.Put(version="v9-0123456789", size=2**50, block_size=65536)),
    ]


@st.composite
def conversations(draw: st.DrawFn, port: Port) -> list[bytes]:
    """Return what a caller sends: requests whole, damaged or cut short, and bytes that belong to nothing."""
    known = {
        **port.known,
        "size": [1, 4, 1000, 2**40, 2**63],
        "offset": [0, 1, 4096],
        "block_size": [1, 1024, 65536, 2**31],
    }
    known |= {"length": [0, 1, len(CONTENT), 2**63, 2**64 - 1]}
    sent = b""
    for _ in range(draw(st.integers(1, 3))):
        request = pb.DataRequest()
        request.CopyFrom(draw(st.sampled_from(good_requests(port.version))))
        request.MergeFrom(draw(st.just(pb.DataRequest()) | messages(pb.DataRequest, known)))
        if request.put.size and 2**26 < request.put.size < 2**40:
            request.put.size >>= 20  # room would really be made for it
        match draw(st.sampled_from([*["admitted"] * 8, *["with any ticket"] * 3, "with any proof", "of a stranger"])):
            case "admitted":
                port.admitted(request)
            case "with any ticket":
                request.ticket = draw(st.sampled_from([b"", port.leave]) | st.binary(max_size=100))
                proven(port.cluster, request)
            case "of a stranger":
                proven(port.cluster, port.admitted(request), token="forged")
        frame = frames.encode(request)
        match draw(st.sampled_from([*["whole"] * 8, "cut", "flipped", "longer"])):
            case "cut":
                frame = frame[: draw(st.integers(0, len(frame)))]
            case "flipped":
                at = draw(st.integers(0, len(frame) - 1))
                frame = frame[:at] + bytes([frame[at] ^ draw(st.integers(1, 255))]) + frame[at + 1 :]
            case "longer":
                frame = frame[:4] + struct.pack(">I", draw(st.sampled_from([2**16, 2**16 + 1, 2**32 - 1]))) + frame[8:]
        sent += frame + draw(st.sampled_from([b"", b"", b"data", bytes(70_000)]) | st.binary(max_size=20))
    places = sorted({0, len(sent), *draw(st.lists(st.integers(0, len(sent)), max_size=3))})
    return [sent[begin:end] for begin, end in pairwise(places)]


def test_no_caller_of_the_data_port_gets_more_than_an_answer(port: Port) -> None:
    """FAULTS row 32, for callers who have the token and for others."""
    answers: Counter[str] = Counter()

    @settings(max_examples=250)
    @given(conversations(port), endings)
    def converse(sent: list[bytes], ending: str) -> None:
        heard = port.ask(sent, ending)
        if ending == "half-closed":
            answers[answer_in(heard)] += 1

    converse()

    check_well(port.cluster)
    struck = {"served", "closed", "ProtocolError", "BadToken", "TicketRefused", "NoSuchReplica", "LimitReached"}
    assert answers.keys() >= struck, f"what never struck shows nothing: {answers}"


@settings(max_examples=50)
@given(st.binary(max_size=2000), endings)
def test_bytes_that_are_no_requests_get_the_connection_closed(port: Port, sent: bytes, ending: str) -> None:
    assert answer_in(port.ask([sent], ending)) in ("closed", "ProtocolError")


@settings(max_examples=40)
@given(st.data(), st.integers(0, len(CONTENT)), sizes)
def test_a_range_is_served_exactly_or_refused(port: Port, data: st.DataObject, offset: int, length: int) -> None:
    request = pb.DataRequest(get=pb.Get(version=port.version, offset=offset, length=length))

    heard = port.ask([frames.encode(port.admitted(request))], "half-closed")

    reply, body = frames.HEAD.size + frames.body_length(heard[: frames.HEAD.size]), b""
    body = heard[reply:]
    if offset + length <= len(CONTENT):
        assert body == CONTENT[offset : offset + length]
    else:
        assert body == b""
        assert answer_in(heard) == ("BadReplica" if offset + length < 2**64 else "TicketRefused")


def test_many_callers_at_once_who_leave_in_the_middle_leave_nothing(port: Port) -> None:
    put = pb.Put(version="v9-0123456789", size=10_000_000, block_size=65536)
    requests = [frames.encode(port.admitted(pb.DataRequest(put=put))) for _ in range(60)]
    done = [
        threading.Thread(target=port.ask, args=([requests.pop(), os.urandom(1000 * number)], ending))
        for number in range(20)
        for ending in ("reset", "half-closed", "closed")
    ]
    for thread in done:
        thread.start()
    for thread in done:
        thread.join(20)

    check_well(port.cluster)
