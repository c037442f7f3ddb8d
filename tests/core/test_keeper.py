"""A data keeper's decisions: its standing with the master, what it takes in, fetches and deletes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from dfslab.core.blocks import BLOCK_SIZE, MAX_CHECKSUMS_BYTES
from dfslab.core.errors import InvalidTransition, LimitReached, NoSuchReplica, NotReady, StaleIncarnation, StorageFailed
from dfslab.core.keeper import Keeper
from dfslab.core.keeper.events import (
    BeatNow,
    CopyOrdered,
    DeleteFailed,
    DropOrdered,
    Event,
    FetchFailed,
    HeartbeatAnswered,
    MasterSilent,
    PutRequested,
    RegisterAnswered,
    RegistrationLapsed,
    RegistrationRefused,
    ReplicaDeleted,
    ReplicaWritten,
    ReportGivenUp,
    SourceOrdered,
    StoredAnswered,
    Tick,
    WriteAborted,
)
from dfslab.core.keeper.instructions import (
    DeleteReplica,
    Fetch,
    Instruction,
    Note,
    SendCopyFailed,
    SendDropped,
    SendHeartbeat,
    SendRegister,
    SendStored,
    Stop,
)
from dfslab.core.keeper.keeper import HEADROOM_BYTES, MEMBERSHIP, Membership, next_membership
from dfslab.core.model import Address, StoredReplica, Version
from dfslab.core.trace import Kind
from tests.core.leave import CLOCK, ticket

FREE = 1 << 30
OLD = StoredReplica("v-old", 25, 1, "/k/v-old")
NEW = StoredReplica("v-new", 25, 2, "/k/v-new")
WRITTEN = ReplicaWritten(NEW, 10, b"x" * 12)
VERSION = Version("v-new", "a.mp4", 25, 10, b"x" * 12, 0.0)
STANDING_EVENTS: tuple[type, ...] = (
    RegisterAnswered,
    HeartbeatAnswered,
    MasterSilent,
    RegistrationLapsed,
    RegistrationRefused,
    ReportGivenUp,
)


def keeper(*holds: StoredReplica, incarnation: int = 0) -> Keeper:
    """Return a keeper that is registered under `incarnation`, or not yet when that is 0."""
    made = Keeper("keeper-1", "boot", holds, heartbeat_interval_s=1.0, heartbeat_timeout_s=3.0)
    if incarnation:
        assert made.handle(RegisterAnswered(incarnation, clock=CLOCK), 0.0) == []
    return made


def wants_to_put(
    version: str = "v-new", size: int = 25, free_bytes: int = FREE, block_size: int = BLOCK_SIZE
) -> PutRequested:
    """Return the request of a client with a good, fresh ticket."""
    return PutRequested(version, size, block_size, free_bytes, ticket(version=version, length=size))


def order(copy_id: str = "c1", incarnation: int = 1) -> CopyOrdered:
    return CopyOrdered(copy_id, VERSION, "keeper-2", Address("h", 1), incarnation, "master.1:1")


def without_notes(todo: list[Instruction]) -> list[Instruction]:
    return [one for one in todo if not isinstance(one, Note)]


def kinds(todo: list[Instruction]) -> list[Kind]:
    return [one.event.kind for one in todo if isinstance(one, Note)]


# -- its standing -------------------------------------------------------------------------------


def made(kind: type) -> Event:
    arguments: dict[type, tuple[Any, ...]] = {
        RegisterAnswered: (1,),
        MasterSilent: ("it is dead",),
        RegistrationLapsed: (1,),
        RegistrationRefused: ("fenced",),
    }
    event: Event = kind(*arguments.get(kind, ()))
    return event


@pytest.mark.parametrize(("pair", "after"), list(MEMBERSHIP.items()))
def test_every_listed_pair_leads_to_its_standing(pair: tuple[Membership, type], after: Membership) -> None:
    assert next_membership(pair[0], made(pair[1])) is after


@pytest.mark.parametrize("pair", list(itertools.product(Membership, STANDING_EVENTS)))
def test_answers_may_come_late_and_in_any_order(pair: tuple[Membership, type]) -> None:
    """An answer can overtake another on the way, so there is none that a standing can't meet."""
    assert pair in MEMBERSHIP


