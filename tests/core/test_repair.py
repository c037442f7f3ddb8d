"""Repair: every file at its goal again, nothing dropped that is still needed, and no work for nothing."""

from __future__ import annotations

import random
from collections import Counter
from copy import deepcopy as copy_of

import pytest

from dfslab.core.errors import FileUnavailable, NotEnoughKeepers, UnknownKeeper, WrongState
from dfslab.core.liveness import Liveness
from dfslab.core.master import events
from dfslab.core.master.copies import COPY_FLOOR_BYTES_S, COPY_FLOOR_S
from dfslab.core.master.instructions import (
    AppendCatalog,
    CopyReplica,
    ForgetReplica,
    PlannedAction,
    PutKeeper,
    PutReplica,
    Recorded,
    Reply,
)
from dfslab.core.model import Address, Holder, Location, StoredReplica, Version
from dfslab.core.policies import Policies
from dfslab.core.policies.placement import KeeperLoad
from dfslab.core.trace import Kind

from .worlds import BLOCK, Copy, Drop, Lab, Refused, lab, orders, path_of, replica_of, value_of


def copies(said: object) -> list[Copy]:
    assert isinstance(said, list)
    return [order for order in orders(said) if isinstance(order, Copy)]


def surplus_world() -> tuple[Lab, Version]:
    """Four copies where three are wanted: a dead keeper came back after its replica had been replaced."""
    world = lab(keepers=4, replication_interval_s=10.0, heartbeat_timeout_s=3.0)
    version = world.store("a.mp4")
    (copy,) = copies(world.run(3.0, silent=["keeper-2"]))
    world.arrive(copy)
    world.register("keeper-2", version, at=5.0)
    assert world.states("a.mp4") == {f"keeper-{number}": "valid" for number in (1, 2, 3, 4)}
    return world, version


# -- copies -------------------------------------------------------------------------------------


def test_both_ends_of_a_copy_are_told_everything_they_need() -> None:
    """DESIGN §2: the master picks a source and a target and notifies both."""
    world = lab(keepers=2, replicas=2)
    world.upload("a.mp4")

    (order,) = [one for one in world.todo if isinstance(one, CopyReplica)]

    assert order == CopyReplica(
        order.copy_id,
        world.version("a.mp4"),
        "keeper-1",
        Address("10.0.0.1", 5001),
        Address("10.0.0.1", 6001),
        1,
        "keeper-2",
        Address("10.0.0.1", 5002),
        1,
        world.note(Kind.COPY_ORDERED).id,
        order.ticket,  # tests/core/test_tickets.py says what is in it
    )


@pytest.mark.parametrize(("ack_replicas", "awaited"), [(1, [False, False]), (2, [True, True]), (3, [True, True])])
def test_copies_by_which_an_upload_is_acknowledged_are_awaited(ack_replicas: int, awaited: list[bool]) -> None:
    """They do not go behind what clients transfer: the uploader is one of these."""
    world = lab(keepers=4)
    slot = value_of(world.begin("a.mp4", on="keeper-1", ack_replicas=ack_replicas))
    world.finish(slot)

    ordered = [one for one in world.todo if isinstance(one, CopyReplica)]
    assert [copy.awaited for copy in ordered] == awaited

    for copy in ordered:
        world.arrive(Copy(copy.version.id, copy.source, copy.target))
    world.run(world.now + 3.0, silent=["keeper-1"])
    (repair,) = [one for one in world.todo if isinstance(one, CopyReplica)]
    assert not repair.awaited, "it was acknowledged long ago"


def test_a_copy_that_arrived_is_recorded_and_the_goal_is_reached() -> None:
    world = lab(keepers=3)
    first, second = copies(world.upload("a.mp4"))

    assert world.arrive(first) == [
        AppendCatalog((PutReplica(first.version, "keeper-2", path_of("keeper-2", first.version)),)),
        Reply(world.request, Recorded(keep=True)),
    ]
    assert world.kinds() == [Kind.COPY_DONE, Kind.REPLICA_RECORDED]
    assert len(world.arrive(second)) == 2
    assert world.states("a.mp4") == dict.fromkeys(("keeper-1", "keeper-2", "keeper-3"), "valid")
    assert orders(world.run(30.0)) == []


@pytest.mark.parametrize("seed", range(5))
def test_no_copy_has_its_source_for_target_and_no_target_gets_two_of_one_version(seed: int) -> None:
    """The world checks it after every event; here chance places, keepers die and copies are late."""
    world = Lab(policies=Policies.of(), seed=seed)
    for number in range(1, 7):
        world.register(f"keeper-{number}")
    for name in range(10):
        world.upload(f"{name}.mp4", on=f"keeper-{1 + (seed + name) % 6}")

    world.run(30.0, silent=["keeper-1"])

    assert len(world.under_way) >= 10


def test_a_death_is_repaired_at_once_from_a_live_replica() -> None:
    """GFS §4.3: below the goal, a copy is made from a live replica; DESIGN §2: a death queues its own repair."""
    world = lab(keepers=4)
    version = world.store("a.mp4")
    world.run(2.9, silent=["keeper-1"])

    assert world.tick(at=3.0) == [Copy(version.id, "keeper-2", "keeper-4")]
    assert world.kinds() == [Kind.KEEPER_DEAD, Kind.COPY_ORDERED]
    dead, ordered = world.notes
    assert ordered.cause == dead.id
    assert ordered.detail["reason"] == "2 of 3 live copies"


