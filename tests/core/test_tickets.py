"""Tickets and proofs: whatever is changed in one, it is refused, and nothing is refused that is good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.blocks import BLOCK_SIZE
from dfslab.core.errors import StorageFailed, TicketRefused
from dfslab.core.keeper import Keeper
from dfslab.core.keeper.events import (
    GetRequested,
    HeartbeatAnswered,
    PutRequested,
    RegisterAnswered,
    WriteAborted,
)
from dfslab.core.keeper.keeper import HEADROOM_BYTES
from dfslab.core.master import Master
from dfslab.core.master.instructions import CopyReplica
from dfslab.core.tickets import (
    READ_FLOOR_BYTES_S,
    READ_FLOOR_S,
    UPLOAD_START_S,
    MasterClock,
    ProofKey,
    Purpose,
    Ticket,
    TicketKey,
    get_bytes,
    put_bytes,
)
from tests.core.leave import BOOT, CLOCK, ticket
from tests.core.worlds import lab, value_of

KEY = b"the cluster's token"
FREE = 1 << 30
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
TICKETS = st.builds(
    Ticket,
    st.sampled_from(Purpose),
    WORDS,
    WORDS,
    WORDS,
    st.integers(0, 2**64 - 1),
    WORDS,
    st.floats(allow_nan=False),
    st.integers(0, 2**64 - 1),
)


def keeper(clock: MasterClock | None = CLOCK) -> Keeper:
    """Return keeper-1, registered, which has the cluster's key and has heard the time at 0 s."""
    made = Keeper("keeper-1", "boot", (), heartbeat_interval_s=1.0, heartbeat_timeout_s=1e6, key=KEY)
    made.handle(RegisterAnswered(1, clock=clock), 0.0)
    return made


def put(signed: bytes, version: str = "v-new", size: int = 25) -> PutRequested:
    return PutRequested(version, size, BLOCK_SIZE, FREE, signed)


def get(signed: bytes, offset: int = 0, length: int = 25, version: str = "v-new") -> GetRequested:
    return GetRequested(version, offset, length, signed)


def leave(purpose: Purpose = Purpose.UPLOAD, **claims: Any) -> bytes:
    return ticket(purpose, key=KEY, **claims)


# -- what is signed -----------------------------------------------------------------------------


@given(TICKETS)
def test_a_ticket_says_what_was_signed(made: Ticket) -> None:
    key = TicketKey(KEY)

    assert key.read(key.sign(made), "keeper-1") == made


@given(TICKETS, TICKETS)
def test_two_tickets_are_the_same_bytes_only_if_they_say_the_same(one: Ticket, other: Ticket) -> None:
    """So no claim can be read as another: where one text ends and the next begins is signed, too."""
    key = TicketKey(KEY)

    assert (key.sign(one) == key.sign(other)) == (one == other)


@given(TICKETS, st.data())
def test_any_changed_byte_is_refused(made: Ticket, data: st.DataObject) -> None:
    """FAULTS 38."""
    signed = bytearray(TicketKey(KEY).sign(made))
    at = data.draw(st.integers(0, len(signed) - 1))
    signed[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(TicketRefused, match="has not signed it"):
        TicketKey(KEY).read(bytes(signed), "keeper-1")


@given(TICKETS, st.data())
def test_a_ticket_cut_short_or_with_something_added_is_refused(made: Ticket, data: st.DataObject) -> None:
    signed = TicketKey(KEY).sign(made)
    cut = signed[: data.draw(st.integers(1, len(signed) - 1))]
    longer = signed + data.draw(st.binary(min_size=1, max_size=40))

    for changed in (cut, longer):
        with pytest.raises(TicketRefused):
            TicketKey(KEY).read(changed, "keeper-1")


@given(st.binary(max_size=200))
def test_bytes_that_nobody_signed_are_refused_whatever_they_are(garbage: bytes) -> None:
    with pytest.raises(TicketRefused):
        TicketKey(KEY).read(garbage, "keeper-1")


@given(TICKETS, st.binary())
def test_a_ticket_of_another_cluster_is_refused(made: Ticket, other: bytes) -> None:
    if other == KEY:
        return
    with pytest.raises(TicketRefused):
        TicketKey(KEY).read(TicketKey(other).sign(made), "keeper-1")


# -- what is claimed ----------------------------------------------------------------------------


def test_a_good_ticket_lets_one_upload_in() -> None:
    assert keeper().handle(put(leave()), 1.0) == []


OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"purpose": Purpose.DOWNLOAD}, "its purpose is download"),
    ({"purpose": Purpose.COPY}, "its purpose is copy"),
    ({"version": "v-other"}, "it is for version v-other"),
    ({"keeper": "keeper-2"}, "it is for keeper-2"),
    ({"keeper_boot": "earlier"}, "it is from before keeper-1 started again"),
    ({"master_boot": "a master it has not heard"}, "has not heard of the master that signed it"),
    ({"length": 24}, "it is for 24 bytes, not 25"),
    ({"length": 26}, "it is for 26 bytes, not 25"),
    ({"expires_s": CLOCK.time_s + 0.99}, "it has lapsed"),
]


