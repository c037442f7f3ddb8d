"""Names: delete, rename, list; and that nothing which was deleted ever comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dfslab.core.errors import FileAlreadyExists, InvalidName, NoSuchFile
from dfslab.core.master.instructions import (
    AppendCatalog,
    ForgetReplica,
    ForgetVersion,
    PutVersion,
    Recorded,
    Reply,
)
from dfslab.core.trace import Kind

from .worlds import Copy, Drop, Refused, lab, orders, value_of


def test_a_delete_is_durable_before_it_is_answered_and_every_replica_is_dropped() -> None:
    """FAULTS 29, DESIGN §4: what was deleted stays deleted."""
    world = lab(keepers=3)
    version = world.store("a.mp4")

    said = world.delete("a.mp4")

    assert said == [
        AppendCatalog((PutVersion(replace(version, deleted=True)),)),
        Reply(world.request, None),
        Drop(version.id, "keeper-1"),
        Drop(version.id, "keeper-2"),
        Drop(version.id, "keeper-3"),
    ]
    assert world.kinds() == [Kind.FILE_DELETED, *[Kind.REPLICA_DROP_ORDERED] * 3]
    with pytest.raises(NoSuchFile):
        world.master.stat("a.mp4")
    with pytest.raises(NoSuchFile):
        world.locate("a.mp4")


def test_a_deleted_version_is_forgotten_with_its_last_replica() -> None:
    world = lab(keepers=2)
    version = world.store("a.mp4")
    world.delete("a.mp4")

    assert world.dropped(Drop(version.id, "keeper-2")) == [
        AppendCatalog((ForgetReplica(version.id, "keeper-2"),)),
        Reply(world.request, None),
    ]
    assert world.dropped(Drop(version.id, "keeper-1")) == [
        AppendCatalog((ForgetReplica(version.id, "keeper-1"), ForgetVersion(version.id))),
        Reply(world.request, None),
    ]


def test_a_deleted_file_that_had_no_replica_left_is_forgotten_at_once() -> None:
    world = lab(keepers=1)
    version = world.store("a.mp4")
    world.register("keeper-1", boot="wiped")

    assert world.delete("a.mp4") == [
        AppendCatalog((PutVersion(replace(version, deleted=True)), ForgetVersion(version.id))),
        Reply(world.request, None),
    ]
    assert world.catalog.versions == {}


def test_the_drop_of_a_deleted_replica_is_ordered_again_by_every_scan_until_it_is_confirmed() -> None:
    world = lab(keepers=1)
    version = world.store("a.mp4")
    world.delete("a.mp4")
    drop = Drop(version.id, "keeper-1")

    assert orders(world.run(9.9)) == []
    assert orders(world.tick(at=10.0)) == [drop]
    assert orders(world.run(20.0)) == [drop]
    world.dropped(drop)
    assert orders(world.run(60.0)) == []


def test_a_file_that_is_not_there_is_not_deleted_or_renamed() -> None:
    world = lab(keepers=1)

    assert world.delete("a.mp4") == [Refused(world.request, NoSuchFile)]
    assert world.rename("a.mp4", "b.mp4") == [Refused(world.request, NoSuchFile)]
    assert world.kinds() == []


def test_a_delete_during_the_repair_ends_the_copies_and_what_arrives_late_is_told_to_go() -> None:
    """FAULTS 29: deleted during a repair."""
    world = lab(keepers=3)
    first, second = orders(world.upload("a.mp4"))
    assert isinstance(first, Copy)
    assert isinstance(second, Copy)

    said = world.delete("a.mp4")

    assert orders(said) == [Drop(first.version, "keeper-1")]
    assert [event.peer for event in world.notes if event.kind is Kind.COPY_FAILED] == [first.target, second.target]
    order = world.copies[first]
    reason = "the file was deleted or overwritten meanwhile"
    assert world.arrive(first) == [Reply(world.request, Recorded(keep=False, reason=reason))]
    assert world.dropped(Drop(first.version, "keeper-1"))[0] == AppendCatalog(
        (ForgetReplica(first.version, "keeper-1"), ForgetVersion(first.version))
    )
    late = world.stored("keeper-3", first.version, size=25, content="a.mp4", copy_id=order.copy_id)
    assert late == [Reply(world.request, Recorded(keep=False, reason="the master knows no such upload"))]
    assert world.master.files() == []


def test_a_retry_of_a_deleted_files_upload_does_not_bring_it_back() -> None:
    """FAULTS 29: a client that never heard its success retries after somebody else's delete."""
    world = lab(keepers=1)
    version = world.store("a.mp4", upload="up")
    world.delete("a.mp4")

    slot = value_of(world.begin("a.mp4", upload="up"))

    assert (slot.version, slot.address) == (version.id, None)
    assert world.master.files() == []


def test_keepers_that_return_with_every_old_disk_resurrect_nothing() -> None:
    """Guarantee 6, FAULTS 26, 29: deleted, dropped by those who were there, and long forgotten."""
    world = lab(keepers=3, orphan_grace_s=60.0)
    version = world.store("a.mp4")
    world.run(3.0, silent=["keeper-3"])
    world.delete("a.mp4")
    for keeper in ("keeper-1", "keeper-2"):
        world.dropped(Drop(version.id, keeper))

    said = world.register("keeper-3", version)

    assert orders(said) == [Drop(version.id, "keeper-3")], "still known, as a replica of it was out there"
    world.dropped(Drop(version.id, "keeper-3"))
    world.register("keeper-2", version, boot="old disk", at=10.0)
    assert world.note(Kind.ORPHAN_FOUND).peer == "keeper-2"
    assert orders(world.run(69.9)) == []
    assert orders(world.scan(at=70.0)) == [Drop(version.id, "keeper-2")]
    assert world.master.files() == []


