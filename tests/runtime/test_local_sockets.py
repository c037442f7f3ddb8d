"""Connections that stay on this machine are not paced by the system's congestion control."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from dfslab.runtime import sockets
from dfslab.runtime.sockets import is_local, stay_on_this_machine, widen


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


def buffers(connection: socket.socket) -> tuple[int, int]:
    """Return what the kernel may hold of what is received and of what is sent, bytes."""
    options = socket.SO_RCVBUF, socket.SO_SNDBUF
    received, sent = (connection.getsockopt(socket.SOL_SOCKET, option) for option in options)
    return received, sent


@pytest.mark.skipif(not sockets.may_widen(), reason="this system allows no such buffers")
def test_a_window_is_wider_than_all_that_the_other_end_may_have_under_way(connection: socket.socket) -> None:
    with socket.socket() as other:
        assert widen(connection, serves=False)
        assert widen(other, serves=True)

        (received, _), (_, sent) = buffers(connection), buffers(other)
    assert received >= 4 * 1024 * 1024
    assert received >= 2 * sent >= 2 * 1024 * 1024


def test_where_the_system_allows_less_its_own_tuning_is_left_alone(
    connection: socket.socket, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(sockets, "RECEIVED_BYTES", 1 << 30)
    sockets.may_widen.cache_clear()
    request.addfinalizer(sockets.may_widen.cache_clear)
    before = buffers(connection)

    assert not widen(connection, serves=False)
    assert not widen(connection, serves=True)

    assert buffers(connection) == before


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("localhost", True), ("10.1.2.3", False)])
def test_which_addresses_are_of_this_machine(host: str, local: bool) -> None:
    assert is_local(host) == local
