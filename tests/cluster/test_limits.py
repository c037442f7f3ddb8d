"""How much of something a stranger, or a client with the token, can make a node take."""

from __future__ import annotations

import resource
import socket
import sys
import textwrap
from subprocess import run

import pytest

from dfslab.runtime import data_server, frames
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.sockets import allow_many_descriptors
from tests.cluster.by_hand import data_port
from tests.cluster.conftest import Starter


def test_a_data_port_takes_so_many_connections_and_the_idlest_makes_room(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_server, "MAX_CONNECTIONS", 20)
    cluster = start(3)
    cluster.upload(b"good", name="a", ack_replicas=3)
    socks = [socket.create_connection(data_port(cluster), timeout=5) for _ in range(40)]
    try:
        assert cluster.download("a").path.read_bytes() == b"good"
        assert all(sock.recv(1) == b"" for sock in socks[:20])
    finally:
        for sock in socks:
            sock.close()


def test_where_every_connection_is_at_work_a_new_one_is_told_so(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_server, "MAX_CONNECTIONS", 0)
    cluster = start(3)

    with socket.create_connection(data_port(cluster), timeout=5) as sock:
        reply = frames.receive_message(sock, pb.DataReply)

        assert reply.error.name == "LimitReached"
        assert sock.recv(1) == b""


def test_a_header_that_is_too_long_is_refused_before_it_is_read(start: Starter) -> None:
    cluster = start(3)
    with socket.create_connection(data_port(cluster), timeout=5) as sock:
        sock.sendall(frames.HEAD.pack(frames.MAGIC, frames.MAX_MESSAGE_BYTES + 1))

        assert frames.receive_message(sock, pb.DataReply).error.name == "ProtocolError"
        assert sock.recv(1) == b""


def test_who_rests_and_who_dawdles_with_a_header_is_sent_away(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS 33."""
    monkeypatch.setattr(data_server, "HEADER_TIMEOUT_S", 0.3)
    cluster = start(3)
    with (
        socket.create_connection(data_port(cluster), timeout=5) as silent,
        socket.create_connection(data_port(cluster), timeout=5) as dawdling,
    ):
        dawdling.sendall(b"DFS1\0\0")
        assert silent.recv(1) == b""
        assert frames.receive_message(dawdling, pb.DataReply).error.name == "ProtocolError"


def test_a_process_may_open_as_many_files_as_the_system_lets_it() -> None:
    allowed = allow_many_descriptors()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft >= min(hard if hard != resource.RLIM_INFINITY else 65536, 65536)
    assert allowed == soft


def test_a_keeper_that_is_out_of_descriptors_neither_spins_nor_keeps_strangers_for_real_clients() -> None:
    """In a process of its own, whose limit is lowered so far that strangers use up every descriptor."""
    code = """
        import os, resource, socket, time
        import dfslab
        from dfslab.core.model import Address

        with dfslab.cluster.start(1, replicas=1, name="scarce") as cluster:
            cluster.upload(b"good" * 1000, name="a")
            where = Address.parse(cluster.keepers()["data_address"].iloc[0])
            strangers = [socket.socket() for _ in range(300)]
            for sock in strangers:
                sock.setblocking(False)
            open_now = len(os.listdir("/proc/self/fd"))
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, hard))
            for sock in strangers:
                sock.connect_ex((where.host, where.port))
            began = time.process_time(), time.monotonic()
            time.sleep(1.0)
            busy = (time.process_time() - began[0]) / (time.monotonic() - began[1])
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            assert cluster.download("a", to="/dev/shm/scarce-%d" % os.getpid()).size == 4000
            os.unlink("/dev/shm/scarce-%d" % os.getpid())
            print("busy", busy)
            for sock in strangers:
                sock.close()
    """
    done = run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert float(done.stdout.split()[1]) < 0.1
