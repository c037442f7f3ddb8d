"""Turns at moving bytes: few at a time, in order, and nobody waits for one whose peer is frozen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from dfslab.runtime import turns as module
from dfslab.runtime.turns import COPY_STRETCH_BYTES, STRETCH_BYTES, Turns
from tests.cli.by_hand import wait_for

LONG_S = 30.0


@pytest.fixture(autouse=True)
def never_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn does not count as idle here, however slow the machine is, unless a test says so."""
    monkeypatch.setattr(module.Turn, "is_idle", lambda self, now: False)


class Crowd:
    """Threads that want a turn each, and hold it until they are told."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.began, self.threads = turns, list[int](), list[threading.Thread]()
        self.may_end: dict[int, threading.Event] = {}

    def want(self, number: int, *, is_copy: bool = False) -> None:
        """Start one, and wait until it has its turn or is in the queue."""
        self.may_end[number] = threading.Event()

        def work() -> None:
            with self.turns.turn(is_copy=is_copy):
                self.began.append(number)
                assert self.may_end[number].wait(LONG_S)

        before = self._seen()
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()
        wait_for("its place", lambda: self._seen() > before)

    def _seen(self) -> int:
        return len(self.began) + self.turns.waiting()

    def end(self, *numbers: int) -> None:
        for number in numbers:
            self.may_end[number].set()

    def has_begun(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.began) >= count

    def join(self) -> None:
        for thread in self.threads:
            thread.join(LONG_S)
            assert not thread.is_alive()


def test_only_so_many_have_a_turn_and_the_others_get_it_in_the_order_they_came() -> None:
    crowd = Crowd(Turns(at_once=3))
    for number in range(6):
        crowd.want(number)
    assert crowd.began == [0, 1, 2]

    for number in range(6):
        crowd.end(number)
        wait_for("the next", crowd.has_begun(min(6, number + 4)))

    crowd.join()
    assert crowd.began == [0, 1, 2, 3, 4, 5]


def test_while_a_crowd_waits_there_is_one_turn_less() -> None:
    crowd = Crowd(Turns(at_once=3))
    for number in range(7):
        crowd.want(number)
    assert crowd.began == [0, 1, 2]

    crowd.end(0)
    crowd.want(7)
    assert crowd.began == [0, 1, 2], "five wait for two places"

    crowd.end(1)
    wait_for("the first of the crowd", crowd.has_begun(4))
    crowd.end(*range(2, 8))
    crowd.join()
    assert crowd.began == list(range(8))


def test_a_turn_in_which_nothing_moves_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper at the other end of it is frozen: the download's other chunks go on."""
    crowd = Crowd(Turns(at_once=1))
    crowd.want(0)
    crowd.want(1)
    assert crowd.began == [0]

    monkeypatch.setattr(module.Turn, "is_idle", lambda self, now: True)
    wait_for("the other one", crowd.has_begun(2))

    crowd.end(0, 1)
    crowd.join()


def test_after_a_long_stretch_a_transfer_lets_those_go_first_who_wait() -> None:
    """A copy of a large file does not keep a reader waiting until it is whole."""
    crowd = Crowd(Turns(at_once=1))
    with crowd.turns.turn() as long:
        crowd.want(0)
        long.moved(STRETCH_BYTES - 1)
        assert crowd.began == []
        crowd.end(0)

        long.moved(1)

        wait_for("the one that waits", crowd.has_begun(1))
    crowd.join()


def test_copies_go_one_at_a_time_while_a_client_is_there_and_all_together_when_it_is_gone() -> None:
    """A repair is not what a reader notices, and does not stand still either."""
    crowd = Crowd(Turns(at_once=2))
    crowd.want(0)
    for copy in (10, 11, 12):
        crowd.want(copy, is_copy=True)
    crowd.want(1)
    assert crowd.began == [0, 10, 1]

    crowd.end(0, 1)
    crowd.want(2)
    wait_for("the next client", crowd.has_begun(4))
    assert crowd.began == [0, 10, 1, 2]
    crowd.end(2, 10, 11, 12)

    crowd.join()
    assert crowd.began == [0, 10, 1, 2, 11, 12]


def test_a_copy_rests_three_times_as_long_as_its_stretch_took_while_a_client_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    crowd = Crowd(Turns(at_once=2))
    with crowd.turns.turn():
        with crowd.turns.turn(is_copy=True):
            now[0] += 0.010
        crowd.want(10, is_copy=True)
        now[0] += 0.029
        assert crowd.began == []

        now[0] += 0.002
        wait_for("the copy", crowd.has_begun(1))
        crowd.end(10)
    crowd.join()


def test_copies_have_all_turns_once_no_client_moves_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd(Turns(at_once=2))
    with crowd.turns.turn() as client:
        crowd.want(10, is_copy=True)
        crowd.want(11, is_copy=True)
        assert crowd.began == [10]

    monkeypatch.setattr(module.Turn, "is_idle", lambda self, now: self is client)
    wait_for("the second copy", crowd.has_begun(2))

    crowd.end(10, 11)
    crowd.join()


def test_a_client_that_comes_gets_a_copys_turn_after_a_short_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd(Turns(at_once=2))
    monkeypatch.setattr(module.Turn, "is_idle", lambda self, now: self not in crowd.turns._taken)
    with crowd.turns.turn(is_copy=True) as first, crowd.turns.turn(is_copy=True) as second:
        crowd.want(0)
        assert crowd.began == [0]
        crowd.want(1)
        assert crowd.began == [0]
        crowd.end(0, 1)
        first.moved(COPY_STRETCH_BYTES)
        wait_for("the second client", crowd.has_begun(2))
        second.moved(1)
    crowd.join()


def test_copies_do_not_make_room_for_each_other() -> None:
    """One that is done early is of use early; all of them half done are of none."""
    crowd = Crowd(Turns(at_once=1))
    with crowd.turns.turn(is_copy=True) as first:
        crowd.want(10, is_copy=True)
        first.moved(10 * COPY_STRETCH_BYTES)
        assert crowd.began == []
    wait_for("the other copy", crowd.has_begun(1))
    crowd.end(10)
    crowd.join()


def test_a_stretch_that_nobody_waits_for_goes_on() -> None:
    with Turns(at_once=1).turn() as turn:
        turn.moved(10 * STRETCH_BYTES)


def test_a_transfer_that_fails_gives_its_turn_back() -> None:
    turns = Turns(at_once=1)
    with pytest.raises(ConnectionError), turns.turn():
        raise ConnectionError

    with turns.turn():
        pass
