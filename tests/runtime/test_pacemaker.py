"""The pacemaker wakes many keepers from one thread, and no keeper that is held up holds up the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dfslab.runtime.pacemaker import Pacemaker

DEADLINE_S = 10.0
INTERVAL_S = 0.02


class Sleeper:
    """Is woken at regular times, and notes by whom; can be held, as by a gate."""

    def __init__(self, wakes: int = 1_000_000) -> None:
        self.woken_by: list[str] = []
        self.passes = threading.Event()
        self.passes.set()
        self.is_held = threading.Event()
        self._left = wakes
        self._next_s = time.monotonic()

    def next_wake_s(self) -> float:
        return self._next_s

    def wake(self) -> bool:
        self.is_held.set()
        assert self.passes.wait(DEADLINE_S)
        self.is_held.clear()
        self.woken_by.append(threading.current_thread().name)
        self._next_s += INTERVAL_S
        self._left -= 1
        return self._left > 0

    def wait_for_wakes(self, count: int, at_least: int = 0) -> None:
        """Return once it was woken so often from now on, and so often in all."""
        wanted, deadline = max(at_least, len(self.woken_by) + count), time.monotonic() + DEADLINE_S
        while len(self.woken_by) < wanted:
            assert time.monotonic() < deadline, f"woken {len(self.woken_by)} times, {wanted} are wanted"
            threading.Event().wait(INTERVAL_S / 4)


@pytest.fixture
def pacemaker() -> Iterator[Pacemaker]:
    pacemaker = Pacemaker(time.monotonic)
    yield pacemaker
    pacemaker.close()


def threads_of_pacemakers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("pacemaker")]


def test_many_are_woken_from_few_threads(pacemaker: Pacemaker) -> None:
    sleepers = [Sleeper() for _ in range(50)]
    for sleeper in sleepers:
        pacemaker.add(sleeper)

    sleepers[-1].wait_for_wakes(5)
    for sleeper in sleepers:
        sleeper.wait_for_wakes(0, at_least=5)

    assert len(threads_of_pacemakers()) <= 4  # one, one to take over, and what a busy machine makes of it


def test_one_that_is_held_up_holds_up_no_other_and_goes_on_by_itself(pacemaker: Pacemaker) -> None:
    held, others = Sleeper(), [Sleeper() for _ in range(5)]
    for sleeper in (held, *others):
        pacemaker.add(sleeper)
    held.wait_for_wakes(2)

    held.passes.clear()
    assert held.is_held.wait(DEADLINE_S)
    for sleeper in others:
        sleeper.wait_for_wakes(5)
    assert held.is_held.is_set()
    held.passes.set()

    held.wait_for_wakes(5)
    for sleeper in others:
        sleeper.wait_for_wakes(5)


def test_all_that_are_held_up_at_once_are_each_woken_and_all_go_on(pacemaker: Pacemaker) -> None:
    sleepers = [Sleeper() for _ in range(10)]
    for sleeper in sleepers:
        sleeper.passes.clear()
        pacemaker.add(sleeper)

    for sleeper in sleepers:
        assert sleeper.is_held.wait(DEADLINE_S)
    for sleeper in sleepers:
        sleeper.passes.set()

    for sleeper in sleepers:
        sleeper.wait_for_wakes(3)


def test_one_that_comes_while_the_only_other_is_held_up_is_woken(pacemaker: Pacemaker) -> None:
    """There was nobody else to wake when that one was woken, and so no thread to take over."""
    held, other = Sleeper(), Sleeper()
    held.passes.clear()
    pacemaker.add(held)
    assert held.is_held.wait(DEADLINE_S)

    pacemaker.add(other)
    try:
        other.wait_for_wakes(3)
    finally:
        held.passes.set()


def test_one_that_has_ended_is_not_woken_again(pacemaker: Pacemaker) -> None:
    ending, other = Sleeper(wakes=3), Sleeper()
    pacemaker.add(ending)
    pacemaker.add(other)

    other.wait_for_wakes(10)

    assert len(ending.woken_by) == 3


def test_one_that_is_taken_out_is_not_awake_any_more(pacemaker: Pacemaker) -> None:
    sleeper, other = Sleeper(), Sleeper()
    pacemaker.add(sleeper)
    pacemaker.add(other)
    sleeper.passes.clear()
    assert sleeper.is_held.wait(DEADLINE_S)
    threading.Timer(INTERVAL_S, sleeper.passes.set).start()

    pacemaker.remove(sleeper, DEADLINE_S)

    assert not sleeper.is_held.is_set()
    woken = len(sleeper.woken_by)
    other.wait_for_wakes(5)
    assert len(sleeper.woken_by) == woken


def test_closing_leaves_no_thread() -> None:
    before = threads_of_pacemakers()
    pacemaker = Pacemaker(time.monotonic)
    sleepers = [Sleeper() for _ in range(5)]
    for sleeper in sleepers:
        pacemaker.add(sleeper)
        sleeper.wait_for_wakes(1)

    pacemaker.close()

    assert threads_of_pacemakers() == before
