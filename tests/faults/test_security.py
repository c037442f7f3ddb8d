"""Tokens and tickets that are forged, have lapsed or are shown a second time (row 38)."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

import dfslab
from dfslab.core.errors import BadToken
from dfslab.core.tickets import Purpose
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.rpc import TOKEN_KEY
from tests.cluster.by_hand import ask, connected, granted, proven, signed, to_write
from tests.faults import disks
from tests.faults.case import Case
from tests.faults.ledger import Ledger
from tests.faults.plugin import row

SIZE = 300_000
FORGERIES: dict[str, dict[str, Any]] = {
    "signed under another token": {"token": "another token"},
    "of another purpose": {"purpose": Purpose.COPY},
    "for another version": {"version": "v9-0123456789"},
    "for another keeper": {"keeper": "keeper-2"},
    "for an earlier process of the keeper": {"keeper_boot": "earlier"},
    "of a master that was never heard": {"master_boot": "unheard"},
    "for fewer bytes": {"length": SIZE - 1},
    "that has lapsed": {"expires_s": 0.0},
}


def start(case: Case) -> Ledger:
    files = case.start(3, isolation="process")
    files.upload("clip", SIZE)
    files.cluster.wait_for_replicas()
    return files


def reply_to(files: Ledger, request: pb.DataRequest, token: str = "") -> pb.DataReply:
    """Return keeper-1's reply on its data port to a request that is proven with a token, by default the right one."""
    with connected(files.cluster) as sock:
        return ask(sock, proven(files.cluster, request, token))


@row(38)
def test_a_ticket_that_is_forged_or_has_lapsed_reads_and_writes_nothing(case: Case) -> None:
    files = start(case)
    version, good = files.version("clip"), granted(files.cluster, "clip")
    get = pb.Get(version=version, offset=0, length=SIZE)
    new = "v997-0123456789"
    put = pb.Put(version=new, size=SIZE, block_size=65536)
    leave = to_write(files.cluster, good, new, SIZE)

    for what, claims in FORGERIES.items():
        write = reply_to(files, pb.DataRequest(ticket=signed(files.cluster, leave, **claims), put=put))
        assert write.error.name == "TicketRefused", what
        if what != "of another purpose":  # a copy reads, too
            read = reply_to(files, pb.DataRequest(ticket=signed(files.cluster, good, **claims), get=get))
            assert (read.error.name, read.size) == ("TicketRefused", 0), what
        case.strike(f"tickets {what}")
    at = case.rng.randrange(len(good))
    flipped = good[:at] + bytes([good[at] ^ (1 << case.rng.randrange(8))]) + good[at + 1 :]
    assert reply_to(files, pb.DataRequest(ticket=flipped, get=get)).error.name == "TicketRefused"
    assert reply_to(files, pb.DataRequest(ticket=b"", get=get)).error.name == "TicketRefused"
    assert not disks.copies(files.cluster.root, new)
    assert not reply_to(files, pb.DataRequest(ticket=good, get=get)).HasField("error"), "the true one is good"


@row(38)
def test_an_upload_that_is_replayed_and_a_stolen_ticket_are_refused(case: Case) -> None:
    files = start(case)
    good, new = granted(files.cluster, "clip"), "v996-0123456789"
    put = pb.Put(version=new, size=SIZE, block_size=65536)
    upload = pb.DataRequest(ticket=to_write(files.cluster, good, new, SIZE), put=put)
    assert not reply_to(files, upload).HasField("error"), "the first one may begin"

    again = reply_to(files, upload)
    assert (again.error.name, "used before" in again.error.message) == ("TicketRefused", True)
    case.strike("uploads replayed")
    get = pb.Get(version=files.version("clip"), offset=0, length=SIZE)
    for token in ("", "another token", files.cluster.token[:-1]):
        stolen = pb.DataRequest(ticket=good, get=get)
        reply = reply_to(files, stolen, token) if token else reply_without_proof(files, stolen)
        assert reply.error.name == "BadToken"
        case.strike("tickets shown by somebody without the token")
    files.cluster.kill(1)
    files.cluster.restart(1)
    late = reply_to(files, pb.DataRequest(ticket=good, get=get))
    assert late.error.name == "TicketRefused"
    case.strike("tickets from before a restart")


def reply_without_proof(files: Ledger, request: pb.DataRequest) -> pb.DataReply:
    with connected(files.cluster) as sock:
        return ask(sock, request)


@row(38)
def test_a_forged_token_is_refused_on_every_control_port(case: Case) -> None:
    files = start(case)
    keepers = [f"{one.address.host}:{one.address.port}" for one in files.cluster._client.keeper_infos()]
    drop = pb.DropReplicaRequest(version=files.version("clip"), incarnation=1).SerializeToString()
    token = files.cluster.token

    for forged in ("", "wrong", token[:-1], token + "x", token.swapcase()):
        with dfslab.Client(files.cluster.address, token=forged) as client:
            for call in (client.stat, client.delete, client.download):
                with pytest.raises(BadToken):
                    call("clip")
                case.strike("calls of the master with a forged token")
        for keeper in keepers:
            assert status_of(keeper, "DataKeeper/DropReplica", drop, forged) is grpc.StatusCode.UNAUTHENTICATED
            case.strike("orders to a keeper with a forged token")


def status_of(address: str, method: str, request: bytes, token: str) -> grpc.StatusCode:
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(f"/dfslab.v1.{method}")
        try:
            call(request, metadata=((TOKEN_KEY, token),), timeout=5.0)
        except grpc.RpcError as error:
            status: grpc.StatusCode = error.code()
            return status
    return grpc.StatusCode.OK