def test_a_copy_ordered_by_the_scan_names_what_the_scan_found() -> None:
    """DESIGN §8: `cause` is what led to it. A scan looks at many files: each copy names its own shortage too."""
    world = lab(keepers=4, repair="scan")
    world.store("a.mp4")
    committed = next(event for event in world.trace.events() if event.kind is Kind.FILE_COMMITTED)
    world.scan()
    scan, *ordered = world.notes
    assert [(one.cause, one.detail["shortage"]) for one in ordered] == [(scan.id, committed.id)] * 2
    for copy in list(world.copies):
        world.arrive(copy)
    world.run(5.0, silent=["keeper-1"])
    dead = next(event for event in world.trace.events() if event.kind is Kind.KEEPER_DEAD)

    world.scan()

    assert world.note(Kind.COPY_ORDERED).cause == world.note(Kind.SCAN).id
    assert world.note(Kind.COPY_ORDERED).detail["shortage"] == dead.id


def test_a_replica_that_is_gone_names_the_order_to_delete_it() -> None:
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.delete("a.mp4")
    ordered = [event for event in world.notes if event.kind is Kind.REPLICA_DROP_ORDERED]

    for event in ordered:
        world.dropped(Drop(version.id, event.peer))
        assert world.note(Kind.REPLICA_FORGOTTEN).cause == event.id


def test_with_repair_by_scan_a_death_waits_for_the_scan() -> None:
    """DESIGN §2: the scan is the only trigger under repair="scan"."""
    world = lab(keepers=4, repair="scan", replication_interval_s=10.0)
    version = world.store("a.mp4")
    assert world.states("a.mp4") == {"keeper-1": "valid"}
    first, second = copies(world.run(10.0))
    world.arrive(first)
    world.arrive(second)

    assert orders(world.run(19.9, silent=["keeper-1"])) == []
    assert world.liveness("keeper-1") is Liveness.DEAD
    assert world.tick(at=20.0) == [Copy(version.id, "keeper-2", "keeper-4")]
    assert world.kinds() == [Kind.SCAN, Kind.COPY_ORDERED]


def test_the_scan_comes_every_replication_interval() -> None:
    world = lab(replication_interval_s=10.0)

    times = []
    for tenth in range(1, 401):
        world.tick(at=tenth / 10)
        times += [world.now for kind in world.kinds() if kind is Kind.SCAN]

    assert times == [10.0, 20.0, 30.0, 40.0]


def test_what_is_nearest_to_being_lost_is_copied_first() -> None:
    """FAULTS 11: two of three holders die: files with one copy are repaired first. GFS §4.3."""
    world = lab(keepers=5, copies_per_keeper=1)
    world.store("two-left.mp4", on="keeper-3")
    world.store("one-left.mp4", on="keeper-4")
    assert [list(world.states(name)) for name in ("two-left.mp4", "one-left.mp4")] == [
        ["keeper-3", "keeper-1", "keeper-2"],
        ["keeper-4", "keeper-1", "keeper-2"],
    ]
    one_left, two_left = world.version("one-left.mp4"), world.version("two-left.mp4")
    world.register("keeper-5", two_left)

    said = orders(world.run(3.0, silent=["keeper-1", "keeper-2"]))

    assert said == [Copy(one_left.id, "keeper-4", "keeper-3"), Copy(two_left.id, "keeper-3", "keeper-4")]


def test_among_equals_what_has_waited_longest_is_copied_first() -> None:
    world = lab(keepers=1, replicas=2, copies_per_keeper=1)
    world.upload("z-first.mp4")
    world.run(1.0)
    world.upload("a-second.mp4")

    (copy,) = copies(world.register("keeper-2"))

    assert copy.version == world.version("z-first.mp4").id


def test_each_keeper_takes_part_in_a_bounded_number_of_copies() -> None:
    """copies_per_keeper, as source and as target each; as one ends the next begins."""
    world = lab(keepers=1, replicas=2, copies_per_keeper=2)
    for name in range(6):
        world.upload(f"{name}.mp4")

    under_way = copies(world.register("keeper-2"))
    assert len(under_way) == 2

    done = 0
    while under_way:
        done += 1
        under_way += copies(world.arrive(under_way.pop(0)))
        assert len(under_way) <= 2
    assert done == 6


def test_a_source_serves_a_bounded_number_of_copies() -> None:
    world = lab(keepers=1, replicas=3, copies_per_keeper=2)
    for name in range(3):
        world.upload(f"{name}.mp4")
    said = [copy for number in range(2, 6) for copy in copies(world.register(f"keeper-{number}"))]

    assert len(said) == 2
    assert Counter(copy.source for copy in said) == {"keeper-1": 2}


def test_a_target_takes_a_bounded_number_of_copies_however_many_sources_there_are() -> None:
    world = lab(keepers=3, copies_per_keeper=2)
    for name in range(5):
        world.store(f"{name}.mp4")

    said = copies(world.register("keeper-3", boot="wiped"))

    assert [copy.target for copy in said] == ["keeper-3", "keeper-3"]
    assert {copy.source for copy in said} == {"keeper-1", "keeper-2"}


def test_sources_share_the_work() -> None:
    world = lab(keepers=4, replicas=4, copies_per_keeper=4)
    for copy in copies(world.upload("a.mp4")):
        world.arrive(copy)
    world.upload("b.mp4", on="keeper-1")

    (first, *_) = copies(world.register("keeper-2", world.version("a.mp4")))
    assert first.source == "keeper-1", "the only holder of b.mp4"

    world = lab(keepers=3, replicas=3)
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        world.store(name)
    said = copies(world.register("keeper-3", boot="wiped"))
    assert Counter(copy.source for copy in said) == {"keeper-1": 2, "keeper-2": 1}


# -- copies that fail ---------------------------------------------------------------------------


