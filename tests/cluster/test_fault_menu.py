"""The whole menu of faults: each leaves its line in the trace, undoes itself, and explains what can't be done."""

import copy
import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.errors import (
    ClusterClosed,
    DfsError,
    InvalidOption,
    NoSuchReplica,
    TooManyFaults,
    WaitTimedOut,
    WrongState,
)
from dfslab.core.faults import Action
from dfslab.core.trace import Kind, TraceEvent
from tests.cluster.conftest import Starter
from tests.cluster.test_faults import FirstOnlyFrom, content, stored, wait_for


def faults(cluster: Cluster) -> list[TraceEvent]:
    return [event for event in cluster._recorder.events() if event.kind is Kind.FAULT]


def broken(cluster: Cluster) -> list[str]:
    return list(cluster._standing().broken())


# -- each fault, its line in the trace, and its way back ----------------------------------------

EACH: list[tuple[Callable[[Cluster], Any], str, dict[str, Any], str]] = [
    (lambda c: c.kill(2), "keeper-2", {"action": "kill"}, "restart"),
    (lambda c: c.pause("keeper-2"), "keeper-2", {"action": "pause"}, "resume"),
    (lambda c: c.kill_master(), "master", {"action": "kill"}, "restart"),
    (lambda c: c.fill_disk(2), "keeper-2", {"action": "fill_disk"}, "free_disk"),
    (lambda c: c.drop_heartbeats(2), "keeper-2", {"action": "drop_heartbeats"}, "restore_heartbeats"),
    (
        lambda c: c.partition([1, "keeper-1"], ["client", 3], one_way=True),
        "",
        {"action": "partition", "a": ["keeper-1"], "b": ["client", "keeper-3"], "one_way": True},
        "heal",
    ),
    (
        lambda c: c.set_link(2, delay_ms=3, loss=0.01),
        "keeper-2",
        {"action": "set_link", "rate_mb_s": None, "delay_ms": 3, "jitter_ms": 0.0, "loss": 0.01},
        "set_link",
    ),
    (
        lambda c: c.set_link(2, "client", delay_ms=3),
        "client",
        {
            "action": "set_link",
            "other": "keeper-2",
            "rate_mb_s": None,
            "delay_ms": 3,
            "jitter_ms": 0.0,
            "loss": 0.0,
        },
        "set_link",
    ),
]


@pytest.mark.parametrize(
    ("begin", "peer", "detail", "end"), EACH, ids=lambda value: "does" if callable(value) else str(value)[:60]
)
def test_a_fault_leaves_one_line_and_leaving_the_block_undoes_it(
    cluster: Cluster, begin: Callable[[Cluster], Any], peer: str, detail: dict[str, Any], end: str
) -> None:
    with begin(cluster) as fault:
        (event,) = faults(cluster)
        assert (event.node, event.peer, event.detail) == ("lab", peer, detail)
        assert fault.event == event.id
        assert cluster.scenario()[0].action == Action.from_event(event)

    after = faults(cluster)
    assert [one.detail["action"] for one in after] == [detail["action"], end]
    assert end != "set_link" or after[1].detail["restored"] is True
    assert broken(cluster) == []
    assert cluster._standing().links == ()


def test_what_a_fault_returns_is_still_the_name_of_its_node(cluster: Cluster) -> None:
    fault = cluster.kill(3)

    assert fault == "keeper-3"
    assert repr(fault) == "'keeper-3'"
    assert json.dumps({"killed": fault}) == '{"killed": "keeper-3"}'
    for again in (pickle.loads(pickle.dumps(fault)), copy.deepcopy(fault)):
        assert again == "keeper-3"
        assert type(again) is str
    assert cluster.partition([1], [2, 3]) == "keeper-1 | keeper-2, keeper-3"
    assert cluster.set_link("client", 1, delay_ms=1) == "client/keeper-1"


