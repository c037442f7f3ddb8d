"""An upload as the master sees it: a slot, a record, an acknowledgement (steps 1, 2, 5, 6 and the start of 7)."""

from __future__ import annotations

import pytest

from dfslab.core.errors import (
    InvalidName,
    InvalidOption,
    NoLiveKeepers,
    NotEnoughKeepers,
    StaleIncarnation,
)
from dfslab.core.master import events
from dfslab.core.master.instructions import (
    AppendCatalog,
    CatalogRecord,
    ForgetReplica,
    ForgetUpload,
    ForgetVersion,
    PutReplica,
    PutUpload,
    PutVersion,
    Recorded,
    Reply,
    Slot,
    UploadState,
)
from dfslab.core.model import Address, FileInfo, Version
from dfslab.core.options import Options
from dfslab.core.trace import Kind

from .worlds import (
    BLOCK,
    UNIX_S,
    Copy,
    Drop,
    Lab,
    Refused,
    checksums_of,
    lab,
    orders,
    path_of,
    value_of,
)

UNKNOWN = UploadState(known=False, copies=0, acknowledged=None)


def pending(copies: int) -> UploadState:
    return UploadState(known=True, copies=copies, acknowledged=None)


def done(world: Lab, name: str) -> UploadState:
    info = world.master.stat(name)
    return UploadState(known=True, copies=len(info.holders), acknowledged=info)


# -- the slot (steps 1 and 2) -------------------------------------------------------------------


def test_a_slot_names_a_live_keeper_its_data_port_and_a_new_version() -> None:
    """DESIGN §2, step 2: the address of a live data keeper."""
    world = lab(keepers=1)

    said = world.begin("a.mp4", size=25)

    (version_id,) = world.attempts
    cause = world.note(Kind.SLOT_GRANTED).id
    ticket = value_of(said).ticket  # tests/core/test_tickets.py says what is in it
    slot = Slot(version_id, "keeper-1", Address("10.0.0.1", 6001), None, cause, ticket)
    assert said == [Reply(world.request, slot)]
    assert world.kinds() == [Kind.SLOT_GRANTED]
    assert world.master.files() == []


def test_a_slot_goes_to_no_dead_and_no_excluded_keeper() -> None:
    """FAULTS 1: the client goes on with another keeper."""
    world = lab(keepers=4)
    world.run(3.0, silent=["keeper-1"])

    assert value_of(world.begin("a.mp4")).keeper == "keeper-2"
    assert value_of(world.begin("a.mp4", exclude=["keeper-2"])).keeper == "keeper-3"
    assert value_of(world.begin("a.mp4", exclude=["keeper-3", "keeper-2"])).keeper == "keeper-4"


def test_a_slot_goes_to_no_draining_keeper() -> None:
    world = lab(keepers=4)
    world.store("a.mp4")
    world.decommission("keeper-1")

    assert value_of(world.begin("b.mp4")).keeper == "keeper-2"


def test_a_slot_goes_to_no_keeper_without_room() -> None:
    """FAULTS 13: disk full on a keeper: another keeper."""
    world = lab()
    world.register("keeper-1", free_bytes=99)
    world.register("keeper-2", free_bytes=100)

    assert value_of(world.begin("a.mp4", size=100)).keeper == "keeper-2"
    assert world.begin("b.mp4", size=101) == [Refused(world.request, NoLiveKeepers)]


def test_without_a_live_keeper_nothing_is_stored_and_the_error_says_so() -> None:
    world = lab(keepers=1)
    world.tick(at=3.0)

    assert world.begin("a.mp4") == [Refused(world.request, NoLiveKeepers)]
    assert "nothing was stored" in str(world.refusal())


def test_when_every_live_keeper_has_failed_the_upload_the_error_names_them() -> None:
    world = lab(keepers=2)

    assert world.begin("a.mp4", exclude=["keeper-1", "keeper-2"]) == [Refused(world.request, NoLiveKeepers)]
    assert "tried without success: keeper-1, keeper-2" in str(world.refusal())