def test_an_event_that_is_no_answer_is_a_bug_and_says_so() -> None:
    with pytest.raises(InvalidTransition, match="membership in state member met Tick"):
        next_membership(Membership.MEMBER, Tick(0))


def test_who_is_out_stays_out() -> None:
    """FAULTS 26, 27: a fenced process must stop."""
    assert {after for (before, _), after in MEMBERSHIP.items() if before is Membership.OUT} == {Membership.OUT}


def test_a_new_keeper_registers_with_what_is_on_its_disk_until_it_is_answered() -> None:
    k = keeper(OLD)

    assert k.handle(Tick(FREE), 0.0) == [SendRegister((OLD,))]
    assert k.handle(MasterSilent("nobody listens"), 0.1) == []
    assert k.handle(Tick(FREE), 0.9) == []
    assert k.handle(Tick(FREE), 1.0) == [SendRegister((OLD,))]
    assert k.handle(RegisterAnswered(4), 1.2) == []
    assert (k.membership, k.incarnation) == (Membership.MEMBER, 4)


def test_a_member_sends_a_heartbeat_every_interval() -> None:
    """DESIGN §2: every 1 s."""
    k = keeper(incarnation=3)

    assert k.handle(Tick(FREE), 0.999) == []
    assert k.handle(Tick(FREE), 1.0) == [SendHeartbeat(3, FREE)]
    assert k.handle(HeartbeatAnswered(), 1.1) == []
    assert k.next_wake_s == 2.0
    assert k.handle(Tick(7), 2.5) == [SendHeartbeat(3, 7)]
    assert k.next_wake_s == 3.5


def test_a_heartbeat_can_be_had_at_once() -> None:
    k = keeper(incarnation=3)

    assert k.handle(BeatNow(FREE), 0.2) == [SendHeartbeat(3, FREE)]
    assert k.handle(Tick(FREE), 1.0) == []
    assert k.handle(Tick(FREE), 1.2) == [SendHeartbeat(3, FREE)]


def test_the_master_may_set_the_pace() -> None:
    k = keeper()
    k.handle(RegisterAnswered(1, heartbeat_interval_s=0.1, heartbeat_timeout_s=0.3), 0.0)

    assert k.handle(Tick(FREE), 0.1) == [SendHeartbeat(1, FREE)]
    with pytest.raises(NotReady):
        k.handle(wants_to_put(), 0.31)


def test_a_lapsed_registration_is_renewed_at_once_with_a_full_report() -> None:
    """FAULTS 21: back as a new incarnation."""
    k = keeper(OLD, incarnation=1)

    todo = k.handle(RegistrationLapsed(1), 5.0)

    assert without_notes(todo) == [SendRegister((OLD,))]
    assert kinds(todo) == [Kind.REGISTRATION_LAPSED]
    assert k.membership is Membership.JOINING
    k.handle(RegisterAnswered(2), 5.1)
    assert k.handle(Tick(FREE), 6.1) == [SendHeartbeat(2, FREE)]


def test_a_registration_that_is_being_renewed_is_not_renewed_twice() -> None:
    """Two reports under way could overtake each other, and the older one be believed."""
    k = keeper(OLD, incarnation=1)
    k.handle(RegistrationLapsed(1), 5.0)

    assert k.handle(RegistrationLapsed(1), 5.1) == []
    assert k.handle(MasterSilent("no answer in time"), 5.9) == []
    assert k.handle(Tick(FREE), 6.0) == [SendRegister((OLD,))]


def test_what_was_said_before_the_standing_registration_does_not_end_it() -> None:
    """Guarantee 6: a heartbeat's refusal that comes late says nothing of the registration made since."""
    k = keeper(OLD, incarnation=1)
    k.handle(RegistrationLapsed(1), 5.0)
    k.handle(RegisterAnswered(2), 5.1)

    assert k.handle(RegistrationLapsed(1), 5.2) == []
    assert k.membership is Membership.MEMBER


def test_a_report_that_is_given_up_leaves_it_to_a_registration() -> None:
    """FAULTS 4: never half-known."""
    k = keeper(OLD, incarnation=1)

    assert k.handle(ReportGivenUp(), 5.0) == [SendRegister((OLD,))]
    assert k.handle(ReportGivenUp(), 5.1) == []


