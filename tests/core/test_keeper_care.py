"""A keeper's care for what it holds: scrubbing in virtual time, and damage that is told until it is heard."""

from __future__ import annotations

import pytest

from dfslab.core.errors import BadReplica, NotReady
from dfslab.core.keeper import Keeper
from dfslab.core.keeper.events import (
    BadHeard,
    DeleteFailed,
    DropOrdered,
    FoundBad,
    HeartbeatAnswered,
    RegisterAnswered,
    RegistrationLapsed,
    ReplicaDeleted,
    ReplicaOpened,
    ReplicaWritten,
    ScrubBroken,
    ScrubDone,
    ScrubFailed,
    ScrubNow,
    SourceOrdered,
    Tick,
)
from dfslab.core.keeper.instructions import (
    DeleteReplica,
    Instruction,
    Note,
    Scrub,
    ScrubPassDone,
    SendBad,
    SendHeartbeat,
    SendRegister,
    SendStored,
)
from dfslab.core.keeper.shelf import UNKNOWN_DIGEST
from dfslab.core.model import CheckedReplica, StoredReplica
from dfslab.core.trace import Kind, TraceEvent

FREE = 1 << 30
A = StoredReplica("v-a", 100, 1, "/k/v-a")
B = StoredReplica("v-b", 200, 2, "/k/v-b")
C = StoredReplica("v-c", 300, 3, "/k/v-c")
NO_CHECKSUMS = StoredReplica("v-d", 400, UNKNOWN_DIGEST, "/k/v-d")
FLIPPED = "block 0 of 1 (counted from 0) fails its checksum"


def keeper(*holds: StoredReplica, interval_s: float | None = 60.0) -> Keeper:
    """Return a keeper that registered at 0 s under incarnation 1; its heartbeats are far apart."""
    made = Keeper("keeper-1", "boot", holds, heartbeat_interval_s=1000.0, heartbeat_timeout_s=3000.0)
    assert made.handle(joined(interval_s=interval_s), 0.0) == []
    return made


def joined(incarnation: int = 1, interval_s: float | None = 60.0) -> RegisterAnswered:
    return RegisterAnswered(incarnation, scrub_interval_s=interval_s, scrub_rate_mb_s=16.0)


def notes(todo: list[Instruction]) -> list[TraceEvent]:
    return [one.event for one in todo if isinstance(one, Note)]


def without_notes(todo: list[Instruction]) -> list[Instruction]:
    return [one for one in todo if not isinstance(one, Note)]


def read_all(k: Keeper, todo: list[Instruction], now: float) -> tuple[list[str], list[Instruction]]:
    """Let every replica that is asked for be good; return the versions in their order, and what came last."""
    versions = []
    while scrubs := [one for one in todo if isinstance(one, Scrub)]:
        (scrub,) = scrubs
        versions.append(scrub.stored.version)
        todo = k.handle(ScrubDone(scrub.number), now)
    return versions, todo


# -- passes -------------------------------------------------------------------------------------


def test_after_a_start_every_replica_is_read_again_one_at_a_time_and_the_pass_leaves_one_line() -> None:
    k = keeper(A, B)

    assert k.next_wake_s == 0.0
    assert k.handle(Tick(FREE), 0.1) == [Scrub(1, A, 16.0)]
    assert k.handle(Tick(FREE), 0.2) == [], "one at a time"
    assert k.next_wake_s == 1000.0, "nothing to wake for while one is read"
    assert k.handle(ScrubDone(1), 5.1) == [Scrub(2, B, 16.0)]
    todo = k.handle(ScrubDone(2), 10.1)

    (note,) = notes(todo)
    assert without_notes(todo) == []
    assert (note.kind, note.node, note.bytes) == (Kind.SCRUB_DONE, "keeper-1", 300)
    assert dict(note.detail) == {"replicas": 2, "bad": 0, "seconds": 10.0}


def test_a_pass_begins_an_interval_after_the_last_one_began() -> None:
    k = keeper(A)
    read_all(k, k.handle(Tick(FREE), 0.0), 20.0)

    assert k.next_wake_s == 60.0
    assert k.handle(Tick(FREE), 59.9) == []
    assert k.handle(Tick(FREE), 60.0) == [Scrub(2, A, 16.0)]


