"""A keeper registers: its incarnation, what its report is believed, and what a restarted master waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dfslab.core.errors import (
    InvalidOption,
    KeeperFenced,
    MasterStarting,
    NoLiveKeepers,
    StaleIncarnation,
    WrongCluster,
)
from dfslab.core.liveness import Liveness
from dfslab.core.master.instructions import (
    AppendCatalog,
    ForgetReplica,
    ForgetVersion,
    PutKeeper,
    PutReplica,
    PutUpload,
    PutVersion,
    Recorded,
    Registered,
    Reply,
)
from dfslab.core.model import StoredReplica
from dfslab.core.trace import Kind

from .worlds import Catalog, Copy, Drop, Lab, Refused, answers, lab, orders, path_of, replica_of, value_of

ORPHAN = StoredReplica("v99-0000000000", 5, 5, "/disks/keeper-2/v99")


def registered(world: Lab, incarnation: int, cluster: str = "") -> Registered:
    """Return the answer to a registration now."""
    return Registered(incarnation, cluster, world.clock())


def test_a_first_registration_is_durable_before_it_is_answered() -> None:
    """DESIGN §4: AppendCatalog before the Reply that it makes durable."""
    world = lab()

    said = world.register("keeper-1")

    assert said == [AppendCatalog((PutKeeper("keeper-1", 1),)), Reply(world.request, registered(world, 1))]
    assert world.kinds() == [Kind.KEEPER_REGISTERED]
    assert world.liveness("keeper-1") is Liveness.ALIVE


def test_each_registration_gets_the_next_incarnation_and_the_earlier_ones_lapse() -> None:
    """Guarantee 6: incarnation numbers."""
    world = lab(keepers=1)

    for number in (2, 3, 4):
        assert Reply(world.request + 1, registered(world, number)) in world.register("keeper-1")

    assert world.beat("keeper-1", incarnation=3) == [Refused(world.request, StaleIncarnation)]
    assert world.beat("keeper-1", incarnation=5) == [Refused(world.request, StaleIncarnation)]
    assert world.beat("keeper-1", incarnation=4) == [Reply(world.request, world.clock())]


def test_incarnations_go_on_counting_over_a_restart_of_the_master() -> None:
    world = lab(keepers=1)
    world.register("keeper-1")

    world.start_master()

    assert world.beat("keeper-1", incarnation=2) == [Refused(world.request, StaleIncarnation)]
    assert Reply(world.request + 1, registered(world, 3)) in world.register("keeper-1")


def test_a_keepers_own_incarnation_counts_where_the_catalog_has_forgotten_some() -> None:
    """A catalog restored from a backup hands out no number that was spent: under it, old messages would be believed."""
    world = lab(keepers=1)

    assert Reply(world.request + 1, registered(world, 8)) in world.register("keeper-1", incarnation=7)
    assert Reply(world.request + 1, registered(world, 9)) in world.register("keeper-1", incarnation=2)

    assert world.beat("keeper-1", incarnation=8) == [Refused(world.request, StaleIncarnation)]
    assert world.register("keeper-1", incarnation=1 << 60) == [Refused(world.request, InvalidOption)]
    assert world.incarnation("keeper-1") == 9


def test_a_keeper_of_another_cluster_is_refused_and_nothing_is_changed() -> None:
    """Its replicas are another catalog's files: taken for orphans here, they would be deleted."""
    world = lab(keepers=0, catalog=Catalog(cluster="ours"))

    assert world.register("keeper-1", cluster="theirs") == [Refused(world.request, WrongCluster)]
    assert (world.kinds(), world.master.keepers(), world.catalog.keepers) == ([], [], {})

    assert Reply(world.request + 1, registered(world, 1, "ours")) in world.register("keeper-1")
    assert Reply(world.request + 1, registered(world, 2, "ours")) in world.register("keeper-1", cluster="ours")
    assert world.register("keeper-1", cluster="theirs") == [Refused(world.request, WrongCluster)]
    assert world.incarnation("keeper-1") == 2


