"""Orders to copy on their way from the master to one keeper: those that wait go together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dfslab.core.errors import DfsError
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.rpc import RpcClient
from dfslab.runtime.wire import error_from

ORDER_TIMEOUT_S = 5.0
MOST = 256
"""Orders in one call."""


@dataclass(frozen=True, slots=True)
class Order:
    """One end's part in a copy, and who is told when that end refuses it or does not answer."""

    message: pb.OfferReplica | pb.FetchReplica
    failed: Callable[[DfsError], None]


class Orders:
    """The orders of one keeper.

    Without emulated delays, one call is under way at a time, and what comes meanwhile shares the next one.
    With them nothing is held back: a round trip may be long then, and orders travel side by side.

    Parameters
    ----------
    rpc : RpcClient
        The way to the keeper.
    """

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._lock = threading.Lock()
        self._queue: list[Order] = []
        self._is_calling = False

    def add(self, order: Order) -> None:
        """Have an order sent by the next `flush`, or after the call that is under way then."""
        with self._lock:
            self._queue.append(order)

    def flush(self) -> None:
        """Send what waits."""
        with self._lock:
            alone = self._rpc.is_plain
            if not self._queue or (self._is_calling and alone):
                return
            self._is_calling = self._is_calling or alone
            orders, self._queue = self._queue[:MOST], self._queue[MOST:]
        self._send(orders, alone)

    def _send(self, orders: Sequence[Order], alone: bool) -> None:
        offers = [(order.message, order) for order in orders if isinstance(order.message, pb.OfferReplica)]
        fetches = [(order.message, order) for order in orders if isinstance(order.message, pb.FetchReplica)]

        def over() -> None:
            if alone:
                with self._lock:
                    self._is_calling = False
            self.flush()

        def failed(error: DfsError) -> None:
            for order in orders:
                order.failed(error)
            over()

        def answered(reply: pb.OrderCopiesReply) -> None:
            outcomes = [*zip(offers, reply.offers, strict=False), *zip(fetches, reply.fetches, strict=False)]
            for (_, order), outcome in outcomes:
                if outcome.HasField("error"):
                    order.failed(error_from(outcome.error, str(self._rpc.address)))
            over()

        request = pb.OrderCopiesRequest(
            offers=[message for message, _ in offers], fetches=[message for message, _ in fetches]
        )
        self._rpc.send("OrderCopies", request, ORDER_TIMEOUT_S, failed, answered)
