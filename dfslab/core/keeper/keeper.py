"""The data keeper: one object that turns events into instructions."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any

from dfslab.core.blocks import CHECKSUM_BYTES, MAX_CHECKSUMS_BYTES, block_count
from dfslab.core.errors import (
    BadReplica,
    InvalidTransition,
    LimitReached,
    NoSuchReplica,
    NotReady,
    StaleIncarnation,
    StorageFailed,
)
from dfslab.core.keeper import events, instructions
from dfslab.core.keeper.admission import Admission
from dfslab.core.keeper.care import READER, Care
from dfslab.core.keeper.instructions import Instruction
from dfslab.core.model import StoredReplica
from dfslab.core.nodes import MASTER
from dfslab.core.tickets import TO_READ, TO_WRITE
from dfslab.core.trace import Kind, Tracer

HEADROOM_BYTES = 1 << 20
"""What a keeper leaves free on its disk."""


class Membership(enum.StrEnum):
    """A keeper's standing with the master."""

    JOINING = "joining"
    MEMBER = "member"
    OUT = "out"


MEMBERSHIP: dict[tuple[Membership, type], Membership] = {
    (Membership.JOINING, events.RegisterAnswered): Membership.MEMBER,
    (Membership.JOINING, events.MasterSilent): Membership.JOINING,
    (Membership.JOINING, events.RegistrationLapsed): Membership.JOINING,
    (Membership.JOINING, events.ReportGivenUp): Membership.JOINING,
    (Membership.JOINING, events.RegistrationRefused): Membership.OUT,
    (Membership.JOINING, events.HeartbeatAnswered): Membership.JOINING,
    (Membership.MEMBER, events.RegisterAnswered): Membership.MEMBER,
    (Membership.MEMBER, events.HeartbeatAnswered): Membership.MEMBER,
    (Membership.MEMBER, events.MasterSilent): Membership.MEMBER,
    (Membership.MEMBER, events.RegistrationLapsed): Membership.JOINING,
    (Membership.MEMBER, events.ReportGivenUp): Membership.JOINING,
    (Membership.MEMBER, events.RegistrationRefused): Membership.OUT,
    (Membership.OUT, events.RegisterAnswered): Membership.OUT,
    (Membership.OUT, events.RegistrationRefused): Membership.OUT,
    (Membership.OUT, events.RegistrationLapsed): Membership.OUT,
    (Membership.OUT, events.ReportGivenUp): Membership.OUT,
    (Membership.OUT, events.MasterSilent): Membership.OUT,
    (Membership.OUT, events.HeartbeatAnswered): Membership.OUT,
}


def next_membership(state: Membership, event: events.Event) -> Membership:
    """Return a keeper's next standing; a pair that is not listed is a bug of ours."""
    try:
        return MEMBERSHIP[state, type(event)]
    except KeyError:
        raise InvalidTransition(machine="membership", state=state, event=type(event).__name__) from None