def test_a_keeper_that_the_catalog_does_not_know_keeps_its_replicas_however_often_it_had_registered() -> None:
    world = lab(keepers=1, orphan_grace_s=60.0)

    world.register("keeper-2", ORPHAN, incarnation=5)

    assert orders(world.run(200.0)) == []


def test_after_a_restore_what_the_catalog_does_not_know_is_kept_until_an_operator_accepts_the_loss() -> None:
    """A backup has forgotten what was acknowledged after it: on the keepers these files look like orphans."""
    world = lab(catalog=Catalog("ours", restored=True), keepers=2, orphan_grace_s=60.0)
    world.register("keeper-2", ORPHAN, at=1.0)

    assert world.note(Kind.ORPHAN_FOUND).detail == {"orphan": ORPHAN.version, "kept": True}
    assert orders(world.run(200.0)) == []

    world.catalog.restored = False
    world.start_master()
    world.register("keeper-1")
    world.register("keeper-2", ORPHAN)
    assert set(orders(world.run(300.0))) == {Drop(ORPHAN.version, "keeper-2")}


def test_a_process_whose_name_another_one_took_is_fenced_for_good() -> None:
    """FAULTS 26, 27: the newest process under a name wins; the older one must stop and changes nothing."""
    world = lab()
    world.register("keeper-1", boot="old")
    world.register("keeper-1", boot="new")

    assert world.register("keeper-1", boot="old") == [Refused(world.request, KeeperFenced)]
    assert world.kinds() == []
    assert world.incarnation("keeper-1") == 2
    assert world.register("keeper-1", boot="old") == [Refused(world.request, KeeperFenced)]
    assert Reply(world.request + 1, registered(world, 3)) in world.register("keeper-1", boot="new")


def test_nothing_is_committed_on_a_lapsed_registration() -> None:
    """FAULTS 22: keeper to master cut, client to keeper open."""
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4", on="keeper-1"))
    world.run(3.0, silent=["keeper-1"])

    assert world.liveness("keeper-1") is Liveness.DEAD
    assert world.finish(slot) == [Refused(world.request, StaleIncarnation)]
    assert world.master.files() == []


def test_what_a_restarted_keeper_stored_under_an_earlier_registration_is_refused() -> None:
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4", on="keeper-1"))
    world.register("keeper-1", boot="second")

    said = world.stored(slot.keeper, slot.version, size=25, content="a.mp4", incarnation=1)

    assert said == [Refused(world.request, StaleIncarnation)]
    assert world.master.files() == []


def test_a_wiped_disk_loses_its_rows_and_is_filled_again() -> None:
    """FAULTS 26: the same id comes back with a wiped disk: its old claims are not believed."""
    world = lab(keepers=3)
    version = world.store("a.mp4")

    said = world.register("keeper-1", boot="wiped")

    assert said == [
        AppendCatalog((PutKeeper("keeper-1", 2), ForgetReplica(version.id, "keeper-1"))),
        Reply(world.request, registered(world, 2)),
        Copy(version.id, "keeper-2", "keeper-1"),
    ]
    assert world.kinds() == [Kind.KEEPER_REGISTERED, Kind.REPLICA_FORGOTTEN, Kind.COPY_ORDERED]


def test_a_file_whose_every_disk_was_wiped_stays_in_the_table_without_a_replica() -> None:
    """FAULTS 12: never an empty file."""
    world = lab(keepers=3)
    world.store("a.mp4")

    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        world.register(keeper, boot="wiped")

    assert world.master.stat("a.mp4").holders == ()
    assert world.states("a.mp4") == {}


