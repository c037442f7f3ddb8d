"""Who is kept out, on real ports: docs/security.md names these tests for what it claims."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from dfslab.core.errors import TicketRefused
from dfslab.core.keeper.admission import Admission
from dfslab.core.model import Address
from dfslab.core.tickets import Purpose
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from dfslab.runtime.rpc import TOKEN_KEY
from tests.cluster.by_hand import (
    answer,
    ask,
    claims_of,
    connected,
    granted,
    proven,
    signed,
    to_write,
)
from tests.cluster.conftest import Starter, cell

SECRET = b"the exam's questions " * 10_000


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """One cluster for all the tests that must not harm it; every keeper holds the file."""
    with dfslab.cluster.start(3, name="security") as cluster:
        cluster.upload(SECRET, name="secret")
        cluster.wait_for_replicas()
        yield cluster
        assert cluster.download("secret").path.read_bytes() == SECRET


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The module's cluster outlives its tests."""


def reading(cluster: Cluster, ticket: bytes, length: int = len(SECRET), offset: int = 0) -> pb.DataRequest:
    """Return a request for part of the secret."""
    version = cluster.stat("secret").version
    return pb.DataRequest(ticket=ticket, get=pb.Get(version=version, offset=offset, length=length))


# -- tickets (FAULTS 38) ------------------------------------------------------------------------


def test_a_good_ticket_is_good_for_many_reads(shared: Cluster) -> None:
    ticket = granted(shared, "secret")
    with connected(shared) as sock:
        for offset in (0, 65536, 0):
            assert ask(sock, proven(shared, reading(shared, ticket, 10, offset))).size == 10
            assert frames.receive(sock, 10) == SECRET[offset : offset + 10]