def test_a_failed_copy_is_tried_again_after_a_pause_that_doubles() -> None:
    world = lab(keepers=2, replicas=2, copy_retry_s=0.5, replication_interval_s=1000.0, heartbeat_timeout_s=999.0)
    (copy,) = copies(world.upload("a.mp4"))

    for pause in (0.5, 1.0, 2.0, 4.0):
        failed_at = world.now
        assert world.fail(copy) == [Reply(world.request, None)]
        assert world.kinds() == [Kind.COPY_FAILED]
        assert world.tick(at=failed_at + pause - 0.01) == []
        assert world.tick(at=failed_at + pause) == [copy]


def test_the_scan_does_not_wait_out_the_pause() -> None:
    world = lab(keepers=2, replicas=2, copy_retry_s=5.0)
    (copy,) = copies(world.upload("a.mp4"))
    world.fail(copy)

    planned = PlannedAction("copy", "a.mp4", copy.version, copy.source, copy.target, "1 of 2 live copies")
    assert world.scan() == [copy, Reply(world.request, [planned])]


def test_a_failed_copy_avoids_the_source_at_fault() -> None:
    """FAULTS 9: repair source killed: another source."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    (copy,) = copies(world.register("keeper-4")) or copies(world.run(3.0, silent=["keeper-3"]))
    assert copy == Copy(version.id, "keeper-1", "keeper-4")

    world.fail(copy, source_at_fault=True)

    assert copies(world.run(world.now + 1.0, silent=["keeper-3"])) == [Copy(version.id, "keeper-2", "keeper-4")]


def test_a_source_at_fault_is_taken_again_when_there_is_no_other() -> None:
    world = lab(keepers=2, replicas=2)
    (copy,) = copies(world.upload("a.mp4"))
    world.fail(copy, source_at_fault=True)

    assert orders(world.run(1.0)) == [copy]


def test_a_failed_copy_avoids_the_target_at_fault() -> None:
    """FAULTS 23: master to keeper cut, heartbeats arrive: copies are routed elsewhere."""
    world = lab(keepers=4)
    version = world.store("a.mp4")
    world.register("keeper-5")
    (copy,) = copies(world.run(3.0, silent=["keeper-3"]))
    assert copy == Copy(version.id, "keeper-1", "keeper-4")

    world.fail(copy)

    assert copies(world.run(world.now + 1.0, silent=["keeper-3"])) == [Copy(version.id, "keeper-1", "keeper-5")]


def test_a_target_at_fault_is_taken_again_when_there_is_no_other() -> None:
    world = lab(keepers=2, replicas=2)
    (copy,) = copies(world.upload("a.mp4"))
    world.fail(copy)

    assert orders(world.run(1.0)) == [copy]


def test_a_failed_copy_that_is_not_the_sources_fault_keeps_its_source() -> None:
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.register("keeper-4")
    (copy,) = copies(world.run(3.0, silent=["keeper-3"]))
    world.fail(copy)

    assert copies(world.run(world.now + 1.0, silent=["keeper-3"])) == [Copy(version.id, "keeper-1", "keeper-4")]


def test_the_failure_of_a_copy_that_was_given_up_is_no_news() -> None:
    world = lab(keepers=2, replicas=2)
    (copy,) = copies(world.upload("a.mp4"))
    world.fail(copy)

    assert world.fail(copy) == [Reply(world.request, None)]
    assert world.kinds() == []


def test_a_repair_whose_source_dies_goes_on_from_another() -> None:
    """FAULTS 9."""
    world = lab(keepers=4)
    version = world.store("a.mp4")
    world.run(0.5)
    (copy,) = copies(world.register("keeper-3", boot="wiped"))
    assert copy == Copy(version.id, "keeper-1", "keeper-3")

    said = world.run(4.0, silent=["keeper-1"])

    assert copies(said) == [Copy(version.id, "keeper-2", "keeper-3"), Copy(version.id, "keeper-2", "keeper-4")]


def test_a_repair_whose_target_dies_goes_on_to_another_and_the_part_copy_never_counts() -> None:
    """FAULTS 10."""
    world = lab(keepers=5)
    version = world.store("a.mp4")
    (copy,) = copies(world.register("keeper-3", boot="wiped"))
    assert copy.target == "keeper-3"

    assert copies(world.run(3.0, silent=["keeper-3"])) == [Copy(version.id, "keeper-1", "keeper-4")]
    assert "keeper-3" not in world.states("a.mp4")


def test_a_late_copy_is_given_up_and_another_source_tried() -> None:
    """A copy gets 10 s and its size at 100 KB/s; it must not hold up its file for ever."""
    world = lab(keepers=4, replication_interval_s=1000.0)
    version = world.store("a.mp4", size=100 * BLOCK)
    (copy,) = copies(world.run(3.0, silent=["keeper-3"]))
    limit = COPY_FLOOR_S + version.size / COPY_FLOOR_BYTES_S

    assert orders(world.run(3.0 + limit - 0.001, silent=["keeper-3"])) == []
    assert orders(world.tick(at=3.0 + limit)) == []
    assert world.kinds() == [Kind.COPY_FAILED]
    assert world.note(Kind.COPY_FAILED).detail["reason"] == "it took too long"
    assert orders(world.run(world.now + 1.0, silent=["keeper-3"])) == [Copy(version.id, "keeper-2", "keeper-4")]
    assert copy.source == "keeper-1"


def test_a_copy_that_arrives_after_it_was_given_up_counts_all_the_same() -> None:
    world = lab(keepers=2, replicas=2, replication_interval_s=1000.0)
    (copy,) = copies(world.upload("a.mp4"))
    world.run(COPY_FLOOR_S + 0.1)
    late = world.copies[copy]

    version = late.version
    said = world.stored("keeper-2", version.id, size=version.size, content="a.mp4", copy_id=late.copy_id)

    assert Reply(world.request, Recorded(keep=True)) in said
    assert world.states("a.mp4") == dict.fromkeys(("keeper-1", "keeper-2"), "valid")


def test_a_keeper_without_room_is_no_target() -> None:
    """FAULTS 13."""
    world = lab()
    world.register("keeper-1")
    world.register("keeper-2", free_bytes=24)
    world.register("keeper-3", free_bytes=25)

    assert copies(world.upload("a.mp4", size=25)) == [Copy(world.version("a.mp4").id, "keeper-1", "keeper-3")]


def test_copies_on_their_way_count_against_a_targets_room() -> None:
    world = lab()
    world.register("keeper-1")
    world.register("keeper-2", free_bytes=60)

    ordered = [copy for name in ("a", "b", "c") for copy in copies(world.upload(f"{name}.mp4", size=25))]

    assert [copy.target for copy in ordered] == ["keeper-2", "keeper-2"]


def test_copies_of_one_plan_count_against_a_targets_room() -> None:
    world = lab(keepers=1)
    for name in ("a", "b", "c"):
        world.upload(f"{name}.mp4", size=25)

    assert len(copies(world.register("keeper-2", free_bytes=60))) == 2


# -- too few keepers ----------------------------------------------------------------------------


def test_two_live_keepers_and_three_wanted_are_reported_as_degraded_once_and_cost_no_work() -> None:
    """FAULTS 37: "degraded" is reported; no spinning."""
    world = lab(keepers=2, replication_interval_s=10.0)
    version = world.store("a.mp4")

    assert world.run(60.0) == []

    degraded = [event for event in world.trace.events() if event.kind is Kind.DEGRADED]
    assert [(event.time_s, event.version, event.detail["live"]) for event in degraded] == [(10.0, version.id, 2)]


def test_a_file_that_was_whole_in_between_is_reported_again() -> None:
    world = lab(keepers=2, replication_interval_s=10.0)
    version = world.store("a.mp4")
    world.run(10.0)
    (copy,) = copies(world.register("keeper-3"))
    world.arrive(copy)
    world.run(30.0, silent=["keeper-3"])

    degraded = [event.time_s for event in world.trace.events() if event.kind is Kind.DEGRADED]

    assert degraded == [10.0, 20.0]
    assert world.states("a.mp4")["keeper-3"] == "valid"
    assert world.master.stat("a.mp4").version == version.id


def test_a_file_whose_holders_are_all_dead_is_unavailable_and_back_when_one_is() -> None:
    """FAULTS 12: "unavailable", naming them; never an empty file; it is back when one is."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.run(3.0, silent=["keeper-1", "keeper-2", "keeper-3"])

    with pytest.raises(FileUnavailable, match="keeper-1, keeper-2, keeper-3"):
        world.locate("a.mp4")
    assert world.master.stat("a.mp4").holders == ()
    assert orders(world.run(60.0)) == []

    world.register("keeper-2", version)

    located = world.locate("a.mp4")
    (holder,) = located.holders
    assert located == Location(version, (Holder("keeper-2", Address("10.0.0.1", 6002), holder.ticket),))