def test_an_old_disk_loses_what_it_never_had_and_what_is_no_more() -> None:
    """FAULTS 26: an old disk lacks the newer file and still has the deleted one."""
    world = lab(keepers=3)
    gone, kept = world.store("gone.mp4"), world.store("kept.mp4")
    for drop in orders(world.delete("gone.mp4")):
        assert isinstance(drop, Drop)
        world.dropped(drop)
    newer = world.store("newer.mp4")

    said = world.register("keeper-1", gone, kept, boot="old disk")

    assert said == [
        AppendCatalog((PutKeeper("keeper-1", 2), ForgetReplica(newer.id, "keeper-1"))),
        Reply(world.request, registered(world, 2)),
        Copy(newer.id, "keeper-2", "keeper-1"),
    ]
    assert world.note(Kind.ORPHAN_FOUND).detail["orphan"] == gone.id
    assert world.states("kept.mp4") == dict.fromkeys(("keeper-1", "keeper-2", "keeper-3"), "valid")
    assert [info.name for info in world.master.files()] == ["kept.mp4", "newer.mp4"]


def test_a_reported_replica_with_another_digest_is_corrupt() -> None:
    """FAULTS 18: the checksum file damaged: a bad replica, never a bypass."""
    world = lab(keepers=4)
    version = world.store("a.mp4")
    lie = replace(replica_of(version, "keeper-1"), digest=1)

    said = world.register("keeper-1", lie)

    assert said == [
        AppendCatalog((PutKeeper("keeper-1", 2), PutReplica(version.id, "keeper-1", lie.path, corrupt=True))),
        Reply(world.request, registered(world, 2)),
        Copy(version.id, "keeper-2", "keeper-4"),
    ]
    assert world.states("a.mp4")["keeper-1"] == "corrupt"
    assert world.master.stat("a.mp4").holders == ("keeper-2", "keeper-3")


def test_a_reported_replica_of_another_size_is_corrupt() -> None:
    """FAULTS 17: a replica cut short, or too long."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    short = replace(replica_of(version, "keeper-1"), size=version.size - 1)

    world.register("keeper-1", short)

    assert "keeper-1" not in world.master.stat("a.mp4").holders


def test_a_bad_replica_that_the_table_did_not_list_is_listed_as_corrupt() -> None:
    """FAULTS 39: a keeper that lies."""
    world = lab(keepers=4)
    version = world.store("a.mp4")

    said = world.register("keeper-4", StoredReplica(version.id, 1, 2, path_of("keeper-4", version.id)))

    path = "/disks/keeper-4/" + version.id
    assert said[0] == AppendCatalog(
        (
            PutKeeper("keeper-4", 2),
            PutReplica(version.id, "keeper-4", path),
            PutReplica(version.id, "keeper-4", path, corrupt=True),
        )
    )
    assert orders(said) == [Drop(version.id, "keeper-4")], "three good copies are there, so it may go"
    assert world.kinds() == [
        Kind.KEEPER_REGISTERED,
        Kind.REPLICA_RECORDED,
        Kind.REPLICA_CORRUPT,
        Kind.REPLICA_DROP_ORDERED,
    ]


def test_a_good_replica_that_the_table_did_not_list_is_taken_up() -> None:
    """FAULTS 4: adopted or collected, never half-known. Guarantee 5: reports rebuild where replicas are."""
    world = lab(keepers=3)
    version = world.store("a.mp4", on="keeper-1")
    world.register("keeper-4", version)

    assert world.states("a.mp4")["keeper-4"] == "valid"
    assert world.master.stat("a.mp4").holders == ("keeper-1", "keeper-2", "keeper-3", "keeper-4")


def test_a_replica_that_moved_with_its_keeper_gets_its_new_path() -> None:
    """DESIGN §2: file_path is the replica's real absolute path on that node."""
    world = lab(keepers=3)
    version = world.store("a.mp4")

    said = world.register("keeper-2", replica_of(version, "keeper-2", disk="elsewhere"))

    moved = PutReplica(version.id, "keeper-2", path_of("elsewhere", version.id))
    assert said == [AppendCatalog((PutKeeper("keeper-2", 2), moved)), Reply(world.request, registered(world, 2))]