def test_more_acknowledged_copies_than_live_keepers_are_refused_before_anything_is_sent() -> None:
    world = lab(keepers=2)

    assert world.begin("a.mp4", ack_replicas=3) == [Refused(world.request, NotEnoughKeepers)]
    assert "3 copies need 3 live keepers, 2 can hold one" in str(world.refusal())


@pytest.mark.parametrize(("option", "value"), [("size", -1), ("ack_replicas", 0), ("ack_replicas", 4)])
def test_numbers_out_of_range_are_refused(option: str, value: int) -> None:
    world = lab(keepers=5)

    arguments: dict[str, int] = {option: value}
    said = world.begin("a.mp4", **arguments)  # type: ignore[arg-type]

    assert said == [Refused(world.request, InvalidOption)]
    assert f"{option}={value}" in str(world.refusal())


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a//b", "a\0b", "x" * 256, "\udcff"])
def test_names_that_are_no_keys_are_refused(name: str) -> None:
    """FAULTS 30."""
    world = lab(keepers=1)

    assert world.begin(name) == [Refused(world.request, InvalidName)]


# -- the record (step 5) and the copies (step 7) ------------------------------------------------


def test_a_commit_is_durable_before_it_is_answered_and_orders_two_copies_at_once() -> None:
    """DESIGN §2, steps 5 to 7: AppendCatalog is the first instruction, before the Reply it makes durable."""
    world = lab(keepers=4)
    slot = value_of(world.begin("a.mp4", upload="up", on="keeper-2", size=25))

    said = world.finish(slot)

    version = Version(slot.version, "a.mp4", 25, BLOCK, checksums_of("a.mp4", 25), UNIX_S)
    assert said == [
        AppendCatalog(
            (
                PutVersion(version),
                PutUpload("up", version.id, 1, UNIX_S),
                PutReplica(version.id, "keeper-2", path_of("keeper-2", version.id)),
            )
        ),
        Reply(world.request, Recorded(keep=True)),
        Copy(version.id, "keeper-2", "keeper-1"),
        Copy(version.id, "keeper-2", "keeper-3"),
    ]
    assert world.kinds() == [Kind.FILE_COMMITTED, Kind.REPLICA_RECORDED, Kind.COPY_ORDERED, Kind.COPY_ORDERED]
    assert world.master.stat("a.mp4") == FileInfo("a.mp4", version.id, 25, ("keeper-2",), UNIX_S)


def test_an_empty_file_is_a_file() -> None:
    """FAULTS 31: 0 bytes."""
    world = lab(keepers=3)

    version = world.store("empty.bin", size=0)

    assert version.checksums == b""
    assert world.master.stat("empty.bin").size == 0
    assert len(world.states("empty.bin")) == 3


def test_the_lines_of_an_upload_name_what_caused_them() -> None:
    """DESIGN §8: the protocol can be drawn from the trace, step by step."""
    world = lab(keepers=2, replicas=2)
    slot = value_of(world.begin("a.mp4"))
    granted = world.note(Kind.SLOT_GRANTED)
    assert slot.cause == granted.id
    world.ask(
        lambda request: events.ReplicaStored(
            request, slot.keeper, 1, slot.version, 25, BLOCK, checksums_of("a", 25), "/p", UNIX_S, cause="keeper-1.b:1"
        )
    )
    committed, recorded, ordered = world.notes
    (copy,) = world.copies
    world.arrive(copy)

    assert committed.cause == "keeper-1.b:1"
    assert recorded.cause == committed.id
    assert ordered.cause == committed.id
    assert world.copies[copy].cause == ordered.id
    assert world.note(Kind.COPY_DONE).cause == ordered.id