CHANGES: dict[str, dict[str, Any]] = {
    "signed under another token": {"token": "another token"},
    "of another purpose": {"purpose": Purpose.UPLOAD},
    "for another version": {"version": "v9-0123456789"},
    "for another keeper": {"keeper": "keeper-2"},
    "for an earlier process of the keeper": {"keeper_boot": "earlier"},
    "of a master that was never heard": {"master_boot": "unheard"},
    "for fewer bytes": {"length": len(SECRET) - 1},
    "that has lapsed": {"expires_s": 0.0},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_ticket_to_read_is_refused_if_it_is(shared: Cluster, change: dict[str, Any]) -> None:
    ticket = signed(shared, granted(shared, "secret"), **change)

    reply = answer(shared, reading(shared, ticket))

    assert reply.error.name == "TicketRefused"
    assert reply.size == 0


FOR_WRITING = {name: change for name, change in CHANGES.items() if "purpose" not in change}


@pytest.mark.parametrize("change", FOR_WRITING.values(), ids=FOR_WRITING.keys())
def test_a_ticket_to_write_is_refused_if_it_is(shared: Cluster, change: dict[str, Any]) -> None:
    version = "v997-0123456789"
    like = to_write(shared, granted(shared, "secret"), version, len(SECRET))
    put = pb.Put(version=version, size=len(SECRET), block_size=65536)

    reply = answer(shared, pb.DataRequest(ticket=signed(shared, like, **change), put=put))

    assert reply.error.name == "TicketRefused"
    assert list(shared.root.glob(f"*/*/{version}*")) == []


def test_a_flipped_bit_anywhere_in_a_ticket_is_refused(shared: Cluster) -> None:
    ticket = granted(shared, "secret")
    for at in range(0, len(ticket), 7):
        forged = ticket[:at] + bytes([ticket[at] ^ 1]) + ticket[at + 1 :]
        assert answer(shared, reading(shared, forged)).error.name == "TicketRefused"


def test_leave_to_read_is_no_leave_to_write(shared: Cluster) -> None:
    version = shared.stat("secret").version
    put = pb.Put(version=version, size=len(SECRET), block_size=65536)

    reply = answer(shared, pb.DataRequest(ticket=granted(shared, "secret"), put=put))

    assert reply.error.name == "TicketRefused"


def test_an_upload_cannot_be_replayed(shared: Cluster) -> None:
    """Also when the first came to nothing."""
    version = "v996-0123456789"
    ticket = to_write(shared, granted(shared, "secret"), version, 4)
    request = pb.DataRequest(ticket=ticket, put=pb.Put(version=version, size=4, block_size=65536))
    with connected(shared) as sock:
        assert not ask(sock, proven(shared, request)).HasField("error")

    reply = answer(shared, request)

    assert reply.error.name == "TicketRefused"
    assert "used before" in reply.error.message


def test_a_ticket_from_before_a_keeper_was_killed_is_no_good_at_its_successor(shared: Cluster) -> None:
    """What a stranger heard on the dead keeper's port he cannot repeat when it is back."""
    request = reading(shared, granted(shared, "secret"))
    assert not answer(shared, request).HasField("error")

    shared.kill(1)
    shared.restart(1)

    reply = answer(shared, request)
    assert reply.error.name == "TicketRefused"
    assert "started again" in reply.error.message
    shared.wait_for_replicas()
    assert not answer(shared, reading(shared, granted(shared, "secret"))).HasField("error")


def test_a_download_goes_on_while_the_master_restarts_and_its_tickets_are_good_after(shared: Cluster) -> None:
    request = reading(shared, granted(shared, "secret"))
    before = claims_of(shared, request.ticket).master_boot

    shared.kill_master()
    assert not answer(shared, request).HasField("error")
    shared.restart_master()
    shared.wait_for_replicas()

    assert claims_of(shared, granted(shared, "secret")).master_boot != before
    assert not answer(shared, request).HasField("error")


# -- proofs -------------------------------------------------------------------------------------


def test_a_request_of_somebody_without_the_token_is_refused_also_with_a_good_ticket(shared: Cluster) -> None:
    """Who has stolen a ticket has no token to prove it with."""
    request = reading(shared, granted(shared, "secret"))

    for token in ("another token", shared.token[:-1]):
        reply = answer(shared, request, token=token)
        assert (reply.error.name, reply.proof) == ("BadToken", b"")
    for proof in (b"", b"\0" * 32):
        request.proof = proof
        with connected(shared) as sock:
            assert ask(sock, request).error.name == "BadToken"


def test_a_proof_is_good_for_the_operation_that_it_was_made_for_only(shared: Cluster) -> None:
    ticket = granted(shared, "secret")
    heard = proven(shared, reading(shared, ticket, 10))

    for changed in (reading(shared, ticket, 11), reading(shared, ticket, 10, 65536)):
        changed.proof = heard.proof
        with connected(shared) as sock:
            assert ask(sock, changed).error.name == "BadToken"


def test_the_token_is_in_no_byte_that_goes_to_a_data_port(shared: Cluster) -> None:
    with (
        Stranger(lambda request: None) as stranger,
        dfslab.Client(shared.address, token=shared.token) as client,
        pytest.raises(errors.KeeperUnreachable),
    ):
        client._data.get("keeper-1", stranger.address, _range(shared), lambda view, offset: None, b"ticket")

    assert len(stranger.heard) > 32
    assert shared.token.encode() not in stranger.heard


def test_who_answers_on_a_dead_keepers_port_gets_no_byte_of_a_file_and_is_believed_nothing(shared: Cluster) -> None:
    """Another user of the machine may take the port as soon as the keeper is gone."""
    lies: list[Callable[[bytes], pb.DataReply]] = [
        lambda proof: pb.DataReply(size=len(SECRET)),
        lambda proof: pb.DataReply(size=len(SECRET), proof=proof),
        lambda proof: pb.DataReply(error=pb.Error(name="ChecksumMismatch", fields='{"where": "keeper-1", "block": 0}')),
        lambda proof: pb.DataReply(error=pb.Error(name="NoSuchReplica", fields='{"keeper": "k", "version": "v"}')),
    ]
    for lie in lies:
        with (
            Stranger(lambda request, lie=lie: lie(request.proof)) as stranger,  # type: ignore[misc]
            dfslab.Client(shared.address, token=shared.token) as client,
        ):
            with pytest.raises(errors.KeeperUnreachable, match="does not prove"):
                client._data.get("keeper-1", stranger.address, _range(shared), lambda view, offset: None, b"ticket")
            order = pb.Put(version="v1-0123456789", size=len(SECRET), block_size=65536)
            with pytest.raises(errors.KeeperUnreachable, match="does not prove") as caught:
                client._data.put("keeper-1", stranger.address, order, _no_bytes, b"ticket")
            assert caught.value.definite
        assert b"exam" not in stranger.heard


def _range(cluster: Cluster) -> Any:
    from dfslab.runtime.data_client import Range

    return Range(cluster.stat("secret").version, 0, 10, 65536, b"")


def _no_bytes(view: memoryview) -> int:
    raise AssertionError("the file is being read, to be sent to a stranger")


class Stranger:
    """A program that listens where a keeper should: it notes what it hears, and answers with a lie, or not at all."""

    def __init__(self, lie: Callable[[pb.DataRequest], pb.DataReply | None]) -> None:
        self._lie, self.heard = lie, b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = dfslab.core.model.Address(*self._listener.getsockname())
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                self._listen_to(sock)

    def _listen_to(self, sock: socket.socket) -> None:
        head = frames.receive(sock, frames.HEAD.size)
        body = frames.receive(sock, frames.body_length(head))
        self.heard += head + body
        reply = self._lie(frames.decode(pb.DataRequest, body))
        if reply is None:
            return
        sock.sendall(frames.encode(reply))
        while part := _receive(sock):
            self.heard += part

    def __enter__(self) -> Stranger:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""


# -- the token on every call (FAULTS 38) ---------------------------------------------------------

METHODS = [
    (service.name, method.name) for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods
]


def test_every_service_of_the_contract_is_tried() -> None:
    assert {service for service, _ in METHODS} == {"MasterTracker", "DataKeeper"}
    assert len(METHODS) >= 19


@pytest.mark.parametrize(("service", "method"), METHODS, ids=[f"{one}.{other}" for one, other in METHODS])
def test_a_call_without_the_token_is_refused_unread(shared: Cluster, service: str, method: str) -> None:
    where = shared.address if service == "MasterTracker" else cell(shared, "keeper-1", "address")
    path = f"/dfslab.v1.{service}/{method}"
    lines = len(shared.events())

    with grpc.insecure_channel(where) as channel:
        call: Any = channel.unary_unary(path)  # raw bytes, which are no message: they are not even parsed
        for metadata in ((), ((TOKEN_KEY, ""),), ((TOKEN_KEY, "wrong"),), ((TOKEN_KEY, shared.token + "x"),)):
            started = time.monotonic()
            with pytest.raises(grpc.RpcError) as caught:
                call(b"\xff\xff\xff", metadata=metadata, timeout=5.0)
            error: Any = caught.value
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            assert time.monotonic() - started < 1.0
    assert not {"node_error", "file_deleted"} & set(shared.events()["kind"][lines:])


# -- a lapsed ticket in the middle of a download -------------------------------------------------


def test_a_download_whose_ticket_has_lapsed_gets_another_and_goes_on(
    shared: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dfslab.client.client import Client

    asked: list[int] = []
    locate = Client.locate

    def first_tickets_have_lapsed(self: Client, name: str) -> Any:
        from dataclasses import replace

        location = locate(self, name)
        asked.append(1)
        if len(asked) > 1:
            return location
        old = tuple(replace(one, ticket=signed(shared, one.ticket, expires_s=0.0)) for one in location.holders)
        return replace(location, holders=old)

    monkeypatch.setattr(Client, "locate", first_tickets_have_lapsed)

    done = shared.download("secret", to=tmp_path / "secret")

    assert done.path.read_bytes() == SECRET
    assert set(done.chunks["outcome"]) == {"ok"}
    assert len(asked) == 2


# -- the ports of the dead ------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_nobody_can_take_the_port_of_a_killed_node_and_it_has_it_again(isolation: str) -> None:
    with dfslab.cluster.start(3, name=f"ports-{isolation}", isolation=isolation) as cluster:
        cluster.upload(b"good", name="a", ack_replicas=3)
        where = {kind: Address.parse(cell(cluster, "keeper-1", kind)) for kind in ("address", "data_address")}
        master = Address.parse(cluster.address)

        cluster.kill(1)
        cluster.kill_master()

        for address in (*where.values(), master):
            for reuse in (0, 1):
                with socket.socket() as thief:
                    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                    with pytest.raises(OSError, match="in use"):
                        thief.bind((address.host, address.port))
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address.host, address.port), timeout=5)
        cluster.restart_master()
        cluster.restart(1)
        cluster.wait_for_replicas()
        assert cell(cluster, "keeper-1", "data_address") == str(where["data_address"])
        assert cluster.download("a").path.read_bytes() == b"good"


