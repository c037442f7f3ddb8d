"""How much of something a stranger, or a client with the token, can make a node take."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
import textwrap
from subprocess import run
from typing import Any

import pytest

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from dfslab.core.model import Address
from dfslab.runtime import data_server, frames, master_service
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.dfs_pb2_grpc import MasterTrackerStub
from dfslab.runtime.network import Network
from dfslab.runtime.rpc import MAX_MESSAGE_BYTES, RpcClient
from dfslab.runtime.sockets import allow_many_descriptors
from dfslab.runtime.wire import MAX_TEXT_CHARS
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


# -- the control port ---------------------------------------------------------------------------


def test_a_text_that_is_too_long_is_refused_in_every_call(start: Starter) -> None:
    """By reflection, so that a new method or a new field is bounded, too."""
    cluster = start(3)
    with contextlib.closing(_rpc(cluster)) as client:
        for method in pb.DESCRIPTOR.services_by_name["MasterTracker"].methods:
            kind: Any = getattr(pb, method.input_type.name)
            for field in method.input_type.fields:
                if field.type != field.TYPE_STRING:
                    continue
                long: Any = "x" * (MAX_TEXT_CHARS + 1)
                request = kind(**{field.name: [long] if field.name == "exclude" else long})
                with pytest.raises(errors.ProtocolError, match=field.name):
                    client.call(method.name, request, 5.0)
    assert "x" * 2000 not in (cluster.root / "trace.jsonl").read_text()


def test_a_long_text_of_somebody_elses_is_cut_before_it_enters_the_trace(start: Starter) -> None:
    cluster = start(3)
    info = cluster.upload(b"good", name="a", ack_replicas=3)
    with dfslab.Client(cluster.address, token=cluster.token) as client:
        client.report_bad("keeper-1", info.version, "y" * 10_000)

    cluster.wait_for_replicas()
    assert "y" * 1000 in (cluster.root / "trace.jsonl").read_text()
    assert "y" * 1001 not in (cluster.root / "trace.jsonl").read_text()


def test_a_message_that_is_too_long_is_refused_and_typed(start: Starter) -> None:
    cluster = start(3)
    request = pb.ReplicaStoredRequest(replicas=[pb.NewReplica(checksums=bytes(MAX_MESSAGE_BYTES + 1))])
    with contextlib.closing(_rpc(cluster)) as client, pytest.raises(errors.DfsError, match="larger than max"):
        client.call("ReplicaStored", request, 10.0)

    assert cluster.files() is not None


@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_an_upload_of_impossible_size_is_refused_by_the_master(start: Starter, size: int) -> None:
    """FAULTS 32."""
    cluster = start(3)
    request = pb.BeginUploadRequest(upload_id="u", name="a", size=size)
    with contextlib.closing(_rpc(cluster)) as client, pytest.raises(errors.InvalidOption, match="size"):
        client.call("BeginUpload", request, 5.0)


def test_a_page_has_so_many_files_whatever_is_asked_for(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_service, "PAGE", 2)
    cluster = start(3)
    for name in "abc":
        cluster.upload(b"x", name=name)
    with contextlib.closing(_rpc(cluster)) as client:
        listed = client.call("List", pb.ListRequest(limit=2**32 - 1), 5.0)
        table = client.call("LookupTable", pb.LookupTableRequest(limit=2**32 - 1), 5.0)

    assert ([one.name for one in listed.files], listed.more) == (["a", "b"], True)
    assert table.next_after == "b"


def _rpc(cluster: Cluster) -> RpcClient:
    return RpcClient(MasterTrackerStub, Address.parse(cluster.address), cluster.token, Network().nic("by-hand"))