@pytest.mark.parametrize(
    ("size", "block_size", "checksum_bytes"),
    [(24, BLOCK, 12), (26, BLOCK, 12), (25, BLOCK, 8), (25, BLOCK, 16), (25, 0, 12)],
)
def test_a_replica_that_is_not_what_the_upload_announced_does_not_count(
    size: int, block_size: int, checksum_bytes: int
) -> None:
    """FAULTS 17, 32: too short, too long, or with checksums for another number of blocks."""
    world = lab(keepers=1)
    slot = value_of(world.begin("a.mp4", size=25))

    said = world.ask(
        lambda request: events.ReplicaStored(
            request, "keeper-1", 1, slot.version, size, block_size, b"x" * checksum_bytes, "/p", UNIX_S
        )
    )

    assert said == [Reply(world.request, Recorded(keep=False, reason="it is not as long as the upload said"))]
    assert world.master.files() == []


def test_a_replica_of_an_upload_that_nobody_knows_is_told_to_go() -> None:
    """FAULTS 5: the master died before the record; what it does not know does not count."""
    world = lab(keepers=1)

    said = world.stored("keeper-1", "v1-unknown", size=25, content="a")

    assert said == [Reply(world.request, Recorded(keep=False, reason="the master knows no such upload"))]


def test_a_keeper_that_the_master_never_met_stores_nothing() -> None:
    world = lab()

    assert world.stored("keeper-7", "v1", size=25, content="a", incarnation=1) == [
        Refused(world.request, StaleIncarnation)
    ]


def test_other_bytes_under_a_known_version_are_told_to_go() -> None:
    """Guarantee 3: versions are immutable."""
    world = lab(keepers=3)
    world.upload("a.mp4")
    version = world.version("a.mp4")

    for size, content in ((25, "other"), (26, "a.mp4")):
        said = world.stored("keeper-2", version.id, size=size, content=content)
        reason = "its size or checksums are not the version's"
        assert said == [Reply(world.request, Recorded(keep=False, reason=reason))]
    assert world.states("a.mp4") == {"keeper-1": "valid"}


# -- idempotence --------------------------------------------------------------------------------


def test_a_slot_asked_for_again_after_success_is_answered_with_the_same_version() -> None:
    """FAULTS 6: the master recorded it and the reply was lost: the retry returns the same version."""
    world = lab(keepers=3)
    version = world.store("a.mp4", upload="up")

    said = world.begin("a.mp4", upload="up")

    assert said == [Reply(world.request, Slot(version.id, "", None, world.master.stat("a.mp4"), ""))]
    assert world.kinds() == []


def test_an_upload_id_is_remembered_over_a_restart_of_the_master() -> None:
    """FAULTS 6: the same, when the master died in between."""
    world = lab(keepers=3)
    version = world.store("a.mp4", upload="up")
    world.start_master()

    slot = value_of(world.begin("a.mp4", upload="up"))

    assert (slot.version, slot.address) == (version.id, None)
    assert slot.committed.name == "a.mp4"


def test_an_upload_that_was_not_recorded_is_begun_again_after_a_restart_of_the_master() -> None:
    """FAULTS 5: no success was heard; the retry makes one file, and what the first left behind is told to go."""
    world = lab(keepers=3)
    lost = value_of(world.begin("a.mp4", upload="up", on="keeper-1"))
    world.start_master()
    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        world.register(keeper)

    assert world.wait("up") == [Reply(world.request, UNKNOWN)]
    assert world.finish(lost) == [Reply(world.request, Recorded(keep=False, reason="the master knows no such upload"))]
    again = value_of(world.begin("a.mp4", upload="up", on="keeper-2"))
    world.finish(again)
    assert world.master.stat("a.mp4").version == again.version


@pytest.mark.parametrize(("name", "size"), [("b.mp4", 25), ("a.mp4", 26)])
def test_an_upload_id_that_made_another_file_is_refused(name: str, size: int) -> None:
    world = lab(keepers=3)
    world.store("a.mp4", upload="up", size=25)

    assert world.begin(name, upload="up", size=size) == [Refused(world.request, InvalidOption)]
    assert "this upload id belongs to 'a.mp4'" in str(world.refusal())