def test_a_pass_that_took_longer_than_the_interval_is_followed_by_the_next_at_once() -> None:
    k = keeper(A)
    read_all(k, k.handle(Tick(FREE), 0.0), 100.0)

    assert k.next_wake_s == 60.0
    assert k.handle(Tick(FREE), 100.1) == [Scrub(2, A, 16.0)]


def test_what_was_written_just_now_waits_for_an_interval() -> None:
    k = keeper(A)
    read_all(k, k.handle(Tick(FREE), 0.0), 1.0)
    written = ReplicaWritten(B, 10, b"x" * 4)
    assert isinstance(k.handle(written, 30.0)[-1], SendStored)

    assert read_all(k, k.handle(Tick(FREE), 60.0), 61.0)[0] == ["v-a"]
    assert read_all(k, k.handle(Tick(FREE), 120.0), 121.0)[0] == ["v-b", "v-a"], "the longest unchecked first"


def test_the_replica_that_was_checked_longest_ago_comes_first() -> None:
    k = keeper(A, B, C)
    first = k.handle(Tick(FREE), 0.0)
    k.handle(RegistrationLapsed(1), 1.0)  # the pass stops after v-a
    assert k.handle(ScrubDone(1), 2.0) == []
    assert first == [Scrub(1, A, 16.0)]
    k.handle(joined(2), 3.0)

    assert read_all(k, k.handle(ScrubNow("lab"), 4.0), 5.0)[0] == ["v-b", "v-c", "v-a"]


def test_a_keeper_that_is_not_registered_does_not_scrub_and_goes_on_when_it_is_again() -> None:
    k = keeper(A, B)
    k.handle(Tick(FREE), 0.0)
    k.handle(RegistrationLapsed(1), 1.0)

    assert k.handle(ScrubDone(1), 2.0) == []
    assert k.handle(Tick(FREE), 3.0) == []
    with pytest.raises(NotReady):
        k.handle(ScrubNow("lab"), 3.0)
    k.handle(joined(2), 4.0)
    assert k.handle(Tick(FREE), 5.0) == [Scrub(2, B, 16.0)]


def test_a_new_keeper_scrubs_nothing_before_it_is_registered() -> None:
    k = Keeper("keeper-1", "boot", (A,), heartbeat_interval_s=1.0, heartbeat_timeout_s=3.0)

    assert k.handle(Tick(FREE), 0.0) == [SendRegister((A,))]


def test_a_master_that_names_no_interval_wants_no_scrubbing() -> None:
    k = keeper(A, interval_s=None)

    assert k.next_wake_s == 1000.0
    assert k.handle(Tick(FREE), 500.0) == []


def test_an_empty_keeper_says_nothing_and_looks_again_after_an_interval() -> None:
    k = keeper()

    assert k.handle(Tick(FREE), 0.0) == []
    assert k.next_wake_s == 60.0


def test_a_replica_that_is_deleted_while_it_is_read_is_neither_good_nor_bad() -> None:
    k = keeper(A, B)
    k.handle(Tick(FREE), 0.0)
    assert k.handle(DropOrdered("v-a", 1, ""), 1.0) == [DeleteReplica("v-a")]

    assert k.handle(ScrubFailed(1, "its data are missing"), 1.5) == []
    assert read_all(k, k.handle(Tick(FREE), 2.0), 3.0)[0] == ["v-b"]


# -- passes that are asked for ------------------------------------------------------------------


def test_a_bad_replica_that_is_replaced_before_the_pass_ends_is_still_among_what_it_found() -> None:
    """A good copy elsewhere may be made, and the bad one deleted, while the next replica is being read."""
    k = keeper(A, B)
    read_all(k, k.handle(Tick(FREE), 0.0), 0.5)
    assert k.handle(ScrubNow("lab"), 1.0) == [Scrub(3, A, 16.0)]
    k.handle(ScrubFailed(3, FLIPPED), 1.5)
    assert k.handle(DropOrdered("v-a", 1, ""), 1.6) == [DeleteReplica("v-a")]
    k.handle(ReplicaDeleted("v-a"), 1.7)

    todo = k.handle(ScrubDone(4), 2.0)

    assert ScrubPassDone(("lab",), (CheckedReplica("v-a", 100, FLIPPED), CheckedReplica("v-b", 200))) in todo


