"""Connections that stay on this machine are not paced by the system's congestion control."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import dfslab
from dfslab.runtime.sockets import connect, is_local, send, stay_on_this_machine

has_choice = pytest.mark.skipif(not hasattr(socket, "TCP_CONGESTION"), reason="this system has no such choice")


def congestion_control(sock: socket.socket) -> bytes:
    """Return the name of a socket's congestion control."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        yield sock


@has_choice
def test_a_connection_on_this_machine_is_sent_as_fast_as_it_is_taken(connection: socket.socket) -> None:
    stay_on_this_machine(connection)

    assert congestion_control(connection) == b"reno"


@has_choice
def test_the_choice_is_made_before_there_is_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux paces for life what has begun under BBR."""
    begun_with = []
    begin = socket.socket.connect

    def connecting(sock: socket.socket, address: object) -> None:
        begun_with.append(congestion_control(sock))
        begin(sock, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connecting)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect("127.0.0.1", listener.getsockname()[1], 5.0).close()

    assert begun_with == [b"reno"]


@has_choice
def test_what_a_keeper_takes_in_has_begun_as_its_listening_socket_is(tmp_path: Path) -> None:
    with dfslab.cluster.start(1, replicas=1, name="unpaced", root=tmp_path / "root") as cluster:
        listener = cluster._nodes._slots["keeper-1"].node._data_server._listener  # type: ignore[attr-defined]

        assert congestion_control(listener) == b"reno"


def test_what_is_sent_with_more_to_come_arrives_with_it_and_alone_if_nothing_comes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = connect("127.0.0.1", listener.getsockname()[1], 5.0)
        receiver, _ = listener.accept()
    with sender, receiver:
        receiver.settimeout(30.0)
        kept = []
        for _ in range(5):  # the kernel sends it after 200 ms, which may pass on a crowded machine
            send(sender, b"head", more=True)
            kept.append(not select.select([receiver], [], [], 0)[0])
            send(sender, b"body")
            assert receiver.recv(100) == b"headbody"
        assert any(kept)
        send(sender, b"last", more=True)
        assert receiver.recv(100) == b"last"


def test_a_connection_that_is_refused_leaves_no_socket_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(ConnectionRefusedError):
        connect("127.0.0.1", port, 5.0)  # pytest takes a socket that was never closed for an error


def test_where_there_is_no_such_choice_nothing_happens(
    connection: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "TCP_CONGESTION", raising=False)

    stay_on_this_machine(connection)

    connection.sendall(b"x")


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("localhost", True), ("10.1.2.3", False)])
def test_which_addresses_are_of_this_machine(host: str, local: bool) -> None:
    assert is_local(host) == local