def test_a_retry_after_a_restart_succeeds_although_the_file_was_renamed_or_replaced_meanwhile() -> None:
    """FAULTS 6: the retry of what was recorded returns that version, whatever became of the name since."""
    world = lab(keepers=1)
    renamed, replaced = world.store("a.mp4", upload="up-a"), world.store("b.mp4", upload="up-b")
    world.rename("a.mp4", "c.mp4")
    world.store("b.mp4", upload="up-b2", content="newer")
    world.dropped(Drop(replaced.id, "keeper-1"))
    world.start_master()

    assert value_of(world.begin("a.mp4", upload="up-a")).version == renamed.id
    again = value_of(world.begin("b.mp4", upload="up-b"))
    assert again.version == replaced.id
    assert (again.committed.name, again.committed.holders) == ("b.mp4", ())


def test_the_second_attempt_wins_and_the_late_report_of_the_first_is_told_to_delete() -> None:
    """FAULTS 1, 28: one upload makes one file, however many keepers got its bytes."""
    world = lab(keepers=3)
    first = value_of(world.begin("a.mp4", on="keeper-1"))
    second = value_of(world.begin("a.mp4", on="keeper-2"))
    assert first.version != second.version
    world.finish(second)

    said = world.finish(first)

    assert said == [Reply(world.request, Recorded(keep=False, reason="the master knows no such upload"))]
    assert world.master.stat("a.mp4").version == second.version
    assert world.states("a.mp4") == {"keeper-2": "valid"}


def test_the_first_attempt_wins_when_it_is_told_first_and_the_second_is_told_to_delete() -> None:
    world = lab(keepers=3)
    first = value_of(world.begin("a.mp4", on="keeper-1"))
    second = value_of(world.begin("a.mp4", on="keeper-2"))

    world.finish(first)

    assert not value_of(world.finish(second)).keep
    assert world.master.stat("a.mp4").version == first.version


def test_the_upload_of_a_version_under_way_is_known_until_it_is_settled() -> None:
    world = lab(keepers=1)
    slot = value_of(world.begin("a.mp4", upload="up"))

    assert world.master.upload_of(slot.version) == "up"
    world.finish(slot)
    assert world.master.upload_of(slot.version) == ""


# -- the acknowledgement (step 6) ---------------------------------------------------------------


def test_an_upload_is_acknowledged_at_its_first_copy_by_default() -> None:
    """Guarantee 1: ack_replicas is 1 unless asked for otherwise."""
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4", upload="up"))
    assert world.wait("up") == []
    waiter = world.request

    said = world.finish(slot)

    assert [one for one in said if isinstance(one, Reply)] == [
        Reply(world.request, Recorded(keep=True)),
        Reply(waiter, done(world, "a.mp4")),
    ]
    assert world.note(Kind.UPLOAD_ACKNOWLEDGED).detail["upload"] == "up"


@pytest.mark.parametrize("repair", ["eager", "scan"])
@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_an_upload_is_acknowledged_when_it_is_on_as_many_keepers_as_asked_for(wanted: int, repair: str) -> None:
    """Guarantee 1; with repair="scan", an awaited upload gets the copies it waits for, and no more."""
    world = lab(keepers=4, repair=repair)
    slot = value_of(world.begin("a.mp4", upload="up", ack_replicas=wanted))
    assert world.wait("up", hold_s=5.0) == []
    waiter = world.request

    said = world.finish(slot)
    assert len(orders(said)) == (2 if repair == "eager" else wanted - 1)

    held = 1
    for copy in orders(said):
        assert (Reply(waiter, done(world, "a.mp4")) in said) == (held == wanted)
        assert isinstance(copy, Copy)
        said = world.arrive(copy)
        held += 1
    assert (Reply(waiter, done(world, "a.mp4")) in said) == (held == wanted)
    assert world.wait("up") == [Reply(world.request, done(world, "a.mp4"))]