def test_leaving_the_block_waits_until_the_keeper_is_back_and_every_file_has_its_copies(cluster: Cluster) -> None:
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]

    with cluster.kill(victim) as name:
        cluster.wait_for_dead(name)

    table = cluster.keepers().set_index("keeper")
    assert table.loc[victim, "is_alive"]
    assert len(cluster.stat("clip").holders) >= 3
    assert cluster.download("clip").path.read_bytes() == data


def test_what_was_mended_in_the_body_is_left_alone(cluster: Cluster) -> None:
    with cluster.kill(1), cluster.pause(2), cluster.fill_disk(3), cluster.drop_heartbeats(3), cluster.partition(1, 2):
        cluster.restart(1)
        cluster.resume(2)
        cluster.free_disk(3)
        cluster.restore_heartbeats(3)
        cluster.heal()
        before = len(faults(cluster))

    assert len(faults(cluster)) == before


def test_the_error_of_the_body_goes_on_and_the_fault_is_undone_without_waiting(cluster: Cluster) -> None:
    with pytest.raises(ZeroDivisionError), cluster.kill(3, recovery_timeout_s=1e-9):
        raise ZeroDivisionError

    assert broken(cluster) == []


def test_an_error_while_mending_is_added_to_that_of_the_body(cluster: Cluster) -> None:
    fault = cluster.kill(3)
    cluster.kill_master()
    with pytest.raises(ZeroDivisionError) as caught, fault:
        raise ZeroDivisionError

    assert "keeper-3 could not be mended" in caught.value.__notes__[0]
    assert "restart_master()" in caught.value.__notes__[0]


def test_a_recovery_that_takes_too_long_names_what_is_missing(start: Starter) -> None:
    cluster = start(repair="scan", replication_interval_s=3600)
    stored_on_one = cluster.upload(b"x" * 1000, name="clip").holders[0]

    with (
        pytest.raises(WaitTimedOut, match=r"'clip' has 1 of 3 live copies"),
        cluster.pause(stored_on_one, recovery_timeout_s=0.2),
    ):
        pass
    assert broken(cluster) == []


def test_blocks_may_be_nested_and_the_inner_one_waits_only_for_what_can_be(start: Starter) -> None:
    cluster = start(n=3)
    data = stored(cluster)

    with cluster.kill(1):
        with cluster.pause(2):
            assert broken(cluster) == ["keeper-1", "keeper-2"]
        assert broken(cluster) == ["keeper-1"]
        with cluster.kill_master(), cluster.fill_disk(3):
            pass
    cluster.wait_for_replicas("clip", count=3)
    assert cluster.download("clip").path.read_bytes() == data


def test_inside_a_partition_between_keepers_a_block_does_not_wait_for_copies_that_nobody_misses(start: Starter) -> None:
    cluster = start(n=4)
    stored(cluster)
    cluster.wait_for_replicas()
    holder = cluster.stat("clip").holders[0]
    others = [keeper for keeper in cluster.keepers().keeper if keeper != holder]

    with cluster.partition(holder, others), cluster.fill_disk(1, recovery_timeout_s=5):
        pass


def test_one_of_two_partitions_is_healed_and_the_other_stands(cluster: Cluster) -> None:
    with cluster.partition([1], [2]):
        with cluster.partition([3], [4]):
            pass
        assert cluster._network.is_cut("keeper-1", "keeper-2")
        assert not cluster._network.is_cut("keeper-3", "keeper-4")
    assert not cluster._network.is_cut("keeper-1", "keeper-2")


def test_a_cluster_closed_in_the_body_needs_no_mending(start: Starter) -> None:
    cluster = start()
    with cluster.kill(1), cluster.partition([1], [2]), cluster.kill_master():
        cluster.close()
    assert cluster.closed


