"""Calls of many threads that go together: one at a time, each with its own answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dfslab.core.errors import DfsError, NoSuchFile
from dfslab.runtime import together as module
from dfslab.runtime.together import MOST, Together
from tests.cli.by_hand import wait_for

DEADLINE_S = 20.0


class Slow:
    """A server whose calls wait until they are let through; it keeps what each of them carried."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.began = threading.Semaphore(0)
        self.may_answer = threading.Semaphore(0)

    def send(self, requests: Sequence[int]) -> list[str | DfsError]:
        """Answer each number with its text, and an odd one with an error."""
        self.calls.append(list(requests))
        self.began.release()
        assert self.may_answer.acquire(timeout=DEADLINE_S)
        return [NoSuchFile(name=str(one)) if one % 2 else str(one) for one in requests]


def test_what_comes_while_a_call_is_under_way_shares_the_next_one_and_each_gets_its_own_answer() -> None:
    server = Slow()
    together = Together(server.send)
    with ThreadPoolExecutor(MOST + 2) as pool:
        first = pool.submit(together.call, 0)
        assert server.began.acquire(timeout=DEADLINE_S)
        rest = [pool.submit(together.call, number) for number in range(1, MOST + 1)]
        while len(together._queue) < MOST:  # they come while the first is under way
            assert not first.done()
        server.may_answer.release(2)
        answers = [one.exception(DEADLINE_S) or one.result() for one in [first, *rest]]

    assert [len(call) for call in server.calls] == [1, MOST]
    assert answers[0] == "0"
    for number, answer in enumerate(answers):
        assert answer == str(number) or (number % 2 and isinstance(answer, NoSuchFile))


def test_after_a_call_the_next_one_waits_for_company_until_somebody_is_in_a_hurry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REST_S", 10 * DEADLINE_S)
    sent: list[list[int]] = []

    def send(requests: Sequence[int]) -> list[int | DfsError]:
        sent.append(list(requests))
        return list(requests)

    together = Together[int, int](send)
    assert together.call(1, hurries=False) == 1, "nothing was sent before: it goes at once"
    with ThreadPoolExecutor(2) as threads:
        patient = [threads.submit(together.call, number, hurries=False) for number in (2, 3)]
        wait_for("both in the queue", lambda: len(together._queue) == 2)
        assert sent == [[1]]

        assert together.call(4) == 4
        assert sorted(future.result(DEADLINE_S) for future in patient) == [2, 3]

    assert sent[0] == [1]
    assert sorted(sent[1]) == [2, 3, 4]


def test_a_call_that_fails_fails_for_all_that_it_carried_and_the_next_one_works() -> None:
    fails = [True]

    def send(requests: Sequence[int]) -> list[str]:
        if fails.pop():
            raise NoSuchFile(name="all")
        return ["well"] * len(requests)

    together = Together[int, str](send)
    with pytest.raises(NoSuchFile, match="all"):
        together.call(1)
    fails.append(False)

    assert together.call(2) == "well"


def test_a_call_carries_no_more_bytes_than_it_should_beyond_its_first_request() -> None:
    server = Slow()
    together = Together(server.send, size_of=lambda number: 900_000)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(together.call, 0)]
        assert server.began.acquire(timeout=DEADLINE_S)
        futures += [pool.submit(together.call, number) for number in (2, 4, 6)]
        while len(together._queue) < 3:
            assert not futures[0].done()
        server.may_answer.release(4)
        assert sorted(one.result(DEADLINE_S) for one in futures) == ["0", "2", "4", "6"]

    assert [len(call) for call in server.calls] == [1, 2, 1]