def test_with_repair_by_scan_an_upload_that_nobody_awaits_is_not_copied_before_the_scan() -> None:
    world = lab(keepers=3, repair="scan")
    slot = value_of(world.begin("a.mp4", upload="up", ack_replicas=3))

    assert orders(world.finish(slot)) == []
    assert orders(world.wait("up")) == [
        Copy(slot.version, "keeper-1", "keeper-2"),
        Copy(slot.version, "keeper-1", "keeper-3"),
    ]


def test_a_waiter_whose_hold_expires_is_told_how_far_it_is() -> None:
    """Guarantee 8: every call ends."""
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4", upload="up", ack_replicas=2))
    assert world.wait("up", hold_s=1.0) == []
    early = world.request
    world.finish(slot)
    assert world.wait("up", hold_s=2.0) == []
    late = world.request

    assert world.tick(at=0.999) == []
    assert world.tick(at=1.0) == [Reply(early, pending(1))]
    assert world.tick(at=1.999) == []
    assert world.tick(at=2.0) == [Reply(late, pending(1))]
    assert world.tick(at=2.5) == []


def test_a_hold_of_no_time_is_answered_at_once() -> None:
    world = lab(keepers=3)
    world.begin("a.mp4", upload="up")

    assert world.wait("up", hold_s=0.0) == [Reply(world.request, pending(0))]


def test_several_waiters_of_one_upload_are_all_told() -> None:
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4", upload="up"))
    world.wait("up")
    world.wait("up")
    waiters = (world.request - 1, world.request)

    said = world.finish(slot)

    assert [one for one in said if isinstance(one, Reply)][1:] == [
        Reply(waiter, done(world, "a.mp4")) for waiter in waiters
    ]


def test_an_unknown_upload_is_answered_at_once() -> None:
    world = lab(keepers=1)

    assert world.wait("never begun") == [Reply(world.request, UNKNOWN)]


def test_an_upload_on_a_keeper_that_died_is_not_acknowledged_until_a_copy_lives() -> None:
    """Guarantee 1: copies on keepers that are dead do not count."""
    world = lab(keepers=3)
    said = world.upload("a.mp4", upload="up", on="keeper-1")
    copy = orders(said)[0]
    world.run(3.0, silent=["keeper-1"])

    assert world.wait("up") == []
    waiter = world.request
    assert isinstance(copy, Copy)
    assert Reply(waiter, done(world, "a.mp4")) not in world.stored("keeper-2", "other", size=1, content="")
    version = world.version("a.mp4")
    said = world.stored("keeper-2", version.id, size=25, content="a.mp4", copy_id="given up")
    assert Reply(waiter, done(world, "a.mp4")) in said


def test_an_upload_that_was_overwritten_before_its_copies_came_is_acknowledged_all_the_same() -> None:
    """FAULTS 28: it was whole and current once; who came later won."""
    world = lab(keepers=3)
    world.begin("a.mp4", upload="first", ack_replicas=3, on="keeper-1")
    (slot,) = [attempt.slot for attempt in world.attempts.values()]
    world.finish(slot)
    world.wait("first")
    waiter = world.request

    said = world.upload("a.mp4", upload="second", on="keeper-2", content="new")

    old = FileInfo("a.mp4", slot.version, 25, (), UNIX_S)
    assert Reply(waiter, UploadState(known=True, copies=0, acknowledged=old)) in said


# -- overwriting --------------------------------------------------------------------------------


