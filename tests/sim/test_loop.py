"""Virtual time: what happens when, and processes that can be ended and frozen where they wait."""

from __future__ import annotations

import pytest

from dfslab.sim.loop import Loop, Process, Promise
from dfslab.sim.node import Life


def run(loop: Loop, until: float) -> None:
    loop.at(until, lambda: None)
    while loop.now < until:
        loop.step()


def test_what_happens_at_the_same_moment_happens_in_the_order_it_was_asked_for() -> None:
    loop, seen = Loop(), list[str]()
    for name in ("first", "second", "third"):
        loop.at(1.0, seen.append, name)
    loop.at(0.5, seen.append, "before")

    run(loop, 2.0)

    assert seen == ["before", "first", "second", "third"]


def test_a_process_sleeps_and_waits_for_promises() -> None:
    loop, promise, seen = Loop(), Promise(), list[tuple[float, object]]()

    def process() -> Process:
        yield 1.5
        seen.append((loop.now, "slept"))
        value = yield promise
        seen.append((loop.now, value))
        return "done"

    ended = Life(loop, "n").spawn(process())
    loop.at(4.0, promise.keep, "value")
    run(loop, 5.0)

    assert seen == [(1.5, "slept"), (4.0, "value")]
    assert ended.value == "done"


def test_a_broken_promise_raises_where_it_is_waited_for() -> None:
    loop, promise = Loop(), Promise()

    def process() -> Process:
        with pytest.raises(ValueError, match="gone"):
            yield promise
        return "went on"

    ended = Life(loop, "n").spawn(process())
    promise.fail(ValueError("gone"))

    assert ended.value == "went on"


def test_of_a_life_that_has_ended_nothing_runs_any_more() -> None:
    loop, seen = Loop(), list[str]()
    life = Life(loop, "n")

    def process() -> Process:
        try:
            yield 1.0
            seen.append("ran")
        finally:
            seen.append("closed")

    life.spawn(process())
    life.after(1.0, seen.append, "timer")
    life.end()
    run(loop, 2.0)

    assert seen == ["closed"]


def test_a_frozen_life_goes_on_in_order_once_it_is_thawed() -> None:
    """FAULTS 21: SIGSTOP, then SIGCONT."""
    loop, seen = Loop(), list[tuple[float, str]]()
    life = Life(loop, "n")
    for at, name in ((1.0, "a"), (2.0, "b")):
        life.after(at, lambda name=name: seen.append((loop.now, name)))
    life.freeze()
    loop.at(5.0, life.thaw)
    run(loop, 6.0)

    assert seen == [(5.0, "a"), (5.0, "b")]


def test_an_error_of_which_nobody_hears_ends_the_simulation() -> None:
    loop = Loop()

    def process() -> Process:
        yield 1.0
        raise KeyError("a bug of ours")

    Life(loop, "n").start(process())

    with pytest.raises(KeyError):
        run(loop, 2.0)