@pytest.mark.parametrize(("claim", "reason"), OTHERS, ids=[reason for _, reason in OTHERS])
def test_an_upload_with_a_ticket_for_anything_else_is_refused_and_nothing_is_reserved(
    claim: dict[str, Any], reason: str
) -> None:
    """FAULTS 38."""
    k = keeper()

    with pytest.raises(TicketRefused, match=reason) as caught:
        k.handle(put(leave(**claim)), 1.0)

    assert caught.value.definite
    assert k.handle(put(leave()), 1.0) == []


READING = [one for one in OTHERS if "purpose" not in one[0] and one[0] != {"length": 26}]


@pytest.mark.parametrize(("claim", "reason"), READING, ids=[reason for _, reason in READING])
@pytest.mark.parametrize("purpose", [Purpose.DOWNLOAD, Purpose.COPY])
def test_a_read_with_a_ticket_for_anything_else_is_refused(
    purpose: Purpose, claim: dict[str, Any], reason: str
) -> None:
    """FAULTS 38."""
    k = keeper()

    assert k.handle(get(leave(purpose)), 1.0) == []
    with pytest.raises(TicketRefused, match=reason):
        k.handle(get(leave(purpose, **claim)), 1.0)


def test_leave_to_write_is_no_leave_to_read() -> None:
    with pytest.raises(TicketRefused, match="its purpose is upload"):
        keeper().handle(get(leave(Purpose.UPLOAD)), 1.0)


def test_a_request_with_no_ticket_at_all_is_refused() -> None:
    for event in (put(b""), get(b"")):
        with pytest.raises(TicketRefused, match="none was shown"):
            keeper().handle(event, 1.0)


def test_a_reader_may_ask_for_the_parts_of_a_version_as_often_as_it_likes_but_for_nothing_behind_its_end() -> None:
    """A download is many requests, and its tail is asked for twice."""
    k, signed = keeper(), leave(Purpose.DOWNLOAD)

    for offset, length in ((0, 10), (10, 10), (20, 5), (0, 25), (25, 0), (0, 10)):
        assert k.handle(get(signed, offset, length), 1.0) == []
    for offset, length in ((20, 6), (26, 0), (0, 2**64), (2**64, 1)):
        with pytest.raises(TicketRefused, match="it is for 25 bytes"):
            k.handle(get(signed, offset, length), 1.0)


# -- once ---------------------------------------------------------------------------------------


def test_a_replayed_upload_is_refused_also_when_the_first_came_to_nothing() -> None:
    """FAULTS 38."""
    k, signed = keeper(), leave()
    k.handle(put(signed), 1.0)
    k.handle(WriteAborted("v-new"), 2.0)

    with pytest.raises(TicketRefused, match="it was used before"):
        k.handle(put(signed), 3.0)
    assert k.handle(put(leave()), 3.0) == []


def test_an_upload_that_was_refused_has_not_used_its_ticket() -> None:
    k, signed = keeper(), leave()
    with pytest.raises(StorageFailed):
        k.handle(replace(put(signed), free_bytes=HEADROOM_BYTES), 1.0)

    assert k.handle(put(signed), 2.0) == []