# -- the surplus --------------------------------------------------------------------------------


def test_a_surplus_is_trimmed_only_by_a_scan_and_only_after_the_calm_period() -> None:
    """FAULTS 25; DESIGN §7: trimmed back only after the copies are verified, and after a calm period."""
    world, version = surplus_world()

    assert len(world.states("a.mp4")) == 4
    assert orders(world.scan(at=7.9)) == [], "three seconds after 5.0 it is calm"
    assert orders(world.run(9.9)) == [], "calm, but not a scan"
    (drop,) = orders(world.tick(at=10.0))
    assert isinstance(drop, Drop)
    assert drop.version == version.id
    assert list(world.states("a.mp4").values()).count("valid") == 3
    assert world.dropped(drop) == [AppendCatalog((ForgetReplica(version.id, drop.keeper),)), Reply(world.request, None)]
    assert orders(world.run(60.0)) == []


def test_the_surplus_goes_from_the_fullest_keeper() -> None:
    world, version = surplus_world()
    world.store("big.mp4", on="keeper-3", size=1000)
    world.register("keeper-9")

    fullest = max(world.master.keepers(), key=lambda keeper: world.master._state.table.stored_bytes(keeper.id)).id

    assert orders(world.scan(at=8.5)) == [Drop(version.id, fullest)]


def test_what_a_restarted_keeper_has_found_on_its_disk_goes_before_what_was_checked_on_its_way_in() -> None:
    """FAULTS 25: three keepers came back with rotten copies, and pushed the three good ones out."""
    world, version = surplus_world()
    for number in (5, 6):
        world.register(f"keeper-{number}", version, at=5.0)
    for keeper in ("keeper-2", "keeper-5", "keeper-6"):
        world.register(keeper, version, boot=f"{keeper}/restarted", at=5.0)
    world.store("big.mp4", on="keeper-3", size=1000)  # which alone would make it the first to give its copy up

    drops = orders(world.scan(at=8.5))

    assert sorted(drop.keeper for drop in drops if isinstance(drop, Drop) and drop.version == version.id) == [
        "keeper-2",
        "keeper-5",
        "keeper-6",
    ]


