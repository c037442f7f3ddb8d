"""What comes in the middle of something else: an interrupt, a kill, a pause, a close."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from dfslab.client import target
from dfslab.cluster import Cluster
from dfslab.core.errors import ClusterClosed, PortTaken, WaitTimedOut, WrongState
from dfslab.core.faults import Action
from dfslab.core.trace import Kind
from dfslab.lab import steering
from dfslab.lab.thread_nodes import ThreadKeeper
from tests.cluster.conftest import Starter, cell
from tests.cluster.test_faults import wait_for
from tests.runtime.test_network import InThread


def interrupt() -> None:
    raise KeyboardInterrupt


def interrupted_kill(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    node = cluster._nodes.running(1, "be killed")
    assert isinstance(node, ThreadKeeper)
    with monkeypatch.context() as patch:
        patch.setattr(node._data_server, "cut", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cluster.kill(1)


def test_a_download_that_is_interrupted_as_soon_as_its_file_is_made_leaves_none(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster.upload(b"x", name="a.bin")
    made: list[str] = []
    make = os.open

    def make_and_interrupt(path: Path, *how: int) -> int:
        os.close(make(path, *how))
        made.extend(os.listdir(tmp_path))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(target, "os", SimpleNamespace(**{**vars(os), "open": make_and_interrupt}))
        with pytest.raises(KeyboardInterrupt):
            cluster.download("a.bin", tmp_path)

    assert len(made) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_keeper_whose_kill_was_interrupted_can_be_restarted(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_kill(cluster, monkeypatch)

    cluster.restart(1)

    wait_for(cluster, lambda: bool(cell(cluster, "keeper-1", "is_alive")))


def test_closing_ends_a_keeper_whose_kill_was_interrupted(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_kill(cluster, monkeypatch)

    cluster.close()

    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("keeper-1-")]


def held_heartbeat(cluster: Cluster) -> InThread:
    """Ask keeper-2 for a heartbeat that a partition holds up on its way."""
    cluster.partition(2, "master")
    asked = InThread(lambda: cluster.heartbeat_now(2))
    wait_for(cluster, lambda: any("keeper-2-beat" in thread.name for thread in threading.enumerate()))
    return asked


def test_a_heartbeat_that_is_asked_for_ends_when_the_keeper_is_killed_in_its_middle(start: Starter) -> None:
    cluster = start(n=3, speed=1.0)
    asked = held_heartbeat(cluster)

    cluster.kill(2)

    assert isinstance(asked.join(), WrongState)


def test_a_heartbeat_that_is_asked_for_ends_when_the_keeper_is_paused_in_its_middle(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "HEARTBEAT_ROOM_S", 0.5)
    cluster = start(n=3)
    asked = held_heartbeat(cluster)

    cluster.pause(2)

    assert isinstance(asked.join(), WaitTimedOut)
    cluster.resume(2)


@pytest.mark.parametrize("what", ["kill", "pause"])
def test_a_restarted_master_waits_for_no_keeper_that_went_meanwhile(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    heard, gone = cluster._heard_keepers, threading.Event()

    def then_gone() -> list[str]:
        names = heard()
        if not gone.is_set():
            gone.set()
            cluster.perform(Action(what, {"keeper": names[0]}))
        return names

    cluster.kill_master()
    monkeypatch.setattr(cluster, "_heard_keepers", then_gone)

    cluster.restart_master()

    assert gone.is_set()


def test_a_master_that_does_not_come_up_is_dead_again_in_the_trace(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PortTaken(address="127.0.0.1:1")

    cluster.kill_master()
    with monkeypatch.context() as patch:
        patch.setattr(cluster._launcher, "master", refuse)
        with pytest.raises(PortTaken):
            cluster.restart_master()

    faults = [event.detail["action"] for event in cluster._recorder.events() if event.kind is Kind.FAULT]
    assert faults == ["kill", "restart", "kill"]
    cluster.restart_master()


def test_no_client_is_made_behind_the_back_of_a_close(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, closed = threading.Event(), threading.Event()
    check: Callable[[], None] = cluster._check_open

    def check_slowly() -> None:
        check()
        if not checked.is_set():
            checked.set()
            closed.wait(10.0)

    monkeypatch.setattr(cluster, "_check_open", check_slowly)
    asking = InThread(lambda: cluster.client("late"))
    assert checked.wait(10.0)

    cluster.close()
    closed.set()

    assert isinstance(asking.join(), ClusterClosed)


def test_two_who_mend_the_same_at_once_do_not_disturb_each_other(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = cluster.kill(2)
    states, both = cluster._nodes.states, threading.Barrier(2)

    def states_together() -> object:
        seen = states()
        with contextlib.suppress(threading.BrokenBarrierError):  # the other waits until this one has done it
            both.wait(0.5)
        return seen

    monkeypatch.setattr(cluster._nodes, "states", states_together)
    mending = [InThread(fault._undo) for _ in range(2)]

    assert [one.join() for one in mending] == [None, None]