def test_an_orphan_is_dropped_only_after_the_grace() -> None:
    """FAULTS 4: an orphan is collected; its upload may still be on its way, hence the grace."""
    world = lab(keepers=1, orphan_grace_s=60.0, replication_interval_s=10.0)
    orphan = StoredReplica("v99-0000000000", 5, 5, "/disks/keeper-2/v99")
    world.register("keeper-2")
    world.register("keeper-2", orphan, at=1.0)

    assert world.note(Kind.ORPHAN_FOUND).peer == "keeper-2"
    assert orders(world.run(60.9)) == []
    assert orders(world.scan()) == []
    assert orders(world.scan(at=61.0)) == [Drop("v99-0000000000", "keeper-2")]


def test_nothing_is_deleted_of_a_keeper_that_the_catalog_has_never_seen() -> None:
    """FAULTS 8: to an empty catalog every replica is an orphan; it may be the catalog that is wrong."""
    world = lab(keepers=1, orphan_grace_s=5.0)
    world.register("keeper-2", StoredReplica("v99-0000000000", 5, 5, "/disks/keeper-2/v99"))

    assert world.note(Kind.ORPHAN_FOUND).peer == "keeper-2"
    assert orders(world.scan(at=1000.0)) == []


def test_a_registration_that_comes_late_is_refused_and_takes_nothing_out_of_the_table() -> None:
    """DESIGN §3.5: its report is older than what the master has recorded since."""
    world = lab(keepers=2)
    world.register("keeper-3", sequence=2)
    version = world.store("a.mp4", on="keeper-3")

    said = world.register("keeper-3", sequence=1)

    assert answers(said) == said
    assert isinstance(world.refusal(), StaleIncarnation)
    assert world.states("a.mp4") == dict.fromkeys(("keeper-3", "keeper-1", "keeper-2"), "valid")
    assert world.register("keeper-3", version, sequence=3)[-1] == Reply(world.request, registered(world, 2))


def test_the_drop_of_an_orphan_is_ordered_until_it_is_confirmed_and_then_no_more() -> None:
    world = lab(keepers=1, orphan_grace_s=5.0)
    world.register("keeper-2")
    world.register("keeper-2", StoredReplica("v99-0", 5, 5, "/disks/keeper-2/v99"))
    drop = Drop("v99-0", "keeper-2")

    assert orders(world.scan(at=5.0)) == [drop]
    assert orders(world.scan()) == [drop]
    assert world.dropped(drop, incarnation=0) == [Reply(world.request, None)], (
        "an earlier incarnation's word is nothing"
    )
    assert orders(world.scan()) == [drop]
    assert world.dropped(drop) == [Reply(world.request, None)]
    assert orders(world.scan()) == []


def test_an_orphan_whose_upload_is_still_under_way_is_left_alone() -> None:
    """FAULTS 4: stored, but not yet told when its keeper registered again."""
    world = lab(keepers=1, orphan_grace_s=5.0)
    slot = value_of(world.begin("a.mp4"))
    world.register("keeper-1", StoredReplica(slot.version, 25, 1, "/disks/keeper-1/v"))

    assert orders(world.scan(at=100.0)) == []


def test_an_orphan_that_its_upload_made_a_file_of_is_never_dropped() -> None:
    """Guarantee 4: a keeper registers again between storing and telling; then step 4 arrives after all."""
    world = lab(keepers=1, orphan_grace_s=5.0)
    slot = value_of(world.begin("a.mp4"))
    world.register("keeper-1", StoredReplica(slot.version, 25, 1, path_of("keeper-1", slot.version)))
    world.finish(slot)

    assert world.states("a.mp4") == {"keeper-1": "valid"}
    assert orders(world.run(30.0)) == []


