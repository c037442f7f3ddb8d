"""The data protocol spoken by hand: tickets signed with the cluster's own token, and any claim of them changed."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.tickets import ProofKey, Purpose, Ticket, TicketKey
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from dfslab.runtime.wire import operation_bytes
from tests.cluster.conftest import cell

_serials = itertools.count(10**9)


def data_port(cluster: Cluster, keeper: int = 1) -> tuple[str, int]:
    """Return where a keeper's data port listens."""
    host, _, port = cell(cluster, f"keeper-{keeper}", "data_address").rpartition(":")
    return host, int(port)


def granted(cluster: Cluster, name: str, keeper: int = 1) -> bytes:
    """Return the ticket that the master gives a reader of `name` for a keeper."""
    with dfslab.Client(cluster.address, token=cluster.token, name="by-hand") as client:
        return next(one.ticket for one in client.locate(name).holders if one.keeper == f"keeper-{keeper}")


def claims_of(cluster: Cluster, ticket: bytes) -> Ticket:
    """Return what a ticket says."""
    return TicketKey(cluster.token.encode()).read(ticket, "a test")


def signed(cluster: Cluster, like: bytes, token: str = "", **claims: Any) -> bytes:
    """Return a ticket with the claims of another one but for these; it was never used."""
    ticket = replace(claims_of(cluster, like), **{"serial": next(_serials), **claims})
    return TicketKey((token or cluster.token).encode()).sign(ticket)


def to_write(cluster: Cluster, like: bytes, version: str, size: int) -> bytes:
    """Return leave to upload a version that the master knows nothing of."""
    return signed(cluster, like, purpose=Purpose.UPLOAD, version=version, length=size)


def proven(cluster: Cluster, request: pb.DataRequest, token: str = "") -> pb.DataRequest:
    """Return a request with the proof that its sender knows the token."""
    request.proof = ProofKey((token or cluster.token).encode()).of_request(request.ticket, operation_bytes(request))
    return request


@contextlib.contextmanager
def connected(cluster: Cluster, keeper: int = 1) -> Iterator[socket.socket]:
    """Return a connection to a keeper's data port."""
    with socket.create_connection(data_port(cluster, keeper), timeout=5) as sock:
        yield sock


def ask(sock: socket.socket, request: pb.DataRequest) -> pb.DataReply:
    """Send a request and return the keeper's reply."""
    sock.sendall(frames.encode(request))
    return frames.receive_message(sock, pb.DataReply)


def answer(cluster: Cluster, request: pb.DataRequest, keeper: int = 1, token: str = "") -> pb.DataReply:
    """Return a keeper's first reply to one proven request; it comes at once."""
    started = time.monotonic()
    with connected(cluster, keeper) as sock:
        reply = ask(sock, proven(cluster, request, token))
    assert time.monotonic() - started < 5.0
    return reply
