"""Threads that can be killed and frozen like processes."""

import threading

import pytest

from dfslab.runtime.gate import Gate, NodeDown


def in_thread(gate: Gate) -> tuple[threading.Thread, list[str]]:
    said: list[str] = []

    def work() -> None:
        try:
            gate.check()
            said.append("passed")
        except NodeDown:
            said.append("down")

    thread = threading.Thread(target=work)
    thread.start()
    return thread, said


def test_an_open_gate_lets_everybody_pass() -> None:
    gate = Gate()
    gate.check()
    assert not gate.is_cut
    assert not gate.is_frozen


def test_a_frozen_gate_holds_whoever_comes_until_it_thaws() -> None:
    gate = Gate()
    gate.freeze()
    thread, said = in_thread(gate)

    thread.join(0.05)
    assert (thread.is_alive(), said) == (True, [])

    gate.thaw()
    thread.join(5)
    assert said == ["passed"]


def test_cutting_a_frozen_gate_ends_those_who_wait() -> None:
    gate = Gate()
    gate.freeze()
    thread, said = in_thread(gate)

    gate.cut()

    thread.join(5)
    assert said == ["down"]


def test_a_cut_gate_stays_cut_and_shuts_every_socket_once() -> None:
    gate = Gate()
    shut: list[str] = []
    gate.enter("early", lambda: shut.append("early"))
    gate.enter("left", lambda: shut.append("left"))
    gate.leave("left")

    gate.cut()
    gate.thaw()
    gate.enter("late", lambda: shut.append("late"))
    gate.cut()

    assert shut == ["early", "late"]
    with pytest.raises(NodeDown):
        gate.check()


def test_a_cut_that_was_interrupted_is_finished_by_another() -> None:
    gate, closed = Gate(), list[str]()

    def interrupt() -> None:
        raise KeyboardInterrupt

    gate.enter("first", interrupt)
    gate.enter("second", lambda: closed.append("second"))
    with pytest.raises(KeyboardInterrupt):
        gate.cut()

    gate.cut()

    assert closed == ["second"]