def test_what_was_used_is_forgotten_once_it_has_lapsed_long_ago() -> None:
    """The memory of tickets is bounded; one that has lapsed is refused for that."""
    k, signed = keeper(), leave()
    k.handle(put(signed), 1.0)
    k.handle(WriteAborted("v-new"), 1.0)
    for number in range(100):
        version, now = f"v{number}", 1000.0 + number
        k.handle(put(leave(version=version, expires_s=CLOCK.time_s + now + 60.0), version), now)

    assert len(k._admission._spent) == 100
    with pytest.raises(TicketRefused, match="it has lapsed"):
        k.handle(put(signed), 1100.0)


# -- the master's clock -------------------------------------------------------------------------


@given(st.floats(0.0, 1e6), st.floats(0.0, 5.0), st.floats(0.0, 200.0))
def test_a_ticket_lives_as_long_as_it_says_and_at_most_a_messages_delay_longer(
    ahead_s: float, delay_s: float, age_s: float
) -> None:
    """FAULTS 35: by no wall clock. The master's is `ahead_s` of the keeper's, its answer takes `delay_s`."""
    k = keeper(MasterClock(BOOT, ahead_s - delay_s))  # said `delay_s` before it is heard, at 0 s
    lives_s = 100.0
    signed = leave(Purpose.DOWNLOAD, expires_s=ahead_s + lives_s)
    slack = 1e-6

    if age_s <= lives_s - slack:
        assert k.handle(get(signed), age_s) == []
    elif age_s >= lives_s + delay_s + slack:
        with pytest.raises(TicketRefused, match="it has lapsed"):
            k.handle(get(signed), age_s)


def test_a_heartbeats_answer_tells_the_time_anew() -> None:
    k, signed = keeper(), leave(Purpose.DOWNLOAD)

    k.handle(HeartbeatAnswered(MasterClock(BOOT, CLOCK.time_s + 100.5)), 1.0)

    with pytest.raises(TicketRefused, match="it has lapsed"):
        k.handle(get(signed), 1.0)


def test_the_tickets_of_a_master_that_has_restarted_end_by_its_own_clock() -> None:
    """The new master's clock starts at 0 again: by it, every ticket of the old one would live for ages, or be dead."""
    k, old = keeper(), leave(Purpose.DOWNLOAD)
    k.handle(RegisterAnswered(2, clock=MasterClock("the next", 0.0)), 50.0)
    new = leave(Purpose.DOWNLOAD, master_boot="the next", expires_s=10.0)

    for signed in (old, new):
        assert k.handle(get(signed), 59.0) == []
    with pytest.raises(TicketRefused, match="it has lapsed"):
        k.handle(get(new), 61.0)
    assert k.handle(get(old), 99.0) == []
    with pytest.raises(TicketRefused, match="it has lapsed"):
        k.handle(get(old), 101.0)


def test_of_masters_long_gone_the_clock_is_forgotten_and_their_tickets_are_refused() -> None:
    k, old = keeper(), leave(Purpose.DOWNLOAD, expires_s=1e9)
    for number in range(8):
        k.handle(RegisterAnswered(2 + number, clock=MasterClock(f"m{number}", 0.0)), 1.0)

    with pytest.raises(TicketRefused, match="has not heard of the master"):
        k.handle(get(old), 2.0)


def test_a_keeper_that_has_not_registered_yet_lets_nobody_read() -> None:
    """It has no clock to judge by."""
    fresh = Keeper("keeper-1", "boot", (), heartbeat_interval_s=1.0, heartbeat_timeout_s=3.0, key=KEY)

    with pytest.raises(TicketRefused, match="has not heard of the master"):
        fresh.handle(get(leave(Purpose.DOWNLOAD)), 0.0)


# -- what the master grants ---------------------------------------------------------------------


def test_a_slot_comes_with_leave_to_send_this_version_to_this_keeper_soon() -> None:
    world = lab(keepers=1)

    slot = value_of(world.begin("a.mp4", size=25, at=5.0))

    assert _read(slot.ticket, serial=1) == Ticket(
        Purpose.UPLOAD, slot.version, "keeper-1", "keeper-1/boot", 25, "1", 5.0 + UPLOAD_START_S, 1
    )