def test_an_answer_that_was_overtaken_does_not_turn_the_incarnation_back() -> None:
    k = keeper(incarnation=5)

    k.handle(RegisterAnswered(4), 0.1)

    assert k.incarnation == 5


def test_a_fenced_keeper_stops_and_says_why() -> None:
    """FAULTS 26, 27."""
    k = keeper(incarnation=1)

    todo = k.handle(RegistrationRefused("another process has registered as keeper-1"), 1.0)

    assert without_notes(todo) == [Stop("another process has registered as keeper-1")]
    assert kinds(todo) == [Kind.KEEPER_FENCED]
    assert k.handle(Tick(FREE), 10.0) == []
    assert k.handle(RegistrationLapsed(1), 10.1) == []
    assert k.handle(RegisterAnswered(9), 10.2) == []
    with pytest.raises(NotReady):
        k.handle(wants_to_put(), 10.3)


# -- uploads ------------------------------------------------------------------------------------


def test_an_upload_is_taken_written_and_told_to_the_master() -> None:
    """DESIGN §2, steps 3 and 4."""
    k = keeper(incarnation=2)

    assert k.handle(wants_to_put(), 0.5) == []
    assert k.replicas() == ()
    todo = k.handle(WRITTEN, 0.7)

    (note,) = [one.event for one in todo if isinstance(one, Note)]
    assert (note.kind, note.version, note.bytes, note.time_s) == (Kind.REPLICA_STORED, "v-new", 25, 0.7)
    assert without_notes(todo) == [SendStored(2, WRITTEN, note.id)]
    assert k.holds("v-new") == NEW
    assert k.handle(StoredAnswered("v-new", keep=True, reason=""), 0.8) == []
    assert k.replicas() == (NEW,)


def test_a_replica_that_does_not_count_is_deleted() -> None:
    """FAULTS 5, 29."""
    k = keeper(incarnation=2)
    k.handle(wants_to_put(), 0.5)
    k.handle(WRITTEN, 0.7)

    todo = k.handle(StoredAnswered("v-new", keep=False, reason="the master knows no such upload"), 0.8)

    assert todo == [DeleteReplica("v-new")]
    assert k.replicas() == ()
    assert k.handle(StoredAnswered("v-new", keep=False, reason="again"), 0.9) == []
    assert k.handle(ReplicaDeleted("v-new"), 1.0) == []


def test_an_upload_that_breaks_off_leaves_nothing() -> None:
    """FAULTS 1, 2."""
    k = keeper(incarnation=1)
    k.handle(wants_to_put(), 0.5)

    assert k.handle(WriteAborted("v-new"), 0.6) == []
    with pytest.raises(NoSuchReplica, match="keeper-1 holds no replica of version v-new"):
        k.holds("v-new")
    assert k.handle(wants_to_put(), 0.7) == []


@pytest.mark.parametrize("now", [0.0, 3.0])
def test_a_member_takes_files_while_the_master_answers(now: float) -> None:
    k = keeper(incarnation=1)

    assert k.handle(wants_to_put(), now) == []


def test_a_keeper_that_the_master_does_not_answer_takes_no_files() -> None:
    """FAULTS 22: nothing committed on a lapsed registration; so nothing is begun on one either."""
    k = keeper(incarnation=1)
    k.handle(MasterSilent("no answer in time"), 1.0)

    with pytest.raises(NotReady, match="try another keeper"):
        k.handle(wants_to_put(), 3.01)
    k.handle(HeartbeatAnswered(), 3.02)
    assert k.handle(wants_to_put(), 6.0) == []


def test_a_keeper_that_is_not_registered_takes_no_files() -> None:
    with pytest.raises(NotReady):
        keeper().handle(wants_to_put(), 0.0)


def test_a_version_is_taken_once() -> None:
    """Guarantee 3: versions are immutable; two senders can't mix."""
    k = keeper(OLD, incarnation=1)
    k.handle(wants_to_put(), 0.1)

    for version in ("v-new", "v-old"):
        with pytest.raises(StorageFailed, match="is there already"):
            k.handle(wants_to_put(version), 0.2)


