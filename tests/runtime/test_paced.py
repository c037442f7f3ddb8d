"""A data connection behind a network card: what ends it, and what does not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfslab.core.links import Link
from dfslab.core.model import Address
from dfslab.runtime import data_client
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.data_client import Connection
from dfslab.runtime.network import Network
from dfslab.runtime.paced import PacedSocket
from dfslab.runtime.sockets import wait_at_most
from tests.runtime.test_network import InThread

STALL_S = 0.4


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network(seed=1)
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    for sock in (one, other):
        wait_at_most(sock, STALL_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    yield one, other
    one.close()
    other.close()


def read_slowly(sock: socket.socket, count: int) -> bytes:
    """Take what has come once in a while, so that the whole takes longer than the longest silence may be."""
    pause, got = threading.Event(), bytearray()
    while len(got) < count:
        got += sock.recv(count // 8)
        pause.wait(STALL_S / 4)
    return bytes(got)


def drain(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def test_a_reader_that_is_slow_but_never_silent_ends_no_transfer(
    network: Network, pair: tuple[socket.socket, socket.socket]
) -> None:
    data, read = bytes(range(256)) * 1000, list[bytes]()
    reading = InThread(lambda: read.append(read_slowly(pair[1], len(data))))

    PacedSocket(pair[0], network.nic("client"), "keeper-1", STALL_S).send(memoryview(data))

    assert reading.join() is None
    assert read == [data]


def test_a_file_is_sent_whole_in_pieces_that_fit_the_link(
    network: Network, pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    network.set_link("keeper-1", Link(rate_mb_s=2))
    data, read = bytes(range(256)) * 1000, list[bytes]()
    (tmp_path / "replica").write_bytes(data)
    reading = InThread(lambda: read.append(read_slowly(pair[1], len(data))))
    wire = PacedSocket(pair[0], network.nic("keeper-1"), "client", STALL_S)

    with (tmp_path / "replica").open("rb") as file:
        pieces = list[int]()
        while sum(pieces) < len(data):
            pieces.append(wire.send_file(file.fileno(), sum(pieces), len(data) - sum(pieces)))

    assert reading.join() is None
    assert read == [data]
    assert max(pieces) == 10_000  # 5 ms of it


def test_a_peer_that_falls_silent_in_the_midst_is_a_timeout(
    network: Network, pair: tuple[socket.socket, socket.socket]
) -> None:
    """The bytes that came before do not count as a sign of life for ever."""
    wire = PacedSocket(pair[0], network.nic("client"), "keeper-1", STALL_S)
    pair[1].send(b"x" * 100)
    began = time.monotonic()

    with pytest.raises(TimeoutError):
        wire.receive_into(memoryview(bytearray(101)))

    assert STALL_S * 0.9 < time.monotonic() - began < 30


def test_a_peer_that_ends_in_the_midst_is_no_timeout(
    network: Network, pair: tuple[socket.socket, socket.socket]
) -> None:
    wire = PacedSocket(pair[0], network.nic("client"), "keeper-1", STALL_S)
    pair[1].send(b"x" * 100)
    pair[1].shutdown(socket.SHUT_WR)

    with pytest.raises(ConnectionError, match="ended in the middle"):
        wire.receive_into(memoryview(bytearray(101)))


def test_a_peer_that_takes_nothing_is_a_timeout(network: Network, pair: tuple[socket.socket, socket.socket]) -> None:
    wire = PacedSocket(pair[0], network.nic("client"), "keeper-1", STALL_S)

    with pytest.raises(TimeoutError):
        wire.send(memoryview(bytes(10_000_000)))


def test_a_lossy_path_resets_the_connection_under_both_ends(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other = server.accept()[0]
    network.set_link("client", Link(loss=1.0))
    wire = PacedSocket(one, network.nic("client"), "keeper-1", STALL_S)
    wire.expect(100_000)

    with other:
        with pytest.raises(ConnectionResetError):
            wire.send(memoryview(bytes(100_000)))
        with pytest.raises(ConnectionResetError):
            drain(other)


class Watched(Connection):
    """Says when its wait looks for the first time whether it is over: from then on only a wake-up ends it."""

    def __init__(self, network: Network) -> None:
        super().__init__("keeper-1", Address("127.0.0.1", 1), 600.0, network.nic("client"))
        self.waits = threading.Event()

    def _is_aborted(self) -> bool:
        self.waits.set()
        return super()._is_aborted()


def test_a_connection_that_was_given_up_while_it_was_opened_is_closed_again(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = Connection("keeper-1", Address(*server.getsockname()), 600.0, network.nic("client"))
        connection.abort()

        with pytest.raises(ConnectionError):
            connection.open()

        with server.accept()[0] as accepted:
            assert accepted.recv(1) == b""


def test_giving_up_a_connection_ends_its_wait_behind_a_partition(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_client, "CONNECT_TIMEOUT_S", 600.0)
    network.partition(["client"], ["keeper-1"])
    connection = Watched(network)
    opening = InThread(connection.open)
    assert connection.waits.wait(10.0)

    connection.abort()

    error = opening.join()
    assert isinstance(error, ConnectionError)
    with pytest.raises(ConnectionError, match="never opened"):
        connection.ask(pb.DataRequest(), b"")
