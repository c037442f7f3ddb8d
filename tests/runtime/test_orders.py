"""Orders to copy on their way to a keeper: together while a call is under way, each refused by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dfslab.core.errors import DfsError, KeeperUnreachable, StaleIncarnation
from dfslab.core.model import Address
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import orders as module
from dfslab.runtime.orders import Order, Orders
from dfslab.runtime.wire import error_to

DEADLINE_S = 20.0


class Keeper:
    """What stands for the way to a keeper: it holds each call until it may answer."""

    address = Address("127.0.0.1", 1)

    def __init__(self, *, is_plain: bool = True) -> None:
        self.is_plain = is_plain
        self.calls: list[list[str]] = []
        self.came = threading.Semaphore(0)
        self.may_answer = threading.Semaphore(0)
        self.silent = False

    def _take(self, request: pb.OrderCopiesRequest) -> pb.OrderCopiesReply:
        self.calls.append([one.copy_id for one in request.offers] + [one.copy_id for one in request.fetches])
        refused = pb.OrderOutcome(error=error_to(StaleIncarnation(keeper="keeper-1", incarnation=1)))
        return pb.OrderCopiesReply(
            offers=[pb.OrderOutcome() for _ in request.offers],
            fetches=[refused if "bad" in one.copy_id else pb.OrderOutcome() for one in request.fetches],
        )

    def call(self, method: str, request: pb.OrderCopiesRequest, timeout_s: float) -> pb.OrderCopiesReply:
        """Answer when it may, as a keeper without emulated links."""
        assert method == "OrderCopies"
        reply = self._take(request)
        self.came.release()
        assert self.may_answer.acquire(timeout=DEADLINE_S)
        if self.silent:
            raise KeeperUnreachable(keeper="keeper-1", reason="no answer in time")
        return reply

    def send(
        self,
        method: str,
        request: pb.OrderCopiesRequest,
        timeout_s: float,
        on_error: Callable[[DfsError], None],
        on_reply: Callable[[Any], None],
    ) -> None:
        """Take it at once, as a letter over an emulated link."""
        on_reply(self._take(request))


def fetch(copy: str, failed: list[tuple[str, DfsError]]) -> Order:
    return Order(pb.FetchReplica(copy_id=copy), lambda error: failed.append((copy, error)))


def offer(copy: str, failed: list[tuple[str, DfsError]]) -> Order:
    return Order(pb.OfferReplica(copy_id=copy), lambda error: failed.append((copy, error)))


def test_orders_that_come_during_a_call_share_the_next_and_only_the_refused_one_fails() -> None:
    keeper, failed = Keeper(), list[tuple[str, DfsError]]()
    with ThreadPoolExecutor(4) as threads:
        orders = Orders(keeper, threads)  # type: ignore[arg-type]
        orders.add(fetch("first", failed))
        orders.flush()
        assert keeper.came.acquire(timeout=DEADLINE_S)
        for order in (fetch("bad", failed), offer("offered", failed), fetch("good", failed)):
            orders.add(order)
            orders.flush()
        keeper.may_answer.release(2)
        assert keeper.came.acquire(timeout=DEADLINE_S)

    assert keeper.calls == [["first"], ["offered", "bad", "good"]]
    assert [(copy, type(error)) for copy, error in failed] == [("bad", StaleIncarnation)]


def test_when_a_keeper_does_not_answer_every_order_of_the_call_fails_and_later_ones_are_sent() -> None:
    keeper, failed = Keeper(), list[tuple[str, DfsError]]()
    keeper.silent = True
    keeper.may_answer.release()
    with ThreadPoolExecutor(4) as threads:
        orders = Orders(keeper, threads)  # type: ignore[arg-type]
        orders.add(fetch("one", failed))
        orders.add(offer("two", failed))
        orders.flush()
        assert keeper.came.acquire(timeout=DEADLINE_S)
        deadline = time.monotonic() + DEADLINE_S
        while len(failed) < 2:  # told on the thread that called
            assert time.monotonic() < deadline
        keeper.silent = False
        keeper.may_answer.release()
        orders.add(fetch("three", failed))
        orders.flush()
        assert keeper.came.acquire(timeout=DEADLINE_S)

    assert sorted(copy for copy, _ in failed) == ["one", "two"]
    assert keeper.calls == [["two", "one"], ["three"]]


def test_orders_rest_after_a_call_but_not_for_a_copy_that_an_upload_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_AT_LEAST_S", 10 * DEADLINE_S)
    monkeypatch.setattr(module, "REST_AT_MOST_S", 10 * DEADLINE_S)
    keeper, failed = Keeper(), list[tuple[str, DfsError]]()
    with ThreadPoolExecutor(4) as threads:
        orders = Orders(keeper, threads)  # type: ignore[arg-type]
        keeper.may_answer.release(3)
        orders.add(fetch("first", failed))
        orders.flush()
        assert keeper.came.acquire(timeout=DEADLINE_S)
        orders.add(fetch("behind", failed))
        orders.flush()
        assert not keeper.came.acquire(timeout=0.1)

        orders.add(Order(pb.FetchReplica(copy_id="awaited", awaited=True), lambda error: None))
        orders.flush()
        assert keeper.came.acquire(timeout=DEADLINE_S)

        monkeypatch.setattr(module, "REST_AT_MOST_S", 0.0)
        orders.add(Order(pb.FetchReplica(copy_id="last", awaited=True), lambda error: None))
        orders.flush()
        assert keeper.came.acquire(timeout=DEADLINE_S)

    assert keeper.calls == [["first"], ["behind", "awaited"], ["last"]]


def test_over_emulated_links_no_order_waits_for_the_answer_to_another() -> None:
    keeper, failed = Keeper(is_plain=False), list[tuple[str, DfsError]]()
    with ThreadPoolExecutor(1) as threads:
        orders = Orders(keeper, threads)  # type: ignore[arg-type]
        for copy in ("one", "two"):
            orders.add(fetch(copy, failed))
            orders.flush()

    assert keeper.calls == [["one"], ["two"]]
    assert failed == []