def test_an_overwrite_makes_a_new_version_and_drops_the_old_replicas() -> None:
    """Guarantee 3; the old version is marked deleted before the new one is current, in one piece."""
    world = lab(keepers=3)
    old = world.store("a.mp4")
    slot = value_of(world.begin("a.mp4", upload="second", on="keeper-2", content="new"))

    said = world.finish(slot)

    new = world.version("a.mp4")
    assert new.id == slot.version
    records: tuple[CatalogRecord, ...] = (
        PutVersion(world.catalog.versions[old.id]),
        PutVersion(new),
        PutUpload("second", new.id, 1, UNIX_S),
        PutReplica(new.id, "keeper-2", path_of("keeper-2", new.id)),
    )
    assert world.catalog.versions[old.id].deleted
    assert said == [
        AppendCatalog(records),
        Drop(old.id, "keeper-1"),
        Drop(old.id, "keeper-2"),
        Drop(old.id, "keeper-3"),
        Reply(world.request, Recorded(keep=True)),
        Copy(new.id, "keeper-2", "keeper-1"),
        Copy(new.id, "keeper-2", "keeper-3"),
    ]
    for number in (1, 2):
        assert world.dropped(Drop(old.id, f"keeper-{number}")) == [
            AppendCatalog((ForgetReplica(old.id, f"keeper-{number}"),)),
            Reply(world.request, None),
        ]
    assert world.dropped(Drop(old.id, "keeper-3")) == [
        AppendCatalog((ForgetReplica(old.id, "keeper-3"), ForgetVersion(old.id))),
        Reply(world.request, None),
    ]


def test_an_overwrite_ends_the_copies_of_the_old_version_and_a_late_one_is_told_to_go() -> None:
    """FAULTS 29: overwritten during a repair."""
    world = lab(keepers=3)
    copy, _ = orders(world.upload("a.mp4"))
    assert isinstance(copy, Copy)

    world.upload("a.mp4", upload="second", content="new", on="keeper-3")
    failed = [event for event in world.notes if event.kind is Kind.COPY_FAILED]

    assert [event.detail["reason"] for event in failed] == ["overwritten", "overwritten"]
    said = world.arrive(copy)
    assert said == [Reply(world.request, Recorded(keep=False, reason="the file was deleted or overwritten meanwhile"))]


def test_an_overwrite_of_a_file_with_surplus_replicas_leaves_nothing_for_the_scans_to_stumble_over() -> None:
    world = lab(keepers=4)
    old = world.store("a.mp4")
    world.register("keeper-4", old)
    assert len(world.states("a.mp4")) == 4
    world.store("a.mp4", upload="second", content="new")
    for number in (1, 2, 3, 4):
        world.dropped(Drop(old.id, f"keeper-{number}"))

    assert orders(world.run(60.0)) == []


def test_uploads_of_one_name_by_many_at_once_have_one_whole_winner_each_time() -> None:
    """FAULTS 28."""
    world = lab(keepers=5)
    slots = [value_of(world.begin("a.mp4", upload=f"up-{n}", content=f"bytes {n}")) for n in range(8)]

    for number, slot in enumerate(slots):
        world.finish(slot)
        assert world.master.stat("a.mp4").version == slot.version
        assert world.version("a.mp4").checksums == checksums_of(f"bytes {number}", 25)


# -- forgetting ---------------------------------------------------------------------------------


def test_an_upload_id_is_forgotten_when_nobody_retries_it_any_more() -> None:
    world = lab(keepers=1, replicas=1)
    world.store("a.mp4", upload="done")
    world.begin("b.mp4", upload="never finished")

    assert world.run(Options().upload_memory_s, step=Options().upload_memory_s) == []
    assert world.tick(at=Options().upload_memory_s + 0.1) == [AppendCatalog((ForgetUpload("done"),))]
    assert world.catalog.uploads == {}
    assert world.wait("done") == [Reply(world.request, UNKNOWN)]
    assert world.wait("never finished") == [Reply(world.request, UNKNOWN)]


def test_an_upload_that_a_client_still_waits_for_is_not_forgotten_under_it() -> None:
    world = lab(keepers=1)
    world.begin("a.mp4", upload="up")
    world.wait("up", hold_s=10.0, at=Options().upload_memory_s - 1.0)
    waiter = world.request

    said = world.tick(at=Options().upload_memory_s + 1.0) + world.tick(at=Options().upload_memory_s + 9.0)

    assert said == [Reply(waiter, pending(0))]
    assert world.wait("up", at=Options().upload_memory_s + 10.0) == [Reply(world.request, UNKNOWN)]