def test_a_decommissioned_keeper_takes_no_part_any_more(cluster: Cluster) -> None:
    cluster.decommission(4)

    calls: tuple[Callable[[], object], ...] = (
        lambda: cluster.drop_heartbeats(4),
        lambda: cluster.partition([4], [1]),
        lambda: cluster.set_link(4, delay_ms=1),
        lambda: cluster.fill_disk(4),
        lambda: cluster.kill(4),
        lambda: cluster.restart(4),
        lambda: cluster.heartbeat_now(4),
    )
    for call in calls:
        with pytest.raises(WrongState, match=r"decommissioned; .*add_keeper\(\) starts another"):
            call()
    cluster.heal_all()


# -- corrupt ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["bitflip", "truncate", "swap"])
def test_a_corrupt_replica_is_served_found_by_a_reader_and_replaced(cluster: Cluster, how: str) -> None:
    data = stored(cluster, 3_000_000)
    holder = cluster.stat("clip").holders[0]
    path = cluster.root / holder / "replicas" / f"{cluster.stat('clip').version}.data"

    cluster.corrupt("clip", holder, how=how)

    (event,) = faults(cluster)
    assert (event.peer, event.file_name, event.version) == (holder, "clip", cluster.stat("clip").version)
    assert event.detail["how"] == how
    assert path.read_bytes() != data
    assert broken(cluster) == [holder]
    assert cluster.download("clip", scheduler=WholeFrom(holder)).path.read_bytes() == data
    cluster.wait_for_replicas("clip")
    wait_for(cluster, lambda: broken(cluster) == [])
    for row in cluster.lookup_table().query("state == 'valid'").itertuples():
        assert Path(str(row.file_path)).read_bytes() == data


class WholeFrom(FirstOnlyFrom):
    """Lets one keeper serve alone until a chunk of it has come back."""

    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):  # type: ignore[no-untyped-def]
        self.until = self.until or now + 5.0
        return waiting[0] if waiting and (keeper == self.keeper or now > self.until) else None


def test_damaged_checksums_are_found_when_the_keeper_is_started_again(cluster: Cluster) -> None:
    data = stored(cluster, 300_000)
    holder = cluster.stat("clip").holders[0]

    cluster.corrupt("clip", holder, how="checksum")
    assert cluster.download("clip").path.read_bytes() == data
    cluster.kill(holder)
    cluster.restart(holder)

    assert any(event.kind is Kind.REPLICA_CORRUPT for event in cluster._recorder.events())
    cluster.wait_for_replicas("clip")


def test_leaving_the_block_has_the_damage_found_though_there_is_no_spare_keeper(start: Starter) -> None:
    cluster = start(n=3)
    data = stored(cluster, 300_000)

    with cluster.corrupt("clip", 2):
        assert broken(cluster) == ["keeper-2"]

    assert len(cluster.stat("clip").holders) == 3
    for row in cluster.lookup_table().itertuples():
        assert Path(str(row.file_path)).read_bytes() == data


def test_what_can_not_be_corrupted_is_explained(cluster: Cluster) -> None:
    stored(cluster, 1000)
    cluster.upload(b"", name="empty")
    cluster.wait_for_replicas()
    (other,) = {f"keeper-{number}" for number in range(1, 5)} - set(cluster.stat("clip").holders)
    holder = cluster.stat("empty").holders[0]

    with pytest.raises(NoSuchReplica, match=f"{other} holds no replica .*'clip'"):
        cluster.corrupt("clip", other)
    with pytest.raises(InvalidOption, match=r"how='burn'.*bitflip, truncate, swap, checksum"):
        cluster.corrupt("clip", cluster.stat("clip").holders[0], how="burn")
    with pytest.raises(InvalidOption, match="the file is empty"):
        cluster.corrupt("empty", holder)
    assert faults(cluster) == []


def test_the_same_seed_damages_the_same_place(start: Starter) -> None:
    offsets = []
    for _ in range(2):
        cluster = start(n=3, seed=5)
        stored(cluster, 1_000_000)
        cluster.corrupt("clip", 1)
        offsets.append(faults(cluster)[0].detail["offset"])
        cluster.close()

    assert offsets[0] == offsets[1]


# -- full disks ---------------------------------------------------------------------------------


