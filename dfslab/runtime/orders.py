"""Orders to copy on their way from the master to one keeper: those that wait go together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from dfslab.core.errors import DfsError
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.gate import NodeDown
from dfslab.runtime.rpc import RpcClient
from dfslab.runtime.wire import error_from

ORDER_TIMEOUT_S = 5.0
MOST = 256
"""Orders in one call."""
REST = 2.0
"""How long the way to a keeper rests after a call, as a multiple of what the call took: while a machine is busy, more
orders go together, and copies leave room for those who wait for an answer."""
REST_AT_LEAST_S, REST_AT_MOST_S = 0.05, 0.1
"""A call costs half a millisecond of the machine whatever is in it: with many small files, most of an upload's cost."""


@dataclass(frozen=True, slots=True)
class Order:
    """One end's part in a copy, and who is told when that end refuses it or does not answer."""

    message: pb.OfferReplica | pb.FetchReplica
    failed: Callable[[DfsError], None]


class Orders:
    """The orders of one keeper.

    Without emulated delays, one call is under way at a time, and what comes meanwhile, or in the short rest after
    it, shares the next one; a copy that an upload waits for ends the rest. With them nothing is held back: a round
    trip may be long then, and orders travel side by side.

    Parameters
    ----------
    rpc : RpcClient
        The way to the keeper.
    threads : Executor
        Makes the calls. gRPC's own thread for calls that nobody waits for is a new one for nearly every call, and
        whoever starts it waits for it.
    """

    def __init__(self, rpc: RpcClient, threads: Executor) -> None:
        self._rpc, self._threads = rpc, threads
        self._lock = threading.Lock()
        self._queue: list[Order] = []
        self._is_calling = False
        self._urgent = threading.Event()

    def add(self, order: Order) -> None:
        """Have an order sent by the next `flush`, or with those that are waiting already."""
        with self._lock:
            self._queue.append(order)
            if isinstance(order.message, pb.FetchReplica) and order.message.awaited:
                self._urgent.set()

    def flush(self) -> None:
        """Send what waits."""
        if not self._rpc.is_plain:
            self._post()
            return
        with self._lock:
            if self._is_calling or not self._queue:
                return
            self._is_calling = True
        self._threads.submit(self._work)

    def _next(self) -> list[Order]:
        with self._lock:
            orders, self._queue = self._queue[:MOST], self._queue[MOST:]
            self._is_calling = bool(orders)
            if not self._queue:
                self._urgent.clear()
            return orders

    def _work(self) -> None:
        """Make calls until nothing waits; a node that was killed says nothing more."""
        while orders := self._next():
            began = time.monotonic()
            try:
                reply = self._rpc.call("OrderCopies", _request_of(orders), ORDER_TIMEOUT_S)
            except NodeDown:
                return
            except DfsError as error:
                _failed(orders, error)
            else:
                self._answered(orders, reply)
                self._urgent.wait(min(REST_AT_MOST_S, max(REST_AT_LEAST_S, REST * (time.monotonic() - began))))

    def _post(self) -> None:
        with self._lock:
            orders, self._queue = self._queue, []
        if orders:
            self._rpc.send(
                "OrderCopies",
                _request_of(orders),
                ORDER_TIMEOUT_S,
                lambda error: _failed(orders, error),
                lambda reply: self._answered(orders, reply),
            )

    def _answered(self, orders: Sequence[Order], reply: pb.OrderCopiesReply) -> None:
        offers = [order for order in orders if isinstance(order.message, pb.OfferReplica)]
        fetches = [order for order in orders if isinstance(order.message, pb.FetchReplica)]
        outcomes = [*zip(offers, reply.offers, strict=False), *zip(fetches, reply.fetches, strict=False)]
        for order, outcome in outcomes:
            if outcome.HasField("error"):
                order.failed(error_from(outcome.error, str(self._rpc.address)))


def _request_of(orders: Sequence[Order]) -> pb.OrderCopiesRequest:
    return pb.OrderCopiesRequest(
        offers=[order.message for order in orders if isinstance(order.message, pb.OfferReplica)],
        fetches=[order.message for order in orders if isinstance(order.message, pb.FetchReplica)],
    )


def _failed(orders: Sequence[Order], error: DfsError) -> None:
    for order in orders:
        order.failed(error)