def test_a_version_deleted_meanwhile_is_dropped_when_its_keeper_returns() -> None:
    """FAULTS 29: no resurrection."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.run(3.0, silent=["keeper-3"])

    assert orders(world.delete("a.mp4")) == [Drop(version.id, "keeper-1"), Drop(version.id, "keeper-2")]
    assert world.register("keeper-3", version) == [
        AppendCatalog((PutKeeper("keeper-3", 2),)),
        Drop(version.id, "keeper-3"),
        Reply(world.request, registered(world, 2)),
    ]
    assert world.master.files() == []


def test_the_copies_from_and_to_a_keeper_that_started_again_are_given_up_and_made_anew() -> None:
    """FAULTS 9, 10: the part-copy of a target that was killed never counts."""
    world = lab(keepers=3)
    first = orders(world.upload("a.mp4"))
    version = world.version("a.mp4")
    assert first == [Copy(version.id, "keeper-1", "keeper-2"), Copy(version.id, "keeper-1", "keeper-3")]

    said = world.register("keeper-2", boot="again")

    assert orders(said) == [Copy(version.id, "keeper-1", "keeper-2")]
    assert world.kinds() == [Kind.KEEPER_REGISTERED, Kind.COPY_FAILED, Kind.COPY_ORDERED]
    assert world.note(Kind.COPY_FAILED).detail["reason"] == "keeper-2 started again"
    assert world.states("a.mp4") == {"keeper-1": "valid"}


def test_a_registration_brings_a_degraded_cluster_back_to_its_goal_at_once() -> None:
    world = lab(keepers=2)
    version = world.store("a.mp4")

    assert orders(world.register("keeper-3")) == [Copy(version.id, "keeper-1", "keeper-3")]


# -- a restarted master: safe mode ------------------------------------------------------------------


def test_a_restarted_master_knows_every_acknowledged_file() -> None:
    """FAULTS 7, guarantee 5."""
    world = lab(keepers=3)
    versions = [world.store(name) for name in ("a.mp4", "b.mp4", "course/c.mp4")]
    world.delete("b.mp4")
    world.rename("a.mp4", "d.mp4")

    world.start_master()

    assert [(info.name, info.version) for info in world.master.files()] == [
        ("course/c.mp4", versions[2].id),
        ("d.mp4", versions[0].id),
    ]
    assert world.kinds()[:4] == [Kind.MASTER_STARTED, *[Kind.KEEPER_UNSEEN] * 3]


def test_nothing_is_copied_or_deleted_until_every_keeper_has_reported() -> None:
    """FAULTS 36: everything restarts together."""
    world = lab(keepers=4)
    a, b = world.store("a.mp4"), world.store("b.mp4")
    world.delete("b.mp4")
    world.start_master(at=100.0)

    assert world.master.safe_mode
    said = world.register("keeper-1", a, b) + world.register("keeper-2", a, b) + world.register("keeper-3", a, b)
    said += world.tick(at=100.5) + world.scan()
    assert orders(said) == []
    assert world.master.safe_mode
    world.register("keeper-4")
    assert orders(world.tick(at=100.6)) == []
    assert not world.master.safe_mode
    assert world.kinds() == [Kind.SAFE_MODE_ENDED]
    assert orders(world.scan()) == [Drop(b.id, "keeper-1"), Drop(b.id, "keeper-2"), Drop(b.id, "keeper-3")]


def test_a_scan_in_safe_mode_copies_and_trims_nothing_and_its_dry_run_says_so() -> None:
    """FAULTS 36: neither what looks short while reports are missing, nor what looks like too much."""
    world = lab(keepers=6)
    short, many = world.store("short.mp4", on="keeper-5"), world.store("many.mp4")
    world.register("keeper-4", many)
    assert (len(world.states("short.mp4")), len(world.states("many.mp4"))) == (3, 4)
    world.start_master(at=100.0)
    for keeper in ("keeper-1", "keeper-2"):
        world.register(keeper, short, many)
    for keeper in ("keeper-3", "keeper-4"):
        world.register(keeper, many)
    world.run(103.5)

    assert world.scan(dry_run=True) == [Reply(world.request, [])]
    assert world.scan() == [Reply(world.request, [])]
    assert world.run(103.9) == []
    assert len(orders(world.tick(at=104.0))) == 1, "time is up: the copy that is missing"
    assert len(orders(world.scan())) == 1, "and the one that is too much"


def test_safe_mode_ends_when_time_is_up_and_the_silent_are_dead() -> None:
    """FAULTS 36, DESIGN §2: one heartbeat timeout and one interval to report in."""
    world = lab(keepers=4, heartbeat_timeout_s=3.0, heartbeat_interval_s=1.0)
    version = world.store("a.mp4")
    world.start_master(at=100.0)
    for keeper in ("keeper-1", "keeper-2"):
        world.register(keeper, version)
    world.register("keeper-4")

    assert orders(world.run(103.9)) == []
    assert world.liveness("keeper-3") is Liveness.UNSEEN
    assert orders(world.tick(at=104.0)) == [Copy(version.id, "keeper-1", "keeper-4")]
    assert world.liveness("keeper-3") is Liveness.DEAD
    assert world.kinds() == [Kind.SAFE_MODE_ENDED, Kind.KEEPER_DEAD, Kind.COPY_ORDERED]
    assert world.note(Kind.SAFE_MODE_ENDED).detail["unseen"] == ["keeper-3"]
    assert world.note(Kind.KEEPER_DEAD).cause == world.note(Kind.SAFE_MODE_ENDED).id


def test_an_unseen_keeper_does_not_count_as_a_holder() -> None:
    """Guarantee 6: nobody counts before its report is checked."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.start_master()

    assert world.master.stat("a.mp4").holders == ()
    world.register("keeper-2", version)
    assert world.master.stat("a.mp4").holders == ("keeper-2",)