def test_a_file_that_does_not_fit_is_refused_before_a_byte_is_sent() -> None:
    """FAULTS 13: a typed error, and the old data intact."""
    k = keeper(OLD, incarnation=1)
    size = 1000

    with pytest.raises(StorageFailed, match="1000 bytes do not fit"):
        k.handle(wants_to_put(size=size, free_bytes=size + HEADROOM_BYTES - 1), 0.1)
    assert k.handle(wants_to_put(size=size, free_bytes=size + HEADROOM_BYTES), 0.2) == []
    assert k.replicas() == (OLD,)


# -- copies -------------------------------------------------------------------------------------


def test_a_copy_is_fetched_from_its_source_and_told_to_the_master() -> None:
    """DESIGN §2: both ends are notified; step 7."""
    k = keeper(incarnation=1)

    todo = k.handle(order(), 1.0)
    (note,) = [one.event for one in todo if isinstance(one, Note)]
    assert (note.kind, note.peer, note.cause, note.detail["copy"]) == (
        Kind.COPY_STARTED,
        "keeper-2",
        "master.1:1",
        "c1",
    )
    assert without_notes(todo) == [Fetch(order())]

    written = ReplicaWritten(NEW, 10, b"x" * 12, copy_id="c1", cause="master.1:1")
    todo = k.handle(written, 2.0)
    (note,) = [one.event for one in todo if isinstance(one, Note)]
    assert without_notes(todo) == [SendStored(1, written, note.id)]
    assert (note.cause, note.detail["copy"]) == ("master.1:1", "c1")


def test_a_copy_that_fails_is_told_to_the_master_and_may_be_ordered_again() -> None:
    k = keeper(incarnation=1)
    k.handle(order(), 1.0)

    todo = k.handle(FetchFailed("c1", "v-new", "keeper-2 broke off", source_at_fault=True), 2.0)

    assert todo == [SendCopyFailed("c1", "keeper-2 broke off", True)]
    assert without_notes(k.handle(order("c2"), 3.0)) == [Fetch(order("c2"))]


def test_a_copy_ordered_twice_is_fetched_once() -> None:
    k = keeper(incarnation=1)
    k.handle(order("c1"), 1.0)

    assert k.handle(order("c1"), 1.1) == []


def test_a_copy_is_refused_while_an_earlier_one_of_the_version_is_still_arriving() -> None:
    """FAULTS 9: its source froze and the master gave it up; an order that fell silent would hold up the repair."""
    k = keeper(incarnation=1)
    k.handle(order("c1"), 1.0)

    with pytest.raises(StorageFailed, match="an earlier copy of v-new is still arriving"):
        k.handle(order("c2"), 1.1)
    k.handle(FetchFailed("c1", "v-new", "it stalled", source_at_fault=True), 2.0)
    assert without_notes(k.handle(order("c3"), 3.0)) == [Fetch(order("c3"))]


def test_a_source_says_whether_it_can_serve() -> None:
    k = keeper(OLD, incarnation=1)

    assert k.handle(SourceOrdered("c1", "v-old", "keeper-2", 1, ""), 1.0) == []
    with pytest.raises(NoSuchReplica):
        k.handle(SourceOrdered("c1", "v-new", "keeper-2", 1, ""), 1.0)


# -- drops --------------------------------------------------------------------------------------


def test_an_ordered_drop_deletes_the_replica_and_then_tells_the_master() -> None:
    k = keeper(OLD, incarnation=1)

    assert k.handle(DropOrdered("v-old", 1, "master.1:9"), 1.0) == [DeleteReplica("v-old")]
    assert k.replicas() == ()
    todo = k.handle(ReplicaDeleted("v-old"), 1.5)

    (note,) = [one.event for one in todo if isinstance(one, Note)]
    assert (note.kind, note.version, note.bytes, note.cause) == (Kind.REPLICA_DROPPED, "v-old", 25, "master.1:9")
    assert without_notes(todo) == [SendDropped("v-old", 1)]


def test_a_drop_of_what_is_not_there_is_confirmed_all_the_same() -> None:
    """The confirmation may have been lost; the order is repeated until one arrives."""
    k = keeper(incarnation=1)

    assert k.handle(DropOrdered("v-old", 1, ""), 1.0) == [DeleteReplica("v-old")]
    assert without_notes(k.handle(ReplicaDeleted("v-old"), 1.1)) == [SendDropped("v-old", 1)]