class Keeper:
    """A data keeper's decisions.

    `handle` is the only thing that changes its state; the caller provides mutual exclusion. A
    request that must be refused raises, and has then changed nothing.

    Parameters
    ----------
    keeper : str
        Its name.
    boot : str
        New at each start of its process.
    replicas : iterable of StoredReplica
        What a look at the disk found.
    heartbeat_interval_s, heartbeat_timeout_s : float
        Until the master says otherwise. After `heartbeat_timeout_s` without an answer of the master,
        it takes no more files.
    key : bytes
        The cluster's, from its token: with it the master has signed the tickets that are shown here.
    """

    def __init__(
        self,
        keeper: str,
        boot: str,
        replicas: Iterable[StoredReplica],
        *,
        heartbeat_interval_s: float,
        heartbeat_timeout_s: float,
        key: bytes = b"",
    ) -> None:
        self.keeper = keeper
        self.membership = Membership.JOINING
        self.incarnation = 0
        self._interval_s = heartbeat_interval_s
        self._timeout_s = heartbeat_timeout_s
        self._tracer = Tracer(keeper, boot)
        self._admission = Admission(keeper, boot, key)
        self._replicas = {stored.version: stored for stored in replicas}
        self._receiving: dict[str, str] = {}
        self._deleting: dict[str, tuple[StoredReplica | None, events.DropOrdered | None]] = {}
        self._care = Care(self._tracer, self._replicas)
        self._last_contact = 0.0
        self._next_beat = 0.0

    def handle(self, event: events.Event, now: float) -> list[Instruction]:
        """Take one event at time `now` (seconds, monotonic) and return what is to be done, in order."""
        return _HANDLERS[type(event)](self, event, now)

    def holds(self, version: str) -> StoredReplica:
        """Return the replica of a version, or raise NoSuchReplica."""
        try:
            return self._replicas[version]
        except KeyError:
            raise NoSuchReplica(keeper=self.keeper, version=version) from None

    def replicas(self) -> tuple[StoredReplica, ...]:
        """Return every replica on the disk, as it is reported: one that is known to be bad fits no version."""
        return tuple(map(self._care.as_reported, self._replicas.values()))

    @property
    def next_wake_s(self) -> float:
        """When the next Tick is due."""
        scrub = self._care.due_s()
        return self._next_beat if scrub is None else min(self._next_beat, scrub)

    def _on_tick(self, event: events.Tick, now: float) -> list[Instruction]:
        spoken = self._speak(event.free_bytes, now) if now >= self._next_beat else []
        return spoken + self._care.go_on(now)

    def _on_beat_now(self, event: events.BeatNow, now: float) -> list[Instruction]:
        return self._speak(event.free_bytes, now)

    def _speak(self, free_bytes: int, now: float) -> list[Instruction]:
        self._next_beat = now + self._interval_s
        if self.membership is Membership.JOINING:
            return [instructions.SendRegister(self.replicas())]
        if self.membership is Membership.MEMBER:
            return [instructions.SendHeartbeat(self.incarnation, free_bytes)]
        return []

    def _on_register_answered(self, event: events.RegisterAnswered, now: float) -> list[Instruction]:
        self.membership = next_membership(self.membership, event)
        self.incarnation = max(self.incarnation, event.incarnation)
        self._interval_s = event.heartbeat_interval_s or self._interval_s
        self._timeout_s = event.heartbeat_timeout_s or self._timeout_s
        self._learn_time(event, now)
        self._last_contact = now
        self._next_beat = now + self._interval_s
        if self.membership is Membership.MEMBER:
            self._care.joined(event)
        return []

    def _on_heartbeat_answered(self, event: events.HeartbeatAnswered, now: float) -> list[Instruction]:
        self.membership = next_membership(self.membership, event)
        self._last_contact = now
        self._learn_time(event, now)
        return self._care.tell_again() if self.membership is Membership.MEMBER else []

    def _learn_time(self, event: events.RegisterAnswered | events.HeartbeatAnswered, now: float) -> None:
        if event.clock is not None:
            self._admission.learn(event.clock, now)

    def _on_master_silent(self, event: events.MasterSilent, now: float) -> list[Instruction]:
        self.membership = next_membership(self.membership, event)
        return []

    def _on_lapsed(self, event: events.RegistrationLapsed, now: float) -> list[Instruction]:
        if event.incarnation != self.incarnation:
            return []  # said before the registration that stands
        note = self._tracer.event(Kind.REGISTRATION_LAPSED, now, peer=MASTER, incarnation=event.incarnation)
        todo = self._register_anew(event, now)
        return [instructions.Note(note), *todo] if todo else []

    def _register_anew(self, event: events.RegistrationLapsed | events.ReportGivenUp, now: float) -> list[Instruction]:
        before, self.membership = self.membership, next_membership(self.membership, event)
        self._care.left()
        if before is not Membership.MEMBER:
            return []  # a registration is on its way, or with the next beat
        self._next_beat = now + self._interval_s
        return [instructions.SendRegister(self.replicas())]

    def _on_refused(self, event: events.RegistrationRefused, now: float) -> list[Instruction]:
        self.membership = next_membership(self.membership, event)
        self._care.left()
        note = self._tracer.event(Kind.KEEPER_FENCED, now, reason=event.reason)
        return [instructions.Note(note), instructions.Stop(event.reason)]

    def _on_put_requested(self, event: events.PutRequested, now: float) -> list[Instruction]:
        if self.membership is not Membership.MEMBER or now - self._last_contact > self._timeout_s:
            raise NotReady(keeper=self.keeper)
        ticket = self._admission.admit(event.ticket, TO_WRITE, event.version, now)
        self._admission.check_length(ticket, event.size, whole=True)
        self._admission.check_unused(ticket)
        if CHECKSUM_BYTES * block_count(event.size, event.block_size) > MAX_CHECKSUMS_BYTES:
            raise LimitReached(node=self.keeper, what="bytes of checksums of one file", limit=MAX_CHECKSUMS_BYTES)
        self._reserve(event.version, event.size, event.free_bytes)
        self._admission.spend(ticket, now)
        return []

    def _on_get_requested(self, event: events.GetRequested, now: float) -> list[Instruction]:
        """Let bytes be read by a good ticket, also while the master is silent: what is stored may be read."""
        ticket = self._admission.admit(event.ticket, TO_READ, event.version, now)
        self._admission.check_length(ticket, event.offset + event.length, whole=False)
        return []

    def _reserve(self, version: str, size: int, free_bytes: int) -> None:
        self._check_absent(version)
        if size + HEADROOM_BYTES > free_bytes:
            raise StorageFailed(keeper=self.keeper, reason=f"{size} bytes do not fit, {free_bytes} are free")
        self._receiving[version] = ""

    def _check_absent(self, version: str) -> None:
        """Refuse what would be written over, or under, a replica of the same version."""
        if version in self._receiving or version in self._replicas:
            raise StorageFailed(keeper=self.keeper, reason=f"version {version} is there already")
        if version in self._deleting:
            raise StorageFailed(keeper=self.keeper, reason=f"an earlier replica of {version} is being deleted")

    def _on_write_aborted(self, event: events.WriteAborted, now: float) -> list[Instruction]:
        self._receiving.pop(event.version, None)
        return []

    def _on_replica_written(self, event: events.ReplicaWritten, now: float) -> list[Instruction]:
        stored = event.stored
        self._receiving.pop(stored.version, None)
        self._replicas[stored.version] = stored
        self._care.came(stored.version, now)
        note = self._tracer.event(
            Kind.REPLICA_STORED,
            now,
            version=stored.version,
            peer=MASTER,
            bytes=stored.size,
            cause=event.cause,
            copy=event.copy_id,
        )
        return [instructions.Note(note), instructions.SendStored(self.incarnation, event, note.id)]

    def _on_stored_answered(self, event: events.StoredAnswered, now: float) -> list[Instruction]:
        if event.keep or event.version not in self._replicas:
            return []
        return self._delete(event.version, None)

    def _check_incarnation(self, incarnation: int) -> None:
        """Refuse orders that do not belong to the standing registration: while it is renewed, the report must hold."""
        if incarnation != self.incarnation or self.membership is not Membership.MEMBER:
            raise StaleIncarnation(keeper=self.keeper, incarnation=incarnation)

    def _on_copy_ordered(self, event: events.CopyOrdered, now: float) -> list[Instruction]:
        self._check_incarnation(event.incarnation)
        if self._receiving.get(event.version.id) == event.copy_id:
            return []
        if event.version.id in self._receiving:
            raise StorageFailed(keeper=self.keeper, reason=f"an earlier copy of {event.version.id} is still arriving")
        self._check_absent(event.version.id)
        self._receiving[event.version.id] = event.copy_id
        note = self._tracer.event(
            Kind.COPY_STARTED,
            now,
            file_name=event.version.name,
            version=event.version.id,
            peer=event.source,
            bytes=event.version.size,
            cause=event.cause,
            copy=event.copy_id,
        )
        return [instructions.Note(note), instructions.Fetch(event)]

    def _on_source_ordered(self, event: events.SourceOrdered, now: float) -> list[Instruction]:
        self._check_incarnation(event.incarnation)
        self.holds(event.version)
        if problem := self._care.problem(event.version):
            raise BadReplica(keeper=self.keeper, version=event.version, reason=problem)
        return []

    def _on_fetch_failed(self, event: events.FetchFailed, now: float) -> list[Instruction]:
        self._receiving.pop(event.version, None)
        return [instructions.SendCopyFailed(event.copy_id, event.reason, event.source_at_fault)]

    def _on_drop_ordered(self, event: events.DropOrdered, now: float) -> list[Instruction]:
        self._check_incarnation(event.incarnation)
        if event.version in self._deleting:
            return []
        return self._delete(event.version, event)

    def _delete(self, version: str, order: events.DropOrdered | None) -> list[Instruction]:
        """Take a replica off the list and have it deleted: until that has ended, no other of the version comes."""
        self._deleting[version] = (self._replicas.pop(version, None), order)
        self._care.leaves(version)
        return [instructions.DeleteReplica(version)]

    def _on_replica_deleted(self, event: events.ReplicaDeleted, now: float) -> list[Instruction]:
        stored, order = self._deleting.pop(event.version)
        self._care.gone(event.version)
        if order is None:
            return []
        size = stored.size if stored else 0
        note = self._tracer.event(Kind.REPLICA_DROPPED, now, version=event.version, bytes=size, cause=order.cause)
        return [instructions.Note(note), instructions.SendDropped(event.version, order.incarnation)]

    def _on_delete_failed(self, event: events.DeleteFailed, now: float) -> list[Instruction]:
        """Confirm nothing: the master repeats its order with the next scan, and the next report has what is there."""
        stored, order = self._deleting.pop(event.version)
        if stored is not None and event.remains:
            self._replicas[event.version] = stored
            self._care.stays(event.version, now)
        else:
            self._care.gone(event.version)
        cause = order.cause if order else ""
        note = self._tracer.event(Kind.DISK_FAILED, now, version=event.version, cause=cause, reason=event.reason)
        return [instructions.Note(note)]

    def _on_replica_opened(self, event: events.ReplicaOpened, now: float) -> list[Instruction]:
        """Look at the length that a reader meets; blocks that are there may be good, and the reader checks them."""
        stored = self._replicas.get(event.version)
        if stored is None or stored.size == event.size:
            return []
        reason = f"its data are {event.size} bytes long, {stored.size} were stored"
        return self._care.found_bad(event.version, reason, READER, now)

    def _on_found_bad(self, event: events.FoundBad, now: float) -> list[Instruction]:
        return self._care.found_bad(event.version, event.reason, READER, now)

    def _on_bad_heard(self, event: events.BadHeard, now: float) -> list[Instruction]:
        self._care.heard(event.version)
        return []

    def _on_scrub_now(self, event: events.ScrubNow, now: float) -> list[Instruction]:
        if self.membership is not Membership.MEMBER:
            raise NotReady(keeper=self.keeper)
        return self._care.ask(event.who, now)

    def _on_scrub_done(self, event: events.ScrubDone, now: float) -> list[Instruction]:
        return self._care.done(event, now)

    def _on_scrub_failed(self, event: events.ScrubFailed, now: float) -> list[Instruction]:
        return self._care.failed(event, now)

    def _on_scrub_broken(self, event: events.ScrubBroken, now: float) -> list[Instruction]:
        return self._care.broken(event, now)