def test_a_master_without_known_keepers_has_no_safe_mode() -> None:
    world = lab()

    assert not world.master.safe_mode
    assert world.kinds() == [Kind.MASTER_STARTED]


def test_in_safe_mode_an_upload_that_nobody_who_is_back_can_take_is_to_be_asked_for_again() -> None:
    """FAULTS 1, 36: those who have not reported yet may take it."""
    world = lab(keepers=3)
    world.store("a.mp4")
    world.start_master()
    world.register("keeper-1", free_bytes=100)

    assert world.begin("b.mp4", exclude=["keeper-1"]) == [Refused(world.request, MasterStarting)]
    assert world.begin("c.mp4", size=101) == [Refused(world.request, MasterStarting)]
    assert world.begin("e.mp4", ack_replicas=2) == [Refused(world.request, MasterStarting)]

    world.register("keeper-2")
    assert value_of(world.begin("b.mp4", exclude=["keeper-1"])).keeper == "keeper-2"
    world.register("keeper-3")
    world.tick()
    everybody = ["keeper-1", "keeper-2", "keeper-3"]
    assert world.begin("d.mp4", exclude=everybody) == [Refused(world.request, NoLiveKeepers)]


def test_in_safe_mode_a_bad_copy_is_not_offered_while_the_holder_of_a_good_one_may_still_report() -> None:
    """FAULTS 19, 36."""
    world = lab(keepers=2)
    version = world.store("a.mp4")
    world.register("keeper-2", version)
    world.bad("a.mp4", "keeper-1")
    world.start_master()
    world.register("keeper-1", version)

    with pytest.raises(MasterStarting):
        world.locate("a.mp4")
    world.register("keeper-2", version)
    assert [holder.keeper for holder in world.locate("a.mp4").holders] == ["keeper-2"]


def test_an_overwrite_in_safe_mode_commits_and_holds_back_the_drops() -> None:
    """FAULTS 36: no deletes until reports are in, also of what is overwritten just then."""
    world = lab(keepers=3)
    old = world.store("a.mp4")
    world.start_master()
    world.register("keeper-1", old)

    said = world.upload("a.mp4", upload="second", content="new")

    assert orders(said) == []
    new = world.version("a.mp4")
    world.register("keeper-2", old)
    world.register("keeper-3", old)
    assert orders(world.tick()) == [Copy(new.id, "keeper-1", "keeper-2"), Copy(new.id, "keeper-1", "keeper-3")]
    assert orders(world.scan()) == [Drop(old.id, f"keeper-{number}") for number in (1, 2, 3)]


