"""Connections that stay on this machine are not paced by the system's congestion control."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from dfslab.runtime.sockets import is_local, stay_on_this_machine


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        yield sock


@pytest.mark.skipif(not hasattr(socket, "TCP_CONGESTION"), reason="this system has no such choice")
def test_a_connection_on_this_machine_is_sent_as_fast_as_it_is_taken(connection: socket.socket) -> None:
    stay_on_this_machine(connection)

    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"reno"


def test_where_there_is_no_such_choice_nothing_happens(
    connection: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "TCP_CONGESTION", raising=False)

    stay_on_this_machine(connection)

    connection.sendall(b"x")


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("localhost", True), ("10.1.2.3", False)])
def test_which_addresses_are_of_this_machine(host: str, local: bool) -> None:
    assert is_local(host) == local