def test_a_surplus_is_never_trimmed_below_the_goal() -> None:
    """Guarantee 4, FAULTS 25."""
    world, version = surplus_world()
    world.register("keeper-5", version)
    world.register("keeper-6", version)
    assert len(world.states("a.mp4")) == 6

    drops = orders(world.scan(at=10.0))

    assert len(drops) == 3
    assert len({drop.keeper for drop in drops if isinstance(drop, Drop)}) == 3
    assert list(world.states("a.mp4").values()).count("valid") == 3
    for drop in drops:
        assert isinstance(drop, Drop)
        world.dropped(drop)
    assert orders(world.run(60.0)) == []


def test_no_surplus_is_trimmed_while_a_copy_of_the_file_is_under_way() -> None:
    """DESIGN §7: only after the new copies are verified."""
    world = lab(keepers=5, replication_interval_s=1000.0)
    version = world.store("a.mp4")
    first, second = copies(world.run(3.0, silent=["keeper-2", "keeper-3"]))
    world.register("keeper-2", version)
    world.register("keeper-3", version)
    world.arrive(first)
    assert list(world.states("a.mp4").values()) == ["valid"] * 4
    world.run(8.0)

    assert orders(world.scan()) == []
    world.arrive(second)
    assert len(orders(world.scan(at=8.5))) == 2


def test_each_drop_is_ordered_once_a_scan_until_it_is_confirmed() -> None:
    world, _version = surplus_world()

    drops = orders(world.scan(at=10.0))

    assert len(drops) == 1
    assert orders(world.scan(at=10.5)) == drops
    assert isinstance(drops[0], Drop)
    world.dropped(drops[0])
    assert orders(world.scan(at=11.0)) == []


def test_a_death_before_the_trim_uses_the_surplus_up() -> None:
    """DESIGN §7: the calm period is there for this."""
    world, _ = surplus_world()

    assert orders(world.run(60.0, silent=["keeper-4"])) == []
    assert len(world.states("a.mp4")) == 4


def test_a_keeper_that_returns_while_its_drop_is_out_counts_again_and_the_surplus_is_judged_anew() -> None:
    """FAULTS 21, 25: the earlier incarnation's order is void."""
    world, version = surplus_world()
    (drop,) = orders(world.run(10.0))
    assert isinstance(drop, Drop)

    world.register(drop.keeper, version)

    assert world.states("a.mp4")[drop.keeper] == "valid"
    assert world.dropped(drop, incarnation=world.incarnation(drop.keeper) - 1) == [Reply(world.request, None)]
    assert world.states("a.mp4")[drop.keeper] == "valid"
    assert orders(world.run(19.9)) == []
    assert len(orders(world.tick(at=20.0))) == 1


def test_a_drop_that_was_not_confirmed_is_taken_back_when_its_replica_is_needed_after_all() -> None:
    """Guarantee 4, FAULTS 23: the order was lost, then the others died: it is the last good copy now."""
    world, version = surplus_world()
    (drop,) = orders(world.run(10.0))
    assert isinstance(drop, Drop)
    others = [keeper for keeper in world.states("a.mp4") if keeper != drop.keeper]

    said = world.run(60.0, silent=others)

    assert orders(said) == []
    assert [world.liveness(keeper) for keeper in others] == [Liveness.DEAD] * 3
    assert world.states("a.mp4")[drop.keeper] == "valid"
    assert world.master.stat("a.mp4").holders == (drop.keeper,)
    assert copies(world.register("keeper-9")) == [Copy(version.id, drop.keeper, "keeper-9")]


def test_the_drop_of_a_bad_replica_is_held_back_when_no_good_one_is_left() -> None:
    """Guarantee 4: some of its blocks may be good."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    assert orders(world.bad("a.mp4", "keeper-1")) == [Drop(version.id, "keeper-1")]

    said = world.run(60.0, silent=["keeper-2", "keeper-3"])

    assert orders(said) == []
    assert world.states("a.mp4")["keeper-1"] == "corrupt"
    assert [holder.keeper for holder in world.locate("a.mp4").holders] == ["keeper-1"]


def test_a_stored_report_repeated_after_a_drop_was_ordered_does_not_make_the_replica_count_again() -> None:
    """FAULTS 39: the keeper is deleting it; a late repetition of step 4 is no new replica."""
    world, version = surplus_world()
    (drop,) = orders(world.run(10.0))
    assert isinstance(drop, Drop)

    said = world.stored(drop.keeper, version.id, size=version.size, content="a.mp4")

    assert said == [Reply(world.request, Recorded(keep=True))]
    assert world.states("a.mp4")[drop.keeper] == "dropping"
    world.dropped(drop)
    assert drop.keeper not in world.states("a.mp4")


# -- bad replicas -------------------------------------------------------------------------------


def test_a_corrupt_replica_stops_counting_and_is_replaced_and_dropped_only_after() -> None:
    """FAULTS 16: quarantine; repair."""
    world = lab(keepers=4)
    version = world.store("a.mp4")

    said = world.bad("a.mp4", "keeper-2")
    copy = Copy(version.id, "keeper-1", "keeper-4")
    found = PutReplica(version.id, "keeper-2", path_of("keeper-2", version.id), corrupt=True)
    assert said == [AppendCatalog((found,)), Reply(world.request, None), copy]
    assert world.note(Kind.REPLICA_CORRUPT).detail["reason"] == "client: block 0"
    assert world.note(Kind.COPY_ORDERED).cause == world.note(Kind.REPLICA_CORRUPT).id
    assert world.states("a.mp4")["keeper-2"] == "corrupt"
    assert world.master.stat("a.mp4").holders == ("keeper-1", "keeper-3")
    assert orders(world.run(9.0)) == []

    assert orders(world.arrive(copy)) == [Drop(version.id, "keeper-2")]
    assert world.states("a.mp4")["keeper-2"] == "dropping"


def test_a_corrupt_replica_of_a_file_with_good_copies_enough_is_dropped_at_once() -> None:
    """FAULTS 16, 25: it was one too many anyway, so nothing has to be copied first."""
    world, version = surplus_world()

    said = world.bad("a.mp4", "keeper-2")

    found = PutReplica(version.id, "keeper-2", path_of("keeper-2", version.id), corrupt=True)
    assert said == [AppendCatalog((found,)), Reply(world.request, None), Drop(version.id, "keeper-2")]


def test_a_corrupt_replica_makes_place_when_no_other_keeper_is_left() -> None:
    """FAULTS 16 on three keepers: the bad one goes first, as two good ones are there, and is copied anew."""
    world = lab(keepers=3)
    version = world.store("a.mp4")

    assert orders(world.bad("a.mp4", "keeper-2")) == [Drop(version.id, "keeper-2")]
    assert orders(world.dropped(Drop(version.id, "keeper-2"))) == [Copy(version.id, "keeper-1", "keeper-2")]


def test_of_three_replicas_two_of_which_are_bad_the_good_one_is_never_dropped() -> None:
    """FAULTS 19: repaired from the third; the last good one is never deleted."""
    world = lab(keepers=3)
    version = world.store("a.mp4")

    said = orders(world.bad("a.mp4", "keeper-1")) + orders(world.bad("a.mp4", "keeper-3"))
    assert said == [Drop(version.id, "keeper-1"), Drop(version.id, "keeper-3")]
    for drop in said:
        assert isinstance(drop, Drop)
        assert orders(world.dropped(drop)) == [Copy(version.id, "keeper-2", drop.keeper)]
    assert world.states("a.mp4") == {"keeper-2": "valid"}


def test_while_no_good_copy_is_known_the_bad_ones_are_kept_and_offered() -> None:
    """Guarantee 4; a reader checks every block, and some of a bad replica's may be good."""
    world = lab(keepers=3)
    version = world.store("a.mp4")

    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        world.bad("a.mp4", keeper)
    world.run(30.0)

    assert Drop(version.id, "keeper-3") not in orders(world.run(60.0))
    assert "corrupt" in world.states("a.mp4").values()
    located = world.locate("a.mp4")
    assert located.holders
    assert all(world.states("a.mp4")[holder.keeper] == "corrupt" for holder in located.holders)