def test_an_upload_goes_to_another_keeper_when_a_disk_is_full_and_after_a_restart_too(start: Starter) -> None:
    cluster = start(n=4)
    data = stored(cluster, 100_000)
    for keeper in (1, 2, 3):
        cluster.fill_disk(keeper)

    assert cluster.upload(data, name="second").holders == ("keeper-4",)
    cluster.kill(1)
    cluster.restart(1)
    assert cluster.upload(data, name="third").holders == ("keeper-4",)

    assert cluster._standing().full == ("keeper-1", "keeper-2", "keeper-3")
    assert cluster.download("clip").path.read_bytes() == data
    cluster.heal_all()
    cluster.wait_for_recovery()
    assert len(cluster.stat("third").holders) == 3


def test_a_disk_that_fills_up_in_the_middle_of_an_upload_sends_it_elsewhere(cluster: Cluster) -> None:
    data = content(20_000_000)
    filled: list[str] = []

    def fill(done: int, total: int) -> None:
        if not filled and done < total:
            granted = [event for event in cluster._recorder.events() if event.kind is Kind.SLOT_GRANTED]
            filled.append(cluster.fill_disk(granted[-1].detail["keeper"]))

    info = cluster.upload(data, name="clip", progress=fill)

    assert filled
    assert filled[0] not in info.holders
    retried = next(event for event in cluster._recorder.events() if event.kind is Kind.UPLOAD_RETRIED)
    assert "the disk is full" in str(dict(retried.detail))
    assert cluster.download("clip").path.read_bytes() == data
    assert list(cluster.root.glob(f"{filled[0]}/replicas/*")) == []


# -- links --------------------------------------------------------------------------------------


def test_only_what_is_given_changes_and_none_means_no_limit(start: Starter) -> None:
    cluster = start(n=3, link=dfslab.Link(rate_mb_s=20, delay_ms=4))

    cluster.set_link(1, jitter_ms=2)
    assert cluster._network.link("keeper-1") == dfslab.Link(rate_mb_s=20, delay_ms=4, jitter_ms=2)
    cluster.set_link(1, rate_mb_s=None)
    assert cluster._network.link("keeper-1") == dfslab.Link(delay_ms=4, jitter_ms=2)
    cluster.set_link(1, link=dfslab.Link(rate_mb_s=5), loss=0.5)
    assert cluster._network.link("keeper-1") == dfslab.Link(rate_mb_s=5, loss=0.5)
    cluster.set_link(1, link=None)
    assert cluster._network.link("keeper-1") == dfslab.Link(rate_mb_s=20, delay_ms=4)
    assert [event.detail.get("restored", False) for event in faults(cluster)] == [False, False, False, True]


def test_a_pair_begins_with_what_both_links_make_and_ends_so(start: Starter) -> None:
    cluster = start(n=3, link=dfslab.Link(delay_ms=4))

    with cluster.set_link(2, 1, loss=0.25):
        assert cluster._network.pair("keeper-1", "keeper-2") == dfslab.Link(delay_ms=8, loss=0.25)
        cluster.set_link(1, 2, delay_ms=9)
        assert cluster._network.pair("keeper-1", "keeper-2") == dfslab.Link(delay_ms=9, loss=0.25)
        assert {event.peer for event in faults(cluster)} == {"keeper-1"}
    assert cluster._network.pair("keeper-1", "keeper-2") is None


def test_the_links_in_force_are_a_table(start: Starter) -> None:
    cluster = start(n=2, replicas=2, link=dfslab.Link(rate_mb_s=20))
    cluster.set_link("client", rate_mb_s=30)
    cluster.set_link("master", 2, delay_ms=5)

    table = cluster.links()

    assert list(table.columns) == ["node", "other", "rate_mb_s", "delay_ms", "jitter_ms", "loss", "changed"]
    assert [tuple(row) for row in table.itertuples(index=False)] == [
        ("keeper-1", "", 20.0, 0.0, 0.0, 0.0, False),
        ("keeper-2", "", 20.0, 0.0, 0.0, 0.0, False),
        ("master", "", float("inf"), 0.0, 0.0, 0.0, False),
        ("client", "", 30.0, 0.0, 0.0, 0.0, True),
        ("keeper-2", "master", float("inf"), 5.0, 0.0, 0.0, True),
    ]