def test_every_holder_of_a_download_comes_with_leave_to_read_there_for_as_long_as_a_slow_reader_needs() -> None:
    world = lab(keepers=2, replicas=2)
    version = world.store("a.mp4")

    location = world.locate("a.mp4")

    until = world.now + READ_FLOOR_S + version.size / READ_FLOOR_BYTES_S
    assert [_read(holder.ticket, serial=0) for holder in location.holders] == [
        Ticket(Purpose.DOWNLOAD, version.id, name, f"{name}/boot", version.size, "1", until, 0)
        for name in ("keeper-1", "keeper-2")
    ]


def test_an_order_to_copy_comes_with_leave_to_read_at_the_source_until_the_copy_is_given_up() -> None:
    world = lab(keepers=2, replicas=2)
    world.upload("a.mp4", size=1_000_000)

    (order,) = [one for one in world.todo if isinstance(one, CopyReplica)]

    assert _read(order.ticket, serial=0) == Ticket(
        Purpose.COPY, order.version.id, "keeper-1", "keeper-1/boot", 1_000_000, "1", world.now + 10.0 + 10.0, 0
    )


def test_no_two_tickets_are_the_same() -> None:
    world = lab(keepers=2, replicas=2)
    world.store("a.mp4")

    granted = [holder.ticket for _ in range(10) for holder in world.locate("a.mp4").holders]

    assert len(dict.fromkeys(granted)) == 20


def test_the_master_says_its_time_and_which_masters_it_is() -> None:
    world = lab(keepers=1)
    assert value_of(world.beat("keeper-1", at=2.5)) == MasterClock("1", 2.5)

    world.start_master(at=8.0)

    assert value_of(world.register("keeper-1", at=8.5)).clock == MasterClock("2", 8.5)
    assert value_of(world.beat("keeper-1", at=9.0)) == MasterClock("2", 9.0)


def test_a_master_that_goes_back_to_its_catalog_signs_on_by_the_clock_that_its_keepers_know() -> None:
    """They do not register again, so they would hear of another clock only with their next heartbeats."""
    world = lab(keepers=2, replicas=2)
    world.store("a.mp4")
    first = world.locate("a.mp4").holders[0].ticket
    before = world.master

    world.master = Master(world.options, world.policies, before._state.rng, "again")
    world.master.start(world.catalog.image(), world.now, before)

    ticket, other = (TicketKey(b"").read(one, "a test") for one in (first, world.locate("a.mp4").holders[0].ticket))
    assert other.master_boot == ticket.master_boot == "1"
    assert other.serial > ticket.serial


def _read(signed: bytes, serial: int) -> Ticket:
    """Return what a ticket of the bench's master says, with another serial number."""
    return replace(TicketKey(b"").read(signed, "a test"), serial=serial)


# -- proofs -------------------------------------------------------------------------------------

OPERATIONS = st.one_of(
    st.builds(get_bytes, WORDS, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
    st.builds(put_bytes, WORDS, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), WORDS),
)


@given(st.binary(), OPERATIONS, st.binary(), OPERATIONS)
def test_a_proof_is_good_for_one_ticket_and_one_operation(
    one: bytes, operation: bytes, other: bytes, other_operation: bytes
) -> None:
    """Who hears a request can repeat it, and make no other of it."""
    proofs = ProofKey(KEY)
    same = (one, operation) == (other, other_operation)

    assert (proofs.of_request(one, operation) == proofs.of_request(other, other_operation)) == same


@given(st.binary(), OPERATIONS, st.binary())
def test_a_proof_needs_the_token(shown: bytes, operation: bytes, other: bytes) -> None:
    if other == KEY:
        return
    proof = ProofKey(KEY).of_request(shown, operation)

    assert ProofKey(other).of_request(shown, operation) != proof
    assert ProofKey(other).of_reply(proof) != ProofKey(KEY).of_reply(proof)


@given(st.binary(), OPERATIONS)
def test_a_reply_cannot_be_made_of_the_request_that_it_answers(shown: bytes, operation: bytes) -> None:
    """A stranger on a keeper's port hears the proof; what he would have to answer is another value."""
    proofs = ProofKey(KEY)
    proof = proofs.of_request(shown, operation)

    assert proofs.of_reply(proof) not in (proof, proofs.of_request(shown, operation + proof))
