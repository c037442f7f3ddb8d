"""Acts that are due a moment later: carried out in order, or called off, and no thread is left over."""

from __future__ import annotations

import threading
import time

import pytest

from dfslab.client.later import Later

DEADLINE_S = 20.0


def test_an_act_is_carried_out_unless_it_is_called_off() -> None:
    later, done, over = Later(0.02), list[int](), threading.Event()
    later.act(lambda: done.append(1))
    call_off = later.act(lambda: done.append(2))
    later.act(lambda: done.append(3))
    later.act(over.set)
    call_off()

    assert over.wait(DEADLINE_S)
    assert done == [1, 3]
    later.close()


def test_the_thread_ends_when_nothing_is_due_and_comes_back_for_the_next_act() -> None:
    later, over = Later(0.01), threading.Event()
    later.act(over.set)
    thread = later._thread
    assert thread is not None
    assert over.wait(DEADLINE_S)
    thread.join(DEADLINE_S)
    assert not thread.is_alive()

    again = threading.Event()
    later.act(again.set)
    assert again.wait(DEADLINE_S)
    later.close()


def test_closing_calls_everything_off_and_ends_the_thread() -> None:
    later, done = Later(DEADLINE_S), list[int]()
    later.act(lambda: done.append(1))
    thread = later._thread
    assert thread is not None
    later.close()

    assert not thread.is_alive()
    later.act(lambda: done.append(2))
    later.close()
    assert done == []


def test_what_was_called_off_wakes_the_thread_once_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    later, over, waits = Later(0.2), threading.Event(), list[float | None]()
    wait = later._changed.wait

    def waiting(left_s: float | None) -> bool:
        waits.append(left_s)
        return wait(left_s)

    monkeypatch.setattr(later._changed, "wait", waiting)
    for _ in range(100):
        later.act(lambda: None)()
        time.sleep(0.001)
    later.act(over.set)

    assert over.wait(DEADLINE_S)
    assert len(waits) < 10
    later.close()