# -- performing, mending ------------------------------------------------------------------------


def test_an_action_does_what_the_method_does_but_not_more_than_the_replicas_stand(cluster: Cluster) -> None:
    assert cluster.perform(Action("kill", {"keeper": 1})) == "keeper-1"
    assert cluster.perform(Action("drop_heartbeats", {"keeper": "keeper-2"})) == "keeper-2"

    with pytest.raises(TooManyFaults, match=r"keeper-1 \(dead\), keeper-2 \(heartbeats dropped\), keeper-3 \(paused\)"):
        cluster.perform(Action("pause", {"keeper": 3}))

    assert broken(cluster) == ["keeper-1", "keeper-2"]
    cluster.perform(Action("pause", {"keeper": 3}), force=True)
    cluster.perform(Action("restart", {"keeper": 1, "wipe": True}))
    assert broken(cluster) == ["keeper-2", "keeper-3"]
    cluster.heal_all()


def test_everything_is_mended_at_once(cluster: Cluster) -> None:
    data = stored(cluster)
    cluster.corrupt("clip", cluster.stat("clip").holders[0])
    cluster.kill(1)
    cluster.pause(2)
    cluster.fill_disk(3)
    cluster.drop_heartbeats(3)
    cluster.kill_master()
    cluster.partition([4], ["master", "client"])
    cluster.set_link(4, delay_ms=2)
    cluster.set_link(4, "client", delay_ms=2)

    cluster.heal_all()
    cluster.wait_for_recovery()

    standing = cluster._standing()
    assert standing == type(standing)(keepers=standing.keepers)
    assert cluster.download("clip").path.read_bytes() == data
    before = len(faults(cluster))
    cluster.heal_all()
    assert len(faults(cluster)) == before


def test_a_scenario_is_recorded_and_played_in_lesson_time(start: Starter) -> None:
    cluster = start(speed=20, heartbeat_timeout_s=60)
    playing = cluster.play([(0, "kill", 3), (4, "restart", 3), (4, "add_keeper"), (6, "pause", 5), (8, "resume", 5)])

    assert playing.done == 5
    recorded = cluster.scenario()
    assert [step.action.kind for step in recorded] == ["kill", "restart", "add_keeper", "pause", "resume"]
    times = [step.time_s - recorded[0].time_s for step in recorded]
    assert times[1] > 3
    assert times[4] > 7
    assert times[4] < 60, "the times of lesson time must not be those of the wall"

    since = cluster.now_s
    cluster.kill(1)
    (step,) = cluster.scenario(since_s=since)
    assert step.action == Action("kill", {"keeper": "keeper-1"})
    assert step.time_s < recorded[0].time_s + since * 20
    cluster.restart(1)


def test_nothing_is_done_of_a_scenario_that_is_wrong_in_its_end(cluster: Cluster) -> None:
    with pytest.raises(InvalidOption, match=r"scenario\[1\]"):
        cluster.play([(0, "kill", 3), (1, "kill", 77)])

    assert faults(cluster) == []


def test_a_step_that_fails_ends_the_scenario_and_is_named(cluster: Cluster) -> None:
    with pytest.raises(WrongState) as caught:
        cluster.play([(0, "kill", 3), (0.1, "kill", 3), (0.2, "restart", 3)])

    assert caught.value.__notes__ == ["in scenario[1], 0.1 s  cluster.kill(3)"]
    assert broken(cluster) == ["keeper-3"]


