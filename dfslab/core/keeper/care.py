"""A keeper's care for what it holds: it reads it again, notes what is bad, and tells the master until it is heard.

A bad replica stays where it is. It may be the last one, and some of its blocks good: the master, which knows
the others, says when it may go. Until then it is reported as fitting no version, and is nobody's source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dfslab.core.keeper import events, instructions
from dfslab.core.keeper.instructions import Instruction
from dfslab.core.keeper.scrubbing import Scrubber
from dfslab.core.keeper.shelf import UNKNOWN_DIGEST
from dfslab.core.model import CheckedReplica, StoredReplica
from dfslab.core.trace import Kind, Tracer

TOLD_AT_A_TIME = 16
"""How many bad replicas the master is told of again after one heartbeat."""
SCRUBBER, READER = "scrubber", "reader"
"""Who finds damage."""


@dataclass(slots=True)
class _Bad:
    """A replica that is bad, why, which line of the trace says so, and whether the master has heard it."""

    reason: str
    cause: str
    heard: bool


class Care:
    """What a keeper knows of the state of its replicas.

    Parameters
    ----------
    tracer : Tracer
        The keeper's.
    replicas : mapping
        The keeper's replicas by version: a view, not a copy.
    """

    def __init__(self, tracer: Tracer, replicas: Mapping[str, StoredReplica]) -> None:
        self._tracer, self._replicas = tracer, replicas
        self._scrubber = Scrubber(replicas)
        self._rate_mb_s = 0.0
        self._is_member = False
        reason = "its checksums file is missing or damaged"
        self._bad = {
            version: _Bad(reason, "", heard=True)  # every report says it
            for version, stored in replicas.items()
            if stored.digest == UNKNOWN_DIGEST
        }

    # -- what becomes of replicas, and of the keeper ------------------------------------------------

    def joined(self, event: events.RegisterAnswered) -> None:
        """The keeper is registered: the master says how often everything is to be read again, and how fast."""
        self._is_member = True
        self._rate_mb_s = event.scrub_rate_mb_s or self._rate_mb_s
        self._scrubber.every(event.scrub_interval_s if self._rate_mb_s else None)

    def left(self) -> None:
        """The keeper's registration has lapsed: until it is renewed, nothing is read and nothing told."""
        self._is_member = False

    def came(self, version: str, now: float) -> None:
        """A replica was written, and checked on its way in."""
        self._scrubber.came(version, now)

    def leaves(self, version: str) -> None:
        """A replica is being deleted."""
        self._scrubber.gone(version)

    def gone(self, version: str) -> None:
        """A replica was deleted."""
        self._bad.pop(version, None)

    def stays(self, version: str, now: float) -> None:
        """A replica could not be deleted."""
        self._scrubber.came(version, now)

    def due_s(self) -> float | None:
        """Return when a replica is to be read again; None while one is, or the keeper is not registered."""
        return self._scrubber.due_s() if self._is_member else None

    # -- what is bad --------------------------------------------------------------------------------

    def problem(self, version: str) -> str:
        """Return why a replica is bad, or an empty string."""
        bad = self._bad.get(version)
        return bad.reason if bad else ""

    def as_reported(self, stored: StoredReplica) -> StoredReplica:
        """Return what to report of a replica: a bad one fits no version."""
        return replace(stored, digest=UNKNOWN_DIGEST) if stored.version in self._bad else stored

    def found_bad(self, version: str, reason: str, finder: str, now: float) -> list[Instruction]:
        """Keep in mind that a replica is bad, and tell the master; what was known before is not told twice."""
        stored = self._replicas.get(version)
        if stored is None or version in self._bad:
            return []
        note = self._tracer.event(
            Kind.DAMAGE_FOUND, now, version=version, bytes=stored.size, reason=reason, finder=finder
        )
        self._bad[version] = _Bad(reason, note.id, heard=False)
        told = self._tell(version) if self._is_member else []
        return [instructions.Note(note), *told]

    def tell_again(self) -> list[Instruction]:
        """Tell the master, which has just answered, of what it has not heard."""
        unheard = [version for version, bad in self._bad.items() if not bad.heard and version in self._replicas]
        return [told for version in unheard[:TOLD_AT_A_TIME] for told in self._tell(version)]

    def _tell(self, version: str) -> list[Instruction]:
        bad = self._bad[version]
        return [instructions.SendBad(version, bad.reason, bad.cause)]

    def heard(self, version: str) -> None:
        """The master has heard of a bad replica."""
        if version in self._bad:
            self._bad[version].heard = True

    # -- scrubbing ----------------------------------------------------------------------------------

    def ask(self, who: str, now: float) -> list[Instruction]:
        """Begin a pass over everything at once."""
        self._scrubber.ask(who, now)
        return self.go_on(now)

    def done(self, event: events.ScrubDone, now: float) -> list[Instruction]:
        """Note that a replica is as it was stored, and go on."""
        return self._checked(event.number, "", now)

    def failed(self, event: events.ScrubFailed, now: float) -> list[Instruction]:
        """Note that a replica is bad, and go on."""
        return self._checked(event.number, event.reason, now)

    def broken(self, event: events.ScrubBroken, now: float) -> list[Instruction]:
        """Leave a replica to the next pass, and go on."""
        version = self._scrubber.reading(event.number)
        if version is None:
            return []
        self._scrubber.put_off(version)
        return self.go_on(now)

    def _checked(self, number: int, problem: str, now: float) -> list[Instruction]:
        version = self._scrubber.reading(number)
        if version is None:
            return []  # it was deleted, or a pass that was asked for has begun anew
        self._scrubber.checked(CheckedReplica(version, self._replicas[version].size, problem))
        told = self.found_bad(version, problem, SCRUBBER, now) if problem else []
        return told + self.go_on(now)

    def go_on(self, now: float) -> list[Instruction]:
        """Have the next replica read, or end the pass; nothing while one is being read or none is due."""
        if not self._is_member:
            return []
        while (version := self._scrubber.next(now)) is not None:
            stored, problem = self._replicas[version], self.problem(version)
            if not problem:
                return [instructions.Scrub(self._scrubber.read(version), stored, self._rate_mb_s)]
            self._scrubber.checked(CheckedReplica(version, stored.size, problem))
        return self._end_pass(now)

    def _end_pass(self, now: float) -> list[Instruction]:
        ended = self._scrubber.end()
        if ended is None:
            return []
        for bad in self._bad.values():
            bad.heard = False  # once a pass it is repeated: the master may have known no row of it at the time
        todo: list[Instruction] = [instructions.ScrubPassDone(ended.asked, ended.checked)] if ended.asked else []
        if not ended.checked:
            return todo
        note = self._tracer.event(
            Kind.SCRUB_DONE,
            now,
            bytes=sum(one.bytes for one in ended.checked),
            replicas=len(ended.checked),
            bad=sum(1 for one in ended.checked if one.problem),
            seconds=round(now - ended.started_s, 3),
        )
        return [instructions.Note(note), *todo]
