"""What can't be done to a cluster is explained, and nothing is changed. One cluster serves all the tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.errors import DfsError, InvalidName, InvalidOption, NoSuchFile, UnknownKeeper, WrongState
from dfslab.core.faults import Action

REFUSED: list[tuple[Callable[[Any], Any], type[DfsError], str]] = [
    (lambda c: (c.kill(3), c.kill(3)), WrongState, "keeper-3 is already dead"),
    (lambda c: c.restart(3), WrongState, "only a dead keeper"),
    (lambda c: c.resume(3), WrongState, "only a paused keeper"),
    (lambda c: (c.drop_heartbeats(3), c.drop_heartbeats(3)), WrongState, "heartbeats are dropped already"),
    (lambda c: c.restore_heartbeats(3), WrongState, "keeper-3's heartbeats are not dropped"),
    (lambda c: (c.fill_disk(3), c.fill_disk(3)), WrongState, "keeper-3's disk is already full; free_disk"),
    (lambda c: c.free_disk(3), WrongState, "keeper-3's disk is not full"),
    (lambda c: c.heal(), WrongState, "the network is not partitioned"),
    (lambda c: (c.kill_master(), c.kill_master()), WrongState, "master is already dead"),
    (lambda c: c.kill(9), UnknownKeeper, "no keeper 9"),
    (lambda c: c.kill(2.5), UnknownKeeper, "keeper-1, keeper-2"),
    (lambda c: c.kill("master"), UnknownKeeper, "'master'"),
    (lambda c: c.drop_heartbeats("client"), UnknownKeeper, "'client'"),
    (lambda c: c.partition([1, 2], [2, 3]), InvalidOption, "b=.*keeper-2 is on both sides"),
    (lambda c: c.partition([], [2, 3]), InvalidOption, "a=.*at least one node"),
    (lambda c: c.partition([1], 2.5), InvalidOption, "b=2.5"),
    (lambda c: c.partition([1], ["keeper-9"]), UnknownKeeper, "keeper-9"),
    (lambda c: c.set_link(1), InvalidOption, "nothing is to be changed"),
    (lambda c: c.set_link(1, rate_mb_s=-1), InvalidOption, "rate_mb_s=-1"),
    (lambda c: c.set_link(1, delay_ms="far"), InvalidOption, "delay_ms='far'"),
    (lambda c: c.set_link(1, loss=2), InvalidOption, "loss=2"),
    (lambda c: c.set_link(1, jitter_ms=2), InvalidOption, "jitter_ms=2"),
    (lambda c: c.set_link(1, link=20), InvalidOption, "link=20"),
    (lambda c: c.set_link(1, 1, delay_ms=2), InvalidOption, "other=1.*two different"),
    (lambda c: c.set_link(1, 2, rate_mb_s=2), InvalidOption, "rate_mb_s=2.*belongs to a node"),
    (lambda c: c.set_link("server", delay_ms=2), UnknownKeeper, "'server'"),
    (lambda c: c.corrupt("nothing", 1), NoSuchFile, "'nothing'"),
    (lambda c: c.corrupt("../x", 1), InvalidName, "refused"),
    (lambda c: c.restart(3, wipe="no"), InvalidOption, "wipe='no'.*True or False"),
    (lambda c: c.partition([1], [2], one_way="yes"), InvalidOption, "one_way='yes'"),
    (lambda c: c.scan_now(dry_run=1), InvalidOption, "dry_run=1"),
    (lambda c: c.wait_for_replicas(timeout_s=-1), InvalidOption, "timeout_s=-1"),
    (lambda c: c.wait_for_replicas(exactly=1), InvalidOption, "exactly=1"),
    (lambda c: c.wait_for_replicas(count=0), InvalidOption, "count=0"),
    (lambda c: c.wait_for_dead(1, timeout_s="long"), InvalidOption, "timeout_s='long'"),
    (lambda c: c.decommission(1, timeout_s=-1), InvalidOption, "timeout_s=-1"),
    (lambda c: c.restart_master(timeout_s=-1), InvalidOption, "timeout_s=-1"),
    (lambda c: c.kill(1, recovery_timeout_s=0), InvalidOption, "recovery_timeout_s=0"),
    (lambda c: c.perform("kill"), InvalidOption, "action='kill'"),
    (lambda c: c.perform(Action("kill", {"keeper": 9})), UnknownKeeper, "no keeper 9"),
    (lambda c: c.perform(Action("heal")), WrongState, "not partitioned"),
    (lambda c: c.nemesis(["explode"]), InvalidOption, "kinds=.*kill_master"),
    (lambda c: c.perform(Action("heal"), force="no"), InvalidOption, "force='no'"),
    (lambda c: c.nemesis(5), InvalidOption, "kinds=5"),
    (lambda c: c.nemesis(every_s=0), InvalidOption, "every_s=0"),
    (lambda c: c.nemesis(seed="x"), InvalidOption, "seed='x'"),
    (lambda c: c.scenario(since_s=1e9), InvalidOption, "since_s="),
    (lambda c: c.play([(1, "explode")]), InvalidOption, r"scenario\[0\].action"),
    (lambda c: c.play([(1, "set_link", 1, {"rate_mb_s": -5})]), InvalidOption, r"scenario\[0\].set_link.rate_mb_s=-5"),
    (lambda c: c.play(5), InvalidOption, "scenario=5"),
    (lambda c: c.trace.to_jsonl(None), InvalidOption, "path=None"),
    (lambda c: c.upload(b"x", "x", progress=5), InvalidOption, "progress=5"),
    (lambda c: c.play([(1, "kill", 9)]), InvalidOption, r"scenario\[0\].kill.keeper"),
]


@pytest.fixture(scope="module")
def calm() -> Iterator[Cluster]:
    with dfslab.cluster.start(n=3, name="calm", speed=4, seed=7) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The cluster of this file is shared by its tests, and closed after the last."""


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_what_can_not_be_done_is_explained(
    calm: Cluster, call: Callable[[Any], Any], kind: type[DfsError], words: str
) -> None:
    try:
        with pytest.raises(kind, match=words):
            call(calm)
    finally:
        calm.heal_all()
    assert calm._standing().broken() == {}