def test_a_scenario_is_guarded_unless_it_is_forced(cluster: Cluster) -> None:
    steps = [(0, "pause", 1), (0, "pause", 2), (0, "pause", 3)]

    with pytest.raises(TooManyFaults):
        cluster.play(steps)
    cluster.heal_all()
    cluster.play(steps, force=True)

    assert broken(cluster) == ["keeper-1", "keeper-2", "keeper-3"]
    cluster.heal_all()


def test_a_scenario_may_be_played_beside_and_stopped(cluster: Cluster) -> None:
    with cluster.play([(0, "pause", 1), (3600, "resume", 1)], wait=False) as playing:
        wait_for(cluster, lambda: playing.done == 1)
        assert repr(playing) == "<dfslab scenario, playing: 1 of 2 steps done>"
        with pytest.raises(WaitTimedOut, match="resume"):
            playing.join(timeout_s=0.01)

    assert not playing.is_running
    assert broken(cluster) == ["keeper-1"]
    cluster.heal_all()


def test_closing_the_cluster_ends_what_is_played_and_whoever_waits_hears_of_it(start: Starter) -> None:
    cluster = start()
    playing = cluster.play([(0, "pause", 1), (3600, "resume", 1)], wait=False)
    wait_for(cluster, lambda: playing.done == 1)

    cluster.close()

    assert not playing.is_running
    playing.stop()
    with pytest.raises(ClusterClosed):
        playing.join()


# -- the nemesis --------------------------------------------------------------------------------


def test_files_survive_a_nemesis_and_everything_is_mended_when_it_stops(start: Starter) -> None:
    cluster = start(n=6)
    data = stored(cluster, 1_000_000)

    with cluster.nemesis(every_s=0.3, seed=7) as nemesis:
        wait_for(cluster, lambda: len(nemesis.actions) >= 20, timeout_s=60)

    assert not nemesis.is_running
    standing = cluster._standing()
    assert standing == type(standing)(keepers=standing.keepers)
    assert cluster.download("clip").path.read_bytes() == data
    done = [step.action.kind for step in nemesis.actions]
    assert [event.detail["action"] for event in faults(cluster)][: len(done)] == [
        kind.removesuffix("_master") for kind in done
    ]
    assert "stopped" in repr(nemesis)
    assert nemesis._repr_html_().count("<tr>") == len(done) + 1


def test_a_nemesis_leaves_links_alone_that_others_have_set(start: Starter) -> None:
    """An experiment's links are its settings, and are to hold after the nemesis, too."""
    cluster = start(n=4, speed=8, seed=5)
    cluster.set_link("client", rate_mb_s=30)
    cluster.set_link("client", 2, delay_ms=4)

    with cluster.nemesis(["set_link"], every_s=0.2, seed=1) as nemesis:
        wait_for(cluster, lambda: len(nemesis.actions) >= 3)

    links = cluster.links()
    assert list(links[links.changed].node) == ["client", "client"]


def test_what_is_acknowledged_under_a_nemesis_is_there_whole_when_it_is_over(start: Starter) -> None:
    """DESIGN §3: with two copies acknowledged, whatever it breaks."""
    cluster = start(n=6, speed=8)
    acknowledged: dict[str, bytes] = {}

    with cluster.nemesis(every_s=0.8, seed=11) as nemesis:
        while len(nemesis.actions) < 25 or len(acknowledged) < 10:
            name, data = f"file-{len(acknowledged)}", content(100_000, len(acknowledged))
            try:
                cluster.upload(data, name=name, ack_replicas=2)
            except DfsError:
                continue  # it says so, and may be tried again
            acknowledged[name] = data
            assert nemesis.is_running

    for name, data in acknowledged.items():
        assert cluster.download(name).path.read_bytes() == data


def test_the_nemesis_does_the_same_to_the_same_cluster(start: Starter) -> None:
    made = []
    for _ in range(2):
        cluster = start(n=5, speed=20, heartbeat_timeout_s=60)
        with cluster.nemesis(["kill", "pause", "fill_disk"], every_s=1, seed=3) as nemesis:
            wait_for(cluster, lambda nemesis=nemesis: len(nemesis.actions) >= 12, timeout_s=6)  # 12 s at speed 1
        made.append([step.action for step in nemesis.actions][:12])
        cluster.close()

    assert made[0] == made[1]