# -- another user of the same machine -------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_no_other_user_can_read_files_names_or_the_token_off_the_disk_or_the_process_table(
    tmp_path: Path, isolation: str
) -> None:
    """The root is one that others may enter; what is in it, they may not read, but for the certificate."""
    tmp_path.chmod(0o755)
    with dfslab.cluster.start(
        3, root=tmp_path / "r", name=f"modes-{isolation}", isolation=isolation, tls=True
    ) as cluster:
        cluster.upload(b"good", name="a", ack_replicas=3)
        cluster.download("a")
        readable = [
            str(path.relative_to(cluster.root))
            for path in cluster.root.rglob("*")
            if path.stat().st_mode & 0o077
            and all(up.stat().st_mode & 0o077 for up in path.parents if cluster.root in up.parents)
        ]
        assert readable == ["ca.pem"]
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            assert not any(cluster.token in text for text in [*process.cmdline(), *process.environ().values()])


def test_a_temporary_root_is_its_owners_only(shared: Cluster) -> None:
    assert shared.root.stat().st_mode & 0o777 == 0o700


def test_the_token_is_in_no_line_of_the_trace(shared: Cluster) -> None:
    assert shared.token not in (shared.root / "trace.jsonl").read_text()


def test_a_keeper_that_has_not_heard_of_a_new_master_yet_is_asked_again(
    start: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A restarted master counts on a keeper a moment before the keeper has its answer: no download fails for that."""
    cluster = start(n=1, replicas=1)
    cluster.upload(b"some bytes", name="clip")
    admit, refused = Admission.admit, itertools.count(1)

    def at_first_nobody(self: Admission, *arguments: Any) -> Any:
        if next(refused) <= 6:
            raise TicketRefused(keeper="keeper-1", reason="keeper-1 has not heard of the master that signed it")
        return admit(self, *arguments)

    monkeypatch.setattr(Admission, "admit", at_first_nobody)

    assert cluster.download("clip", tmp_path / "clip").path.read_bytes() == b"some bytes"
    assert next(refused) > 7