def test_a_drop_that_is_repeated_while_the_disk_is_slow_is_done_once() -> None:
    k = keeper(OLD, incarnation=1)
    k.handle(DropOrdered("v-old", 1, ""), 1.0)

    assert k.handle(DropOrdered("v-old", 1, ""), 11.0) == []


def test_a_drop_that_the_disk_refuses_is_not_confirmed_and_what_remains_is_reported() -> None:
    """FAULTS 15: the master repeats the order with its next scan; until then it knows what is there."""
    k = keeper(OLD, incarnation=1)
    k.handle(DropOrdered("v-old", 1, "master.1:9"), 1.0)

    todo = k.handle(DeleteFailed("v-old", "Input/output error", remains=True), 1.1)

    (note,) = [one.event for one in todo if isinstance(one, Note)]
    assert (note.kind, note.version, note.cause) == (Kind.DISK_FAILED, "v-old", "master.1:9")
    assert without_notes(todo) == []
    assert k.replicas() == (OLD,)
    assert k.handle(DropOrdered("v-old", 1, "master.1:20"), 11.0) == [DeleteReplica("v-old")]


def test_a_replica_whose_data_went_before_the_disk_refused_the_rest_is_not_reported() -> None:
    k = keeper(OLD, incarnation=1)
    k.handle(DropOrdered("v-old", 1, ""), 1.0)

    k.handle(DeleteFailed("v-old", "Input/output error", remains=False), 1.1)

    assert k.replicas() == ()


def test_nothing_of_a_version_is_taken_in_while_an_earlier_replica_of_it_is_being_deleted() -> None:
    """The deletion, late on a slow disk, would take the new replica away, which the master counts on."""
    k = keeper(NEW, incarnation=1)
    k.handle(DropOrdered("v-new", 1, ""), 1.0)
    k.handle(RegistrationLapsed(1), 2.0)
    k.handle(RegisterAnswered(2), 2.1)

    for event in (order(incarnation=2), wants_to_put()):
        with pytest.raises(StorageFailed, match="being deleted"):
            k.handle(event, 2.2)
    k.handle(ReplicaDeleted("v-new"), 2.3)
    assert without_notes(k.handle(order(incarnation=2), 2.4)) == [Fetch(order(incarnation=2))]


def test_a_copy_of_what_is_there_already_is_refused() -> None:
    """Guarantee 3: nothing is written over a replica."""
    k = keeper(NEW, incarnation=1)

    with pytest.raises(StorageFailed, match="is there already"):
        k.handle(order(), 1.0)


ORDERS: list[Event] = [
    order(incarnation=1),
    SourceOrdered("c1", "v-old", "keeper-2", 1, ""),
    DropOrdered("v-old", 1, ""),
]


@pytest.mark.parametrize("event", ORDERS, ids=lambda event: type(event).__name__)
def test_orders_to_an_earlier_incarnation_are_refused_and_change_nothing(event: Event) -> None:
    """Guarantee 6: the master must see the newest report before it decides."""
    k = keeper(OLD, incarnation=2)

    with pytest.raises(StaleIncarnation, match="incarnation 1 of keeper-1 has lapsed"):
        k.handle(event, 1.0)
    assert k.replicas() == (OLD,)


@pytest.mark.parametrize("event", ORDERS, ids=lambda event: type(event).__name__)
def test_orders_are_refused_while_the_registration_is_renewed(event: Event) -> None:
    """Guarantee 6: a report is under way, and what it says must still be true when it is believed."""
    k = keeper(OLD, incarnation=1)
    k.handle(RegistrationLapsed(1), 1.0)

    with pytest.raises(StaleIncarnation):
        k.handle(event, 1.1)
    assert k.replicas() == (OLD,)


def test_a_file_with_more_checksums_than_a_message_holds_is_refused_before_it_is_received() -> None:
    """With blocks of one byte, a client could have a keeper hold four bytes of checksums a byte."""
    k = keeper(incarnation=1)
    most = MAX_CHECKSUMS_BYTES // 4

    with pytest.raises(LimitReached):
        k.handle(wants_to_put(size=most + 1, block_size=1), 0.0)

    assert k.handle(wants_to_put(size=most, block_size=1), 0.0) == []
