"""The chain of causes behind an event, followed back through the trace.

Most events name their cause. Where the core can't know it (a keeper that fell silent, a disk that came
back empty, a flipped bit), the link is the fault that the laboratory noted before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from dfslab.core.fault_periods import FaultPeriod, fault_periods
from dfslab.core.faults import LINK_CHANGED
from dfslab.core.trace import Kind, TraceEvent

ARRIVALS = (Kind.REPLICA_RECORDED, Kind.REPLICA_RESTORED)
_SIGNS_OF_LIFE = (Kind.HEARTBEAT, Kind.KEEPER_REGISTERED)


class Record:
    """The events up to a moment, as a detective reads them: by id, and backwards from a point."""

    def __init__(self, events: Sequence[TraceEvent]) -> None:
        self.events = events
        self.position = {event.id: index for index, event in enumerate(events)}

    def get(self, event_id: str) -> TraceEvent | None:
        """Return an event by its id, if the trace still has it."""
        index = self.position.get(event_id)
        return None if index is None else self.events[index]

    def last(self, matches: Callable[[TraceEvent], bool], before: TraceEvent | None = None) -> TraceEvent | None:
        """Return the last event that matches, of those recorded before another."""
        end = len(self.events) if before is None else self.position[before.id]
        return next((self.events[index] for index in range(end - 1, -1, -1) if matches(self.events[index])), None)

    def last_of(
        self, kind: Kind, peer: str, version: str = "", *, before: TraceEvent | None = None
    ) -> TraceEvent | None:
        """Return the last event of a kind about a keeper and, if one is given, a version."""
        return self.last(
            lambda e: e.kind is kind and e.peer == peer and (not version or e.version == version), before=before
        )


class Evidence:
    """What was found so far for one question.

    Parameters
    ----------
    record : Record
    begin_s : float
        Where the trace begins, seconds since the cluster started.
    """

    def __init__(self, record: Record, begin_s: float) -> None:
        self.record, self._begin_s = record, begin_s
        self._found: dict[str, TraceEvent] = {}

    def steps(self) -> list[TraceEvent]:
        """Return what was found, oldest first."""
        order = self.record.position
        return sorted(self._found.values(), key=lambda event: (event.time_s, order[event.id]))

    def first(self, kind: Kind, peer: str = "") -> TraceEvent | None:
        """Return the first event of a kind that was found, about a keeper if one is given."""
        return next((e for e in self._found.values() if e.kind is kind and (not peer or e.peer == peer)), None)

    def note(self, *events: TraceEvent | None) -> None:
        """Take events in."""
        self._found.update((event.id, event) for event in events if event is not None)

    def follow(self, event: TraceEvent | None) -> None:
        """Take an event in, and all that led to it."""
        seen: dict[str, None] = {}
        while event is not None and event.id not in seen:
            seen[event.id] = None
            self.note(event, *self._beside(event))
            event = self.cause_of(event)

    def cause_of(self, event: TraceEvent) -> TraceEvent | None:
        """Return what led to an event: what it names, or where that is a scan, what the scan found."""
        if event.kind is Kind.COPY_ORDERED and "shortage" in event.detail:
            self.note(self.record.get(event.cause))
            return self.record.get(str(event.detail["shortage"]))
        named = self.record.get(event.cause)
        guess = _GUESSES.get(event.kind)
        return named if named is not None or guess is None else guess(self, event)

    def _beside(self, event: TraceEvent) -> Iterable[TraceEvent | None]:
        """Return what belongs to an event though it is not its cause."""
        match event.kind:
            case Kind.COPY_ORDERED:
                copy = event.detail["copy"]
                started = (e for e in self.record.events if e.kind is Kind.COPY_STARTED and e.detail["copy"] == copy)
                return (next(started, None), *self._failures_before(event))
            case Kind.KEEPER_DEAD:
                return (self._last_sign(event), self.fault_behind(event))
            case Kind.REPLICA_CORRUPT | Kind.KEEPER_REGISTERED:
                return (self.fault_behind(event),)
            case Kind.KEEPER_DECOMMISSIONED:
                return (self.record.last_of(Kind.KEEPER_DRAINING, event.peer, before=event),)
            case Kind.REPLICA_DROP_ORDERED:
                return (self.surplus_by(event),)
            case _:
                return ()

    def _failures_before(self, ordered: TraceEvent) -> list[TraceEvent]:
        """Return the copies that failed for the same reason before this one was tried."""
        reason = str(ordered.detail.get("shortage", ordered.cause))
        if not reason:
            return []
        found = []
        for event in self.record.events[: self.record.position[ordered.id]]:
            if event.kind is Kind.COPY_FAILED and event.version == ordered.version:
                tried = self.record.get(event.cause)
                if tried is not None and str(tried.detail.get("shortage", tried.cause)) == reason:
                    found.append(event)
        return found

    def _last_sign(self, dead: TraceEvent) -> TraceEvent | None:
        return self.record.last(lambda e: e.kind in _SIGNS_OF_LIFE and e.peer == dead.peer, before=dead)

    def fault_behind(self, event: TraceEvent) -> TraceEvent | None:
        """Return the fault that the laboratory had noted, if there is one that may have led to this."""
        match event.kind:
            case Kind.KEEPER_DEAD:
                heard = self._last_sign(event)
                since = heard.time_s if heard is not None else self._begin_s
                earlier = self.record.events[: self.record.position[event.id]]
                behind = [one for one in fault_periods(earlier) if _may_silence(one, event.peer) and one.end_s > since]
                return self.record.get(behind[-1].event) if behind else None
            case Kind.REPLICA_CORRUPT:
                return self.record.last(
                    lambda e: (
                        e.kind is Kind.FAULT
                        and e.detail.get("action") == "corrupt"
                        and e.peer == event.peer
                        and (e.version == event.version or e.file_name == event.file_name)
                    ),
                    before=event,
                )
            case Kind.KEEPER_REGISTERED:
                fault = self.record.last_of(Kind.FAULT, event.peer, before=event)
                return fault if fault is not None and fault.detail.get("action") in ("restart", "resume") else None
            case _:
                return None

    def surplus_by(self, ordered: TraceEvent) -> TraceEvent | None:
        """Return the keeper that came back with a copy, where that made the one that was dropped too many."""
        cause = self.record.get(ordered.cause)
        if cause is None or cause.kind is not Kind.SCAN:
            return None
        holders = {e.peer for e in self.record.events if e.kind in ARRIVALS and e.version == ordered.version}
        return self.record.last(
            lambda e: (
                e.kind is Kind.KEEPER_REGISTERED and e.peer in holders and int(e.detail.get("incarnation", 1)) > 1
            ),
            before=ordered,
        )

    def _guess_stored(self, recorded: TraceEvent) -> TraceEvent | None:
        return self.record.last(
            lambda e: e.kind is Kind.REPLICA_STORED and e.node == recorded.peer and e.version == recorded.version,
            before=recorded,
        )

    def _guess_ordered(self, gone: TraceEvent) -> TraceEvent | None:
        return self.record.last_of(Kind.REPLICA_DROP_ORDERED, gone.peer, gone.version, before=gone)

    def _guess_corrupt(self, ordered: TraceEvent) -> TraceEvent | None:
        return self.record.last_of(Kind.REPLICA_CORRUPT, ordered.peer, ordered.version, before=ordered)


_GUESSES: Mapping[Kind, Callable[[Evidence, TraceEvent], TraceEvent | None]] = {
    Kind.REPLICA_RECORDED: Evidence._guess_stored,
    Kind.REPLICA_FORGOTTEN: Evidence._guess_ordered,
    Kind.REPLICA_DROP_ORDERED: Evidence._guess_corrupt,
}


def _may_silence(period: FaultPeriod, keeper: str) -> bool:
    """Return True when a fault may keep a keeper's heartbeats from the master, if only by their delay."""
    return period.silences(keeper) or (period.what == LINK_CHANGED and period.node == keeper)