def test_a_nemesis_that_meets_an_error_raises_it_when_it_is_stopped(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(cluster, "pause", refuse)
    nemesis = cluster.nemesis(["pause"], every_s=0.1)
    wait_for(cluster, lambda: not nemesis.is_running)

    with pytest.raises(RuntimeError, match="out of order"):
        nemesis.stop()
    nemesis.stop()


def test_a_nemesis_spares_the_others_while_damage_is_not_made_up_for(cluster: Cluster) -> None:
    stored(cluster, 10_000)
    damaged = {str(cluster.corrupt("clip", keeper)) for keeper in cluster.stat("clip").holders[:2]}

    with cluster.nemesis(["pause"], every_s=0.1, seed=1) as nemesis:
        wait_for(cluster, lambda: len(nemesis.actions) >= 10)

    assert {step.action.arguments["keeper"] for step in nemesis.actions} == damaged


def test_a_nemesis_lets_somebody_elses_hand_go_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its look and its deed another pauses the same keeper."""
    pause = cluster.pause

    def pause_first(keeper: str) -> str:
        monkeypatch.undo()
        pause(keeper)
        return pause(keeper)

    monkeypatch.setattr(cluster, "pause", pause_first)
    with cluster.nemesis(["pause"], every_s=0.1, seed=1) as nemesis:
        wait_for(cluster, lambda: len(nemesis.actions) >= 2)

    assert nemesis.actions[0].action.kind == "pause"
    assert [event.detail["action"] for event in faults(cluster)][:2] == ["pause", "pause"]


@pytest.mark.parametrize("change", ["deleted", "overwritten", "emptied"])
def test_a_nemesis_lets_a_client_go_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Between its look and its deed a client changes the file: no error, and the only copy of a new one is spared."""
    stored(cluster, 10_000)
    corrupt, struck = cluster._corrupt, threading.Event()
    victims: list[str] = []

    def change_first(name: str, keeper: str, how: str, **others: Any) -> Any:
        victims.append(keeper)
        if change == "deleted":
            cluster.delete(name)
        else:
            for other in cluster._running_keepers():
                if other != keeper:
                    cluster.fill_disk(other)
            cluster.upload(b"" if change == "emptied" else b"new", name=name, ack_replicas=1)
        monkeypatch.undo()
        struck.set()
        return corrupt(name, keeper, how, **others)

    monkeypatch.setattr(cluster, "_corrupt", change_first)
    with cluster.nemesis(["corrupt"], every_s=0.1, seed=1) as nemesis:
        assert struck.wait(10)
        wait_for(cluster, lambda: not nemesis.is_running or nemesis._mind._mine == [])
        assert nemesis.is_running
        cluster.heal_all()

    assert len(nemesis.actions) == 0
    if change != "deleted":
        assert cluster.download("clip").path.read_bytes() == (b"" if change == "emptied" else b"new")


def test_an_error_of_the_body_is_not_masked_by_the_nemesis(cluster: Cluster) -> None:
    nemesis = cluster.nemesis(["pause"], every_s=0.1)
    wait_for(cluster, lambda: len(nemesis.actions) >= 1)
    with pytest.raises(ZeroDivisionError), nemesis:
        raise ZeroDivisionError

    assert broken(cluster) == []


@pytest.mark.parametrize("seed", range(3))
def test_closing_under_a_nemesis_ends_it_silently(start: Starter, seed: int) -> None:
    cluster = start(n=5)
    nemesis = cluster.nemesis(every_s=0.05, seed=seed)
    wait_for(cluster, lambda: len(nemesis.actions) >= 3 + seed)
    closer = threading.Thread(target=cluster.close)

    closer.start()
    closer.join(20)

    assert not closer.is_alive(), "closing hangs under the nemesis"
    assert not nemesis.is_running
    nemesis.stop()