def test_a_deleted_file_stays_deleted_over_a_restart() -> None:
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.delete("a.mp4")
    world.start_master()

    said = [one for number in (1, 2, 3) for one in world.register(f"keeper-{number}", version)]
    world.tick()

    assert world.master.files() == []
    assert orders(said) == []
    assert orders(world.scan()) == [Drop(version.id, f"keeper-{number}") for number in (1, 2, 3)]


def test_a_replica_of_a_deleted_version_that_only_a_report_showed_is_remembered_until_it_is_gone() -> None:
    """FAULTS 29: also when the master restarts between the report and the drop."""
    world = lab(keepers=2, replicas=1)
    version = world.store("a.mp4", on="keeper-1")
    world.run(3.0, silent=["keeper-1"])
    world.delete("a.mp4")
    said = world.register("keeper-2", version)
    assert orders(said) == [Drop(version.id, "keeper-2")]

    world.start_master()
    world.register("keeper-1")
    world.register("keeper-2", version)
    world.tick()

    assert orders(world.scan()) == [Drop(version.id, "keeper-2")]
    world.dropped(Drop(version.id, "keeper-2"))
    assert world.catalog.versions == {}


def test_a_rename_keeps_the_version_and_its_replicas() -> None:
    """Guarantee 3."""
    world = lab(keepers=3)
    version = world.store("a.mp4")

    said = world.rename("a.mp4", "course/b.mp4")

    renamed = replace(version, name="course/b.mp4")
    assert said == [
        AppendCatalog((PutVersion(renamed),)),
        Reply(world.request, world.master.stat("course/b.mp4")),
    ]
    assert world.master.stat("course/b.mp4").version == version.id
    assert world.note(Kind.FILE_RENAMED).detail["old"] == "a.mp4"
    assert len(world.states("course/b.mp4")) == 3
    with pytest.raises(NoSuchFile):
        world.master.stat("a.mp4")


def test_a_rename_onto_a_name_that_is_taken_changes_nothing() -> None:
    world = lab(keepers=1)
    versions = [world.store(name) for name in ("a.mp4", "b.mp4")]

    for target in ("a.mp4", "b.mp4"):
        assert world.rename("a.mp4", target) == [Refused(world.request, FileAlreadyExists)]

    assert [info.version for info in world.master.files()] == [version.id for version in versions]


@pytest.mark.parametrize(("old", "new"), [("a.mp4", "../b"), ("a.mp4", ""), ("/a", "b"), ("a\n", "b")])
def test_a_rename_from_or_to_what_is_no_name_is_refused(old: str, new: str) -> None:
    """FAULTS 30."""
    world = lab(keepers=1)
    version = world.store("a.mp4")

    assert world.rename(old, new) == [Refused(world.request, InvalidName)]
    assert world.master.stat("a.mp4").version == version.id


def test_an_upload_under_way_keeps_its_name_when_that_is_taken_away_meanwhile() -> None:
    """FAULTS 28: each upload and each delete is whole; the last one to be recorded decides."""
    world = lab(keepers=1)
    world.store("a.mp4", upload="first")
    slot = value_of(world.begin("a.mp4", upload="second", content="new"))
    world.delete("a.mp4")

    world.finish(slot)

    assert world.master.stat("a.mp4").version == slot.version


def test_a_renamed_file_and_an_upload_to_its_old_name_are_two_files() -> None:
    world = lab(keepers=1)
    old = world.store("a.mp4", upload="first")
    slot = value_of(world.begin("a.mp4", upload="second"))
    world.rename("a.mp4", "b.mp4")
    world.finish(slot)

    assert [(info.name, info.version) for info in world.master.files()] == [("a.mp4", slot.version), ("b.mp4", old.id)]


def test_files_are_listed_by_name_in_pages() -> None:
    world = lab(keepers=1)
    for name in ("b/2", "a", "b/1", "c", "b/3"):
        world.store(name)

    assert [info.name for info in world.master.files()] == ["a", "b/1", "b/2", "b/3", "c"]
    assert [info.name for info in world.master.files(prefix="b/")] == ["b/1", "b/2", "b/3"]
    assert [info.name for info in world.master.files(prefix="b/", after="b/1", limit=1)] == ["b/2"]
    assert world.master.files(after="c") == []


def test_the_lookup_table_has_one_row_a_replica_with_its_path_and_whether_its_node_is_alive() -> None:
    """DESIGN §2: file_name, data_node, file_path, is_alive."""
    world = lab(keepers=2)
    version = world.store("a.mp4")
    world.run(3.0, silent=["keeper-2"])

    rows = [(row.name, replica.keeper, replica.path, alive) for row, replica, alive in world.master.rows()]

    assert rows == [
        ("a.mp4", "keeper-1", f"/disks/keeper-1/{version.id}", True),
        ("a.mp4", "keeper-2", f"/disks/keeper-2/{version.id}", False),
    ]
