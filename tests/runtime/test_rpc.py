"""Calls of the control plane behind a network card."""

from __future__ import annotations

from typing import Any

import grpc

from dfslab.core.links import Link
from dfslab.core.model import Address
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
