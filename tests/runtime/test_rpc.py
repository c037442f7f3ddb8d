"""Calls of the control plane behind a network card."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from dfslab.core.errors import MasterUnavailable
from dfslab.core.links import Link
from dfslab.core.model import Address
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.dfs_pb2_grpc import MasterTrackerStub
from dfslab.runtime.network import Network
from dfslab.runtime.rpc import RpcClient


class Stub:
    """Says how long each call may take."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.timeouts: list[float] = []

    def Ask(self, request: object, *, timeout: float, metadata: Any) -> str:  # noqa: N802
        self.timeouts.append(timeout)
        return "answer"


def test_what_a_call_spends_on_its_way_is_part_of_its_timeout() -> None:
    network, stubs = Network(seed=1), list[Stub]()

    def make(channel: grpc.Channel) -> Stub:
        stubs.append(Stub(channel))
        return stubs[0]

    client = RpcClient(make, Address("127.0.0.1", 1), "", network.nic("client"))
    network.set_link("master", Link(delay_ms=100))

    assert client.call("Ask", None, timeout_s=10.0) == "answer"

    assert 5.0 < stubs[0].timeouts[0] <= 9.9
    client.close()
    network.close()


def test_a_method_that_is_first_called_once_the_client_is_closed_is_refused() -> None:
    """gRPC would end the process: the method is made of the channel with its first call."""
    client = RpcClient(MasterTrackerStub, Address("127.0.0.1", 1), "", Network().nic("client"))
    client.close()

    with pytest.raises(MasterUnavailable, match="this client is closed"):
        client.call("Stat", pb.StatRequest(name="a"), timeout_s=10.0)