def test_the_last_good_copy_is_kept_while_every_other_one_turns_out_bad() -> None:
    world = lab(keepers=3, replicas=2)
    version = world.store("a.mp4")
    world.register("keeper-3", version)

    world.bad("a.mp4", "keeper-1")
    world.bad("a.mp4", "keeper-2")

    assert Drop(version.id, "keeper-3") not in orders(world.run(120.0))
    assert world.states("a.mp4")["keeper-3"] == "valid"


def test_a_copy_from_a_bad_source_fails_and_goes_on_from_another_once_a_reader_says_so() -> None:
    world = lab(keepers=4)
    version = world.store("a.mp4")
    (copy,) = copies(world.run(3.0, silent=["keeper-3"]))
    assert copy.source == "keeper-1"

    world.bad("a.mp4", "keeper-1")
    world.fail(copy, source_at_fault=True)

    assert copies(world.run(world.now + 1.0, silent=["keeper-3"])) == [Copy(version.id, "keeper-2", "keeper-4")]


def test_a_corrupt_replica_stays_corrupt_when_its_keeper_registers_again() -> None:
    world = lab(keepers=4)
    version = world.store("a.mp4")
    world.bad("a.mp4", "keeper-2")

    world.register("keeper-2", version)

    assert world.states("a.mp4")["keeper-2"] == "corrupt"


def test_a_corrupt_replica_stays_corrupt_when_its_keeper_comes_back_from_another_place() -> None:
    world = lab(keepers=4)
    version = world.store("a.mp4")
    world.bad("a.mp4", "keeper-2")

    world.register("keeper-2", replica_of(version, "keeper-2", disk="elsewhere"))

    assert world.states("a.mp4")["keeper-2"] == "corrupt"


def test_a_corrupt_replica_whose_keeper_returns_before_the_drop_is_still_corrupt_and_dropped() -> None:
    """FAULTS 16, 26: its keeper registers again while the order is on its way; the bytes are no better for it."""
    world = lab(keepers=4)
    version = world.store("a.mp4")
    _, copy = world.bad("a.mp4", "keeper-2")[-2:]
    assert isinstance(copy, Copy)
    assert orders(world.arrive(copy)) == [Drop(version.id, "keeper-2")]

    said = world.register("keeper-2", version)

    assert orders(said) == [Drop(version.id, "keeper-2")]
    assert "keeper-2" not in world.master.stat("a.mp4").holders


def test_a_corrupt_replica_stays_corrupt_over_a_restart_and_the_good_one_is_not_trimmed_for_it() -> None:
    """Guarantee 4, FAULTS 19: what a reader found is in the catalog, or two bad copies would crowd out the good one."""
    world = lab(keepers=3, replicas=2)
    version = world.store("a.mp4")
    world.register("keeper-3", version)
    world.bad("a.mp4", "keeper-1")
    world.bad("a.mp4", "keeper-2")

    world.start_master(at=100.0)
    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        world.register(keeper, version)
    said = orders(world.run(130.0))

    assert world.states("a.mp4")["keeper-3"] == "valid"
    assert {order.keeper for order in said if isinstance(order, Drop)} == {"keeper-1", "keeper-2"}