def test_a_scrub_that_is_asked_for_reads_everything_at_once_and_says_what_it_found() -> None:
    k = keeper(A, NO_CHECKSUMS)
    read_all(k, k.handle(Tick(FREE), 0.0), 1.0)
    k.handle(ReplicaWritten(B, 10, b"x" * 4), 2.0)

    assert k.handle(ScrubNow("lab"), 3.0) == [Scrub(2, A, 16.0)], "v-d is known to be bad and not read"
    assert without_notes(k.handle(ScrubFailed(2, FLIPPED), 3.1))[1:] == [Scrub(3, B, 16.0)]
    todo = k.handle(ScrubDone(3), 3.2)

    done = next(one for one in todo if isinstance(one, ScrubPassDone))
    assert done.asked == ("lab",)
    assert set(done.checked) == {
        CheckedReplica("v-a", 100, FLIPPED),
        CheckedReplica("v-b", 200),
        CheckedReplica("v-d", 400, "its checksums file is missing or damaged"),
    }


def test_a_question_in_the_middle_of_a_pass_begins_it_anew_since_what_was_read_may_be_damaged_by_now() -> None:
    k = keeper(A, B)
    k.handle(Tick(FREE), 0.0)
    k.handle(ScrubDone(1), 1.0)

    assert k.handle(ScrubNow("lab"), 1.5) == [Scrub(3, B, 16.0)]
    assert k.handle(ScrubDone(2), 2.0) == [], "what was begun before the question is not its answer"
    versions, todo = read_all(k, k.handle(ScrubDone(3), 3.0), 4.0)
    assert versions == ["v-a"]
    assert ScrubPassDone(("lab",), (CheckedReplica("v-b", 200), CheckedReplica("v-a", 100))) in todo


def test_two_who_ask_are_both_told() -> None:
    k = keeper(A)
    k.handle(ScrubNow("one"), 0.0)

    _, todo = read_all(k, k.handle(ScrubNow("other"), 0.1), 1.0)

    assert ScrubPassDone(("one", "other"), (CheckedReplica("v-a", 100),)) in todo


def test_a_scrub_of_nothing_is_over_at_once() -> None:
    assert keeper().handle(ScrubNow("lab"), 1.0) == [ScrubPassDone(("lab",), ())]


# -- damage -------------------------------------------------------------------------------------


def test_damage_is_told_to_the_master_at_once_and_the_pass_goes_on() -> None:
    """FAULTS 16."""
    k = keeper(A, B)
    k.handle(Tick(FREE), 0.0)

    todo = k.handle(ScrubFailed(1, FLIPPED), 1.0)

    (note,) = notes(todo)
    assert (note.kind, note.version, note.bytes) == (Kind.DAMAGE_FOUND, "v-a", 100)
    assert dict(note.detail) == {"reason": FLIPPED, "finder": "scrubber"}
    assert without_notes(todo) == [SendBad("v-a", FLIPPED, note.id), Scrub(2, B, 16.0)]


def test_damage_that_the_master_did_not_hear_of_is_told_again_after_every_heartbeat_until_it_does() -> None:
    k = keeper(A)
    k.handle(Tick(FREE), 0.0)
    (note, *_) = notes(k.handle(ScrubFailed(1, FLIPPED), 1.0))

    for now in (2.0, 3.0):
        assert k.handle(HeartbeatAnswered(), now) == [SendBad("v-a", FLIPPED, note.id)]
    k.handle(BadHeard("v-a"), 3.1)
    assert k.handle(HeartbeatAnswered(), 4.0) == []


def test_what_is_bad_is_told_once_more_after_each_pass() -> None:
    """The master may have had no row of it when it heard."""
    k = keeper(A)
    k.handle(Tick(FREE), 0.0)
    k.handle(ScrubFailed(1, FLIPPED), 1.0)
    k.handle(BadHeard("v-a"), 1.1)

    (note,) = notes(k.handle(Tick(FREE), 60.0))
    assert dict(note.detail) == {"replicas": 1, "bad": 1, "seconds": 0.0}
    assert [type(one) for one in k.handle(HeartbeatAnswered(), 61.0)] == [SendBad]