_HANDLERS: dict[type, Callable[[Keeper, Any, float], list[Instruction]]] = {
    events.Tick: Keeper._on_tick,
    events.BeatNow: Keeper._on_beat_now,
    events.RegisterAnswered: Keeper._on_register_answered,
    events.HeartbeatAnswered: Keeper._on_heartbeat_answered,
    events.MasterSilent: Keeper._on_master_silent,
    events.RegistrationLapsed: Keeper._on_lapsed,
    events.ReportGivenUp: Keeper._register_anew,
    events.RegistrationRefused: Keeper._on_refused,
    events.PutRequested: Keeper._on_put_requested,
    events.GetRequested: Keeper._on_get_requested,
    events.WriteAborted: Keeper._on_write_aborted,
    events.ReplicaWritten: Keeper._on_replica_written,
    events.StoredAnswered: Keeper._on_stored_answered,
    events.CopyOrdered: Keeper._on_copy_ordered,
    events.SourceOrdered: Keeper._on_source_ordered,
    events.FetchFailed: Keeper._on_fetch_failed,
    events.DropOrdered: Keeper._on_drop_ordered,
    events.ReplicaDeleted: Keeper._on_replica_deleted,
    events.DeleteFailed: Keeper._on_delete_failed,
    events.ReplicaOpened: Keeper._on_replica_opened,
    events.FoundBad: Keeper._on_found_bad,
    events.BadHeard: Keeper._on_bad_heard,
    events.ScrubNow: Keeper._on_scrub_now,
    events.ScrubDone: Keeper._on_scrub_done,
    events.ScrubFailed: Keeper._on_scrub_failed,
    events.ScrubBroken: Keeper._on_scrub_broken,
}