def test_a_stored_report_repeated_does_not_make_a_corrupt_replica_good() -> None:
    """FAULTS 16: step 4 is repeated until it is answered; meanwhile a reader may have found it bad."""
    world = lab(keepers=4)
    version = world.store("a.mp4")
    world.bad("a.mp4", "keeper-1")

    said = world.stored("keeper-1", version.id, size=version.size, content="a.mp4")

    assert said == [Reply(world.request, Recorded(keep=True))]
    assert world.states("a.mp4")["keeper-1"] == "corrupt"


def test_a_replica_that_was_to_go_and_comes_back_bad_is_kept_while_no_good_one_is_known() -> None:
    """Guarantee 4: an order of before its keeper's absence is void, also for what turned bad in it."""
    world, version = surplus_world()
    (drop,) = orders(world.run(10.0))
    assert isinstance(drop, Drop)
    others = [keeper for keeper in world.states("a.mp4") if keeper != drop.keeper]
    world.run(14.0, silent=list(world.states("a.mp4")))

    world.register(drop.keeper, StoredReplica(version.id, 1, 2, path_of(drop.keeper, version.id)))

    assert orders(world.scan()) == []
    assert world.states("a.mp4")[drop.keeper] == "corrupt"
    assert all(world.liveness(keeper) is Liveness.DEAD for keeper in others)


def test_a_bad_replica_reported_twice_or_of_a_stranger_is_no_news() -> None:
    world = lab(keepers=4)
    world.store("a.mp4")
    world.bad("a.mp4", "keeper-2")

    for keeper in ("keeper-2", "keeper-4", "keeper-99"):
        assert world.bad("a.mp4", keeper) == [Reply(world.request, None)]
        assert world.kinds() == []


def test_damage_that_a_keeper_found_itself_names_the_line_of_its_trace_as_the_cause() -> None:
    """FAULTS 16: from the block that the scrubber read to the copy that replaces it, each line names the one before."""
    world = lab(keepers=4)
    version = world.store("a.mp4")

    said = world.ask(
        lambda request: events.BadReplica(request, "keeper-2", version.id, "block 7", "keeper-2", "keeper-2.b:9")
    )

    assert orders(said) == [Copy(version.id, "keeper-1", "keeper-4")]
    found, ordered = world.note(Kind.REPLICA_CORRUPT), world.note(Kind.COPY_ORDERED)
    assert (found.cause, found.detail["reason"]) == ("keeper-2.b:9", "keeper-2: block 7")
    assert ordered.cause == found.id


def test_a_replica_that_is_found_bad_on_its_way_out_does_not_count_again_when_the_drop_is_taken_back() -> None:
    """FAULTS 16 and 23: the order was lost, the others died: what is left is bad, and stays so over a restart."""
    world, version = surplus_world()
    (drop,) = orders(world.run(10.0))
    assert isinstance(drop, Drop)
    path = path_of(drop.keeper, version.id)
    others = [keeper for keeper in world.states("a.mp4") if keeper != drop.keeper]

    said = world.bad("a.mp4", drop.keeper)
    assert said == [
        AppendCatalog((PutReplica(version.id, drop.keeper, path, corrupt=True),)),
        Reply(world.request, None),
    ]
    assert world.states("a.mp4")[drop.keeper] == "dropping"
    assert world.bad("a.mp4", drop.keeper) == [Reply(world.request, None)], "told again, it is no news"
    said = world.run(60.0, silent=others)

    assert copies(said) == []
    assert world.states("a.mp4")[drop.keeper] == "corrupt"
    assert world.master.stat("a.mp4").holders == ()


def test_a_keepers_word_that_a_replica_is_gone_is_believed_although_nobody_ordered_it() -> None:
    """An order that was taken back may have been obeyed before; what is gone must not count."""
    world = lab(keepers=4)
    version = world.store("a.mp4")

    assert world.dropped(Drop(version.id, "keeper-2")) == [
        AppendCatalog((ForgetReplica(version.id, "keeper-2"),)),
        Reply(world.request, None),
        Copy(version.id, "keeper-1", "keeper-2"),
    ]


def test_a_word_of_an_earlier_incarnation_or_of_a_stranger_is_no_news() -> None:
    world = lab(keepers=3)
    version = world.store("a.mp4")

    for keeper, incarnation in (("keeper-2", 0), ("keeper-99", 1)):
        said = world.ask(
            lambda request, k=keeper, n=incarnation: events.ReplicaDropped(request, k, n, version.id)  # type: ignore[misc]
        )
        assert said == [Reply(world.request, None)]
    assert len(world.states("a.mp4")) == 3


# -- decommissioning ----------------------------------------------------------------------------


def test_a_decommissioned_keeper_is_drained_and_then_let_go() -> None:
    """Nothing is lost by it: its files are at their goal on the others before it leaves."""
    world = lab(keepers=4)
    version = world.store("a.mp4")

    said = world.decommission("keeper-1")
    copy = Copy(version.id, "keeper-1", "keeper-4")
    assert said == [Reply(world.request, None), copy]
    assert world.liveness("keeper-1") is Liveness.DRAINING
    assert orders(world.run(5.0)) == []
    assert "keeper-1" in world.master.stat("a.mp4").holders, "it serves reads to the end"

    world.arrive(copy)
    assert world.tick() == [
        AppendCatalog((PutKeeper("keeper-1", 1, decommissioned=True), ForgetReplica(version.id, "keeper-1")))
    ]
    assert world.kinds() == [Kind.KEEPER_DECOMMISSIONED, Kind.REPLICA_FORGOTTEN]
    assert world.states("a.mp4") == dict.fromkeys(("keeper-2", "keeper-3", "keeper-4"), "valid")
    assert orders(world.run(60.0)) == []