def test_a_replica_that_is_bad_is_reported_as_fitting_no_version_and_is_nobodys_source() -> None:
    """FAULTS 16-19: whoever registers with it does not make it count again."""
    k = keeper(A, B)
    k.handle(FoundBad("v-a", "it can't be read: Input/output error"), 1.0)

    with pytest.raises(BadReplica, match="Input/output error"):
        k.handle(SourceOrdered("c1", "v-a", "keeper-2", 1, ""), 1.1)
    assert k.handle(SourceOrdered("c1", "v-b", "keeper-2", 1, ""), 1.1) == []
    (register,) = without_notes(k.handle(RegistrationLapsed(1), 2.0))
    assert isinstance(register, SendRegister)
    assert [(one.version, one.digest) for one in register.report] == [("v-a", UNKNOWN_DIGEST), ("v-b", 2)]


@pytest.mark.parametrize("size", [99, 101])
def test_a_length_that_is_not_the_stored_one_is_found_by_the_first_reader(size: int) -> None:
    """FAULTS 17: cut short, or too long."""
    k = keeper(A)

    todo = k.handle(ReplicaOpened("v-a", size), 1.0)

    (note,) = notes(todo)
    reason = f"its data are {size} bytes long, 100 were stored"
    assert (note.kind, dict(note.detail)) == (Kind.DAMAGE_FOUND, {"reason": reason, "finder": "reader"})
    assert without_notes(todo) == [SendBad("v-a", reason, note.id)]
    assert k.handle(ReplicaOpened("v-a", size), 1.1) == [], "once is enough"


def test_a_good_length_and_a_replica_that_is_not_there_are_no_damage() -> None:
    k = keeper(A)

    assert k.handle(ReplicaOpened("v-a", 100), 1.0) == []
    assert k.handle(ReplicaOpened("v-b", 7), 1.0) == []
    assert k.handle(FoundBad("v-b", "gone"), 1.0) == []


def test_damage_found_while_the_registration_is_renewed_is_told_when_the_master_answers_again() -> None:
    k = keeper(A)
    k.handle(RegistrationLapsed(1), 1.0)

    assert without_notes(k.handle(FoundBad("v-a", "EIO"), 1.5)) == []
    k.handle(joined(2), 2.0)
    assert [type(one) for one in k.handle(HeartbeatAnswered(), 3.0)] == [SendBad]


def test_a_bad_replica_that_was_deleted_is_forgotten_and_a_new_one_of_its_version_is_good() -> None:
    k = keeper(A)
    k.handle(FoundBad("v-a", "EIO"), 1.0)
    k.handle(DropOrdered("v-a", 1, ""), 2.0)
    assert k.handle(HeartbeatAnswered(), 2.1) == [], "it is on its way out"
    k.handle(ReplicaDeleted("v-a"), 2.2)

    k.handle(ReplicaWritten(A, 10, b"x" * 4, copy_id="c1"), 3.0)

    assert k.replicas() == (A,)


def test_a_bad_replica_that_could_not_be_deleted_is_still_bad() -> None:
    k = keeper(A)
    k.handle(FoundBad("v-a", "EIO"), 1.0)
    k.handle(DropOrdered("v-a", 1, ""), 2.0)

    k.handle(DeleteFailed("v-a", "EIO", remains=True), 2.1)

    assert [one.digest for one in k.replicas()] == [UNKNOWN_DIGEST]


def test_heartbeats_go_on_while_a_replica_is_read() -> None:
    k = Keeper("keeper-1", "boot", (A,), heartbeat_interval_s=1.0, heartbeat_timeout_s=3.0)
    k.handle(joined(), 0.0)

    assert k.handle(Tick(FREE), 0.0) == [Scrub(1, A, 16.0)]
    assert k.handle(Tick(FREE), 1.0) == [SendHeartbeat(1, FREE)]


def test_a_reading_that_ends_without_a_judgement_is_left_to_the_next_pass_and_holds_up_nothing() -> None:
    k = keeper(A, B)
    (first,) = k.handle(Tick(FREE), 1.0)[-1:]
    assert isinstance(first, Scrub)

    (second,) = k.handle(ScrubBroken(first.number), 2.0)

    assert isinstance(second, Scrub)
    assert (first.stored, second.stored) == (A, B)
    (note,) = notes(k.handle(ScrubDone(second.number), 3.0))
    assert (note.kind, note.detail["replicas"], note.detail["bad"]) == (Kind.SCRUB_DONE, 1, 0)
    assert read_all(k, k.handle(Tick(FREE), 70.0), 70.0)[0] == ["v-a", "v-b"]
    assert k.handle(ScrubBroken(first.number), 71.0) == []  # said twice