def test_an_unseen_file_is_not_reported_as_degraded_in_safe_mode() -> None:
    """FAULTS 36, 37: while reports are on their way, nothing is known to be short."""
    world = lab(keepers=2, heartbeat_timeout_s=30.0, replication_interval_s=1000.0)
    version = world.store("a.mp4")
    world.start_master(at=100.0)

    world.scan(at=110.0)

    assert world.kinds() == [Kind.SCAN]
    world.register("keeper-1", version)
    world.register("keeper-2", version)
    world.tick()
    world.scan()
    assert world.kinds() == [Kind.SCAN, Kind.DEGRADED]


def test_a_drop_that_was_under_way_when_the_master_died_is_finished_after_the_reports() -> None:
    world = lab(keepers=3)
    version = world.store("a.mp4")
    drops = orders(world.delete("a.mp4"))
    assert isinstance(drops[0], Drop)
    world.dropped(drops[0])
    world.start_master()

    world.register("keeper-1")
    said = world.register("keeper-2")
    assert said[0] == AppendCatalog((PutKeeper("keeper-2", 2), ForgetReplica(version.id, "keeper-2")))
    world.register("keeper-3", version)
    world.tick()
    assert orders(world.scan()) == [Drop(version.id, "keeper-3")]
    assert world.dropped(Drop(version.id, "keeper-3")) == [
        AppendCatalog((ForgetReplica(version.id, "keeper-3"), ForgetVersion(version.id))),
        Reply(world.request, None),
    ]
    assert world.catalog.versions == {}


def test_a_decommissioned_keeper_is_still_in_the_tables_after_a_restart_and_starts_no_safe_mode() -> None:
    world = lab(keepers=4)
    world.decommission("keeper-4")
    world.tick()
    assert world.liveness("keeper-4") is Liveness.DECOMMISSIONED
    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        del world.catalog.keepers[keeper]

    world.start_master()

    assert not world.master.safe_mode
    assert world.trace.table().keepers["keeper-4"].state == "decommissioned"


def test_the_image_of_a_catalog_lists_the_records_that_make_it() -> None:
    world = lab(keepers=1)
    version = world.store("a.mp4", upload="up")

    assert list(world.catalog.image().records()) == [
        PutKeeper("keeper-1", 1),
        PutVersion(version),
        PutReplica(version.id, "keeper-1", path_of("keeper-1", version.id)),
        PutUpload("up", version.id, 1, version.created_at),
    ]


def test_every_recorded_replica_is_still_there_after_a_restart_with_the_same_disks() -> None:
    """FAULTS 36: a restart of everything together costs no copy and no delete at all."""
    world = lab(keepers=5)
    versions = [world.store(f"{name}.mp4", on=f"keeper-{on}") for name, on in (("a", 1), ("b", 3), ("c", 5))]
    held = {
        keeper: [version for version in versions if keeper in world.states(version.name)]
        for keeper in (f"keeper-{number}" for number in range(1, 6))
    }

    world.start_master()
    said = [one for keeper, holds in held.items() for one in world.register(keeper, *holds, boot=f"{keeper}/2")]
    welcome = registered(world, 2)
    said += world.run(60.0)

    assert orders(said) == []
    assert all(len(world.states(version.name)) == 3 for version in versions)
    assert answers(said) == [Reply(answer.request, welcome) for answer in answers(said)]


def test_a_stored_answer_repeated_after_a_lost_reply_is_the_same() -> None:
    """FAULTS 5: step 4 is repeated until it is answered."""
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4"))

    assert Reply(world.request + 1, Recorded(keep=True)) in world.finish(slot)
    assert world.finish(slot) == [Reply(world.request, Recorded(keep=True))]