def test_a_decommissioned_keeper_does_not_come_back() -> None:
    world = lab(keepers=4)
    world.decommission("keeper-4")
    world.tick()

    assert world.register("keeper-4") == [Refused(world.request, WrongState)]
    assert "add_keeper()" in str(world.refusal())
    world.start_master()
    assert world.register("keeper-4") == [Refused(world.request, WrongState)]


def test_a_decommission_is_refused_when_the_others_are_too_few() -> None:
    world = lab(keepers=3)

    assert world.decommission("keeper-1") == [Refused(world.request, NotEnoughKeepers)]
    assert "3 copies need 3 live keepers, 2 can hold one" in str(world.refusal())
    assert world.liveness("keeper-1") is Liveness.ALIVE


def test_a_second_decommission_counts_only_those_who_stay() -> None:
    world = lab(keepers=4)
    world.store("a.mp4")
    world.decommission("keeper-1")

    assert world.decommission("keeper-2") == [Refused(world.request, NotEnoughKeepers)]
    assert world.decommission("keeper-1") == [Reply(world.request, None)], "asked again, it goes on draining"


def test_only_a_known_and_live_keeper_can_be_decommissioned() -> None:
    world = lab(keepers=5)
    world.run(3.0, silent=["keeper-5"])

    assert world.decommission("keeper-5") == [Refused(world.request, WrongState)]
    assert world.decommission("keeper-9") == [Refused(world.request, UnknownKeeper)]
    assert "there are keeper-1, keeper-2, keeper-3, keeper-4, keeper-5" in str(world.refusal())


def test_a_draining_keeper_that_dies_is_dead_and_its_files_are_repaired_from_the_others() -> None:
    world = lab(keepers=4)
    version = world.store("a.mp4")
    (copy,) = copies(world.decommission("keeper-1"))

    said = world.run(3.0, silent=["keeper-1"])

    assert world.liveness("keeper-1") is Liveness.DEAD
    assert orders(said) == [Copy(version.id, "keeper-2", copy.target)]


def test_a_draining_keeper_that_registers_again_goes_on_draining() -> None:
    world = lab(keepers=4)
    version = world.store("a.mp4")
    world.decommission("keeper-1")

    world.register("keeper-1", version)

    assert world.liveness("keeper-1") is Liveness.DRAINING


def test_the_last_copy_on_a_draining_keeper_is_never_left_behind() -> None:
    """Guarantee 4: with the others dead, it stays until they are at the goal without it."""
    world = lab(keepers=4, replicas=1)
    version = world.store("a.mp4", on="keeper-1")
    (copy,) = copies(world.decommission("keeper-1"))
    world.fail(copy)

    world.run(60.0, silent=["keeper-2", "keeper-3", "keeper-4"])
    assert world.liveness("keeper-1") is Liveness.DRAINING
    assert world.states("a.mp4") == {"keeper-1": "valid"}

    (copy,) = copies(world.register("keeper-2"))
    assert copy == Copy(version.id, "keeper-1", "keeper-2")
    world.arrive(copy)
    world.tick()
    assert world.liveness("keeper-1") is Liveness.DECOMMISSIONED


# -- the dry run --------------------------------------------------------------------------------


def test_a_dry_run_says_what_a_scan_would_do_and_changes_nothing() -> None:
    """Not even the source of chance: the run that follows is the one that was foretold."""
    world = lab(keepers=5, repair="scan", copies_per_keeper=8, policies=Policies.of())
    versions = [world.store(f"{name}.mp4", on="keeper-1") for name in "abc"]

    def everything() -> tuple[object, ...]:
        state = world.master._state
        books = {name: repr(value) for name, value in vars(state).items() if name not in ("policies", "tracer", "rng")}
        return books, vars(state.table), state.rng.getstate(), world.trace.table()

    before = copy_of(everything())

    foretold = value_of(world.scan(dry_run=True))

    assert world.kinds() == []
    assert everything() == before
    assert [action.version for action in foretold] == [version.id for version in versions for _ in range(2)]
    assert value_of(world.scan(dry_run=True)) == foretold
    said = world.scan()
    assert said[-1] == Reply(world.request, foretold)
    assert copies(said) == [Copy(action.version, action.source, action.target) for action in foretold]


def test_a_dry_run_foretells_drops_too() -> None:
    world, version = surplus_world()
    world.run(9.0)

    (action,) = value_of(world.scan(dry_run=True))

    assert (action.action, action.version, action.source, action.reason) == (
        "drop",
        version.id,
        "",
        "4 live copies, 3 wanted",
    )
    assert orders(world.scan()) == [Drop(version.id, action.target)]


def test_a_dry_run_foretells_the_copies_that_wait_out_a_pause() -> None:
    """A scan does not wait, so its dry run must not either."""
    world = lab(keepers=2, replicas=2, copy_retry_s=5.0)
    (copy,) = copies(world.upload("a.mp4"))
    world.fail(copy)

    foretold = value_of(world.scan(dry_run=True))

    assert [(action.source, action.target) for action in foretold] == [copy[1:]]
    assert value_of(world.scan()) == foretold


class Wanderer:
    """A placement of somebody's own, with a memory."""

    def __init__(self) -> None:
        self.turns = 0

    def choose(self, candidates: list[KeeperLoad], size: int, rng: random.Random) -> str:
        self.turns += 1
        return candidates[self.turns % len(candidates)].keeper


def test_a_policy_object_of_ones_own_is_asked_and_each_master_has_its_own_copy() -> None:
    mine = Wanderer()
    world = lab(keepers=4, policies=Policies.of(placement=mine))
    world.upload("a.mp4")

    assert mine.turns == 0
    assert [copy.target for copy in copies(world.upload("b.mp4"))] != []
