"""Why a keeper holds a copy, or does not: the chain of causes, followed back through the trace.

Most events name their cause. Where the core can't know it (a keeper that fell silent, a disk that came
back empty, a flipped bit), the link is the fault that the laboratory noted before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from dfslab.core.errors import NoSuchFile, UnknownKeeper
from dfslab.core.faults import LINK_CHANGED, FaultPeriod, fault_periods
from dfslab.core.nodes import keeper_name
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.sentences import action_text, seconds, sentence
from dfslab.views.snapshot import in_natural_order, live_holders
from dfslab.views.source import Source

_ARRIVALS = (Kind.REPLICA_RECORDED, Kind.REPLICA_RESTORED)
_SIGNS_OF_LIFE = (Kind.HEARTBEAT, Kind.KEEPER_REGISTERED)


@dataclass(frozen=True)
class Step:
    """One event of the chain.

    Attributes
    ----------
    time_s : float
        Seconds since the cluster started.
    event : str
        The `id` of the line of the trace.
    sentence : str
        What it says.
    """

    time_s: float
    event: str
    sentence: str

    @property
    def clock(self) -> str:
        """The time to the millisecond, so that the steps stand in a column."""
        return f"{self.time_s:.3f} s"


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why a keeper holds a copy of a file, or does not; prints as text, shows as HTML in a notebook.

    Attributes
    ----------
    keeper, file_name : str
    answer : str
        One sentence: what is the case, and because of what.
    steps : tuple of Step
        The events that led to it, oldest first; empty when there are none.
    """

    keeper: str
    file_name: str
    answer: str
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        width = max((len(step.clock) for step in self.steps), default=0)
        lines = [f"  {step.clock:>{width}}  {step.sentence}" for step in self.steps]
        return "\n".join([self.answer, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        time = "padding:1px 12px 1px 0;text-align:right;white-space:nowrap;border:0;background:none"
        text = "padding:1px 0;text-align:left;border:0;background:none"
        rows = "".join(
            f"<tr style='background:none' data-event='{escape(step.event)}'><td style='{time}'>{step.clock}"
            f"</td><td style='{text}'>{escape(step.sentence)}</td></tr>"
            for step in self.steps
        )
        table = f"<table style='margin:4px 0;border:0;color:inherit;font-size:inherit'><tbody>{rows}</tbody></table>"
        body = table if self.steps else ""
        style = "font-size:90%;line-height:1.4"
        return f"<div class='dfs-explanation' style='{style}'><b>{escape(self.answer)}</b>{body}</div>"


def explain(source: Source, keeper: str | int, file_name: str) -> Explanation:
    """Return why a keeper holds a copy of a file, or does not, at the moment of `source`.

    Parameters
    ----------
    source : Source
    keeper : str or int
        Its name or its number.
    file_name : str

    Raises
    ------
    UnknownKeeper
        The trace tells of no such keeper.
    NoSuchFile
        The trace tells of no file of that name, present or past.
    """
    return _Case(source, keeper, file_name).explanation()


class _Record:
    """The events up to a moment, as a detective reads them: by id, and backwards from a point."""

    def __init__(self, events: Sequence[TraceEvent]) -> None:
        self.events = events
        self.position = {event.id: index for index, event in enumerate(events)}

    def get(self, event_id: str) -> TraceEvent | None:
        index = self.position.get(event_id)
        return None if index is None else self.events[index]

    def last(self, matches: Callable[[TraceEvent], bool], before: TraceEvent | None = None) -> TraceEvent | None:
        """Return the last event that matches, of those recorded before another."""
        end = len(self.events) if before is None else self.position[before.id]
        return next((self.events[index] for index in range(end - 1, -1, -1) if matches(self.events[index])), None)


class _Case:
    """One question, and the evidence so far."""

    def __init__(self, source: Source, keeper: str | int, file_name: str) -> None:
        self.base, events = source.history()
        self.record = _Record(events)
        self.table = source.table()
        self.begin_s, self.now_s = source.begin(), source.now()
        self.replicas = source.setup.options.replicas
        self.file_name = file_name
        self.keeper = self._known_keeper(keeper)
        self.versions = self._versions_of(file_name)
        self.evidence: dict[str, TraceEvent] = {}

    def _known_keeper(self, keeper: str | int) -> str:
        name = keeper_name(keeper)
        registered = (e.peer for e in self.record.events if e.kind in (Kind.KEEPER_REGISTERED, Kind.KEEPER_UNSEEN))
        known = dict.fromkeys([*self.base.keepers, *registered])
        if name not in known:
            raise UnknownKeeper(keeper=repr(keeper), known=in_natural_order(known))
        return name

    def _versions_of(self, name: str) -> list[str]:
        """Return the versions that the name has meant, latest last; the current one is always last."""
        named = (Kind.FILE_COMMITTED, Kind.FILE_RESTORED, Kind.FILE_RENAMED)
        found = [row.version for row in self.base.files.values() if row.file_name == name]
        found += [e.version for e in self.record.events if e.kind in named and e.file_name == name]
        if not found:
            raise NoSuchFile(name=name)
        current = [row.version for row in self.table.files.values() if row.file_name == name]
        return list(dict.fromkeys(version for version in found if version not in current)) + current[-1:]

    # -- the answer -----------------------------------------------------------------------------

    def explanation(self) -> Explanation:
        version = self.versions[-1]
        row = self.table.replicas.get(version, {}).get(self.keeper)
        if row is None:
            return self._why_not(version)
        if row.state == "corrupt":
            what = f"the copy of {self.file_name} on {self.keeper} does not count"
            return self._answer(what, self._corruption(version))
        if row.state == "dropping":
            return self._answer(f"{self.keeper} is to delete its copy of {self.file_name}", self._drop(version))
        if not self.table.keepers[self.keeper].is_alive:
            arrival = self._arrival(version)
            self._follow(arrival)
            state = self.table.keepers[self.keeper].state
            what = f"the copy of {self.file_name} on {self.keeper} does not count"
            if state == "unseen":
                return self._answer(what, "the master was restarted and has not heard from it yet")
            return self._answer(what, self._death())
        return self._answer(f"{self.keeper} holds a copy of {self.file_name}", self._holding(version))

    def _answer(self, what: str, because: str) -> Explanation:
        order = self.record.position
        events = sorted(self.evidence.values(), key=lambda event: (event.time_s, order[event.id]))
        steps = tuple(Step(event.time_s, event.id, sentence(event, self.file_name)) for event in events)
        return Explanation(self.keeper, self.file_name, f"{what} because {because}" if because else what, steps)

    def _fallen_out(self) -> str:
        return f"of something before {seconds(self.begin_s)}, where this trace begins"

    # -- it holds one ---------------------------------------------------------------------------

    def _holding(self, version: str) -> str:
        arrival = self._arrival(version)
        if arrival is None:
            return self._fallen_out()
        self._follow(arrival)
        ordered = self._found(Kind.COPY_ORDERED, self.keeper)
        if ordered is not None:
            return self._trigger(ordered)
        granted = next((e for e in self.evidence.values() if e.kind is Kind.SLOT_GRANTED), None)
        if granted is not None:
            return f"the master chose it for the upload at {seconds(granted.time_s)}"
        if arrival.kind is Kind.REPLICA_RESTORED:
            return f"the master found it in its catalog when it started at {seconds(arrival.time_s)}"
        return f"it reported the copy when it registered at {seconds(arrival.time_s)}"

    def _found(self, kind: Kind, peer: str) -> TraceEvent | None:
        return next((e for e in self.evidence.values() if e.kind is kind and e.peer == peer), None)

    def _arrival(self, version: str) -> TraceEvent | None:
        """Return the line that brought the copy: the last that a transfer led to, else the last of all."""

        def arrived(event: TraceEvent) -> bool:
            return event.kind in _ARRIVALS and event.version == version and event.peer == self.keeper

        last = first = self.record.last(arrived)
        while first is not None and not self._was_sent(first):
            self._note(first, self.record.get(first.cause))
            first = self.record.last(arrived, before=first)
        return first or last

    def _was_sent(self, arrival: TraceEvent) -> bool:
        cause = self.record.get(arrival.cause)
        return cause is not None and cause.kind in (Kind.REPLICA_STORED, Kind.FILE_COMMITTED)

    def _trigger(self, ordered: TraceEvent) -> str:
        """Say in one clause why a copy was ordered."""
        cause = self.record.get(ordered.cause)
        found_by = ""
        if cause is not None and cause.kind is Kind.SCAN:
            found_by = f"; the scan at {seconds(cause.time_s)} ordered the copy"
            cause = self.record.get(str(ordered.detail.get("shortage", ""))) or cause
        if cause is None:
            return f"the file was short of copies at {seconds(ordered.time_s)}"
        return self._clause(cause) + found_by

    def _clause(self, cause: TraceEvent) -> str:
        when = seconds(cause.time_s)
        match cause.kind:
            case Kind.KEEPER_DEAD:
                return self._silence(cause)
            case Kind.FILE_COMMITTED:
                return f"{self.file_name} was uploaded at {when} and is kept on {self.replicas} keepers"
            case Kind.REPLICA_CORRUPT:
                return f"the copy on {cause.peer} was found corrupt at {when}{self._after_fault(cause)}"
            case Kind.KEEPER_REGISTERED:
                return f"{cause.peer} came back without its copy at {when}{self._after_fault(cause)}"
            case Kind.KEEPER_DRAINING:
                return f"{cause.peer} was to be decommissioned at {when}"
            case Kind.MASTER_STARTED:
                return f"the master found too few copies when it started at {when}"
            case Kind.SCAN:
                return f"the scan at {when} found too few copies"
            case _:
                return f"of what happened at {when}: {sentence(cause, self.file_name)}"

    def _silence(self, dead: TraceEvent) -> str:
        return f"{dead.peer} missed its heartbeats at {seconds(dead.time_s)}{self._after_fault(dead)}"

    def _after_fault(self, event: TraceEvent) -> str:
        fault = self._fault_behind(event)
        return "" if fault is None else f", after {action_text(fault)} at {seconds(fault.time_s)}"

    # -- it holds none --------------------------------------------------------------------------

    def _why_not(self, version: str) -> Explanation:
        coming = self._coming(version)
        if coming is not None:
            self._follow(coming)
            what = f"{self.keeper} does not hold a copy of {self.file_name} yet, but one is on its way"
            return self._answer(what, self._trigger(coming))
        lost = self.record.last(
            lambda e: e.kind is Kind.REPLICA_FORGOTTEN and e.peer == self.keeper and e.version in self.versions
        )
        if lost is not None:
            self._follow(lost)
            return self._answer(f"{self.keeper} no longer holds a copy of {self.file_name}", self._loss(lost))
        older = [v for v in self.versions if self.keeper in self.table.replicas.get(v, {})]
        if older:
            return self._answer(f"{self.keeper} is to delete its copy of {self.file_name}", self._drop(older[-1]))
        if any(self.keeper in self.base.replicas.get(v, {}) for v in self.versions):
            what = f"{self.keeper} no longer holds a copy of {self.file_name}"
            return self._answer(what, "the master started again and its catalog has none there")
        return self._never(version)

    def _never(self, version: str) -> Explanation:
        since = f" since {seconds(self.begin_s)}, where this trace begins" if self.begin_s else ""
        holders = live_holders(self.table, version)
        where = f"; it is on {', '.join(holders)}" if holders else ""
        return self._answer(f"{self.keeper} never held a copy of {self.file_name}{since}{where}", "")

    def _coming(self, version: str) -> TraceEvent | None:
        """Return the order of a copy to this keeper whose end is not told yet."""
        ends = (Kind.COPY_DONE, Kind.COPY_FAILED, Kind.MASTER_STARTED)
        last = self.record.last(
            lambda e: (
                (e.kind is Kind.MASTER_STARTED)
                or (e.version == version and e.peer == self.keeper and e.kind in (Kind.COPY_ORDERED, *ends))
            )
        )
        return last if last is not None and last.kind is Kind.COPY_ORDERED else None

    def _loss(self, lost: TraceEvent) -> str:
        cause = self._cause_of(lost)
        if cause is None:
            return f"it said so itself at {seconds(lost.time_s)}"
        if cause.kind is Kind.KEEPER_REGISTERED:
            return f"its disk came back without it at {seconds(cause.time_s)}{self._after_fault(cause)}"
        if cause.kind is Kind.KEEPER_DECOMMISSIONED:
            return f"it was decommissioned at {seconds(cause.time_s)}"
        return self._why_dropped(cause)

    def _drop(self, version: str) -> str:
        ordered = self.record.last(
            lambda e: e.kind is Kind.REPLICA_DROP_ORDERED and e.peer == self.keeper and e.version == version
        )
        if ordered is None:
            return self._fallen_out()
        self._follow(ordered)
        return self._why_dropped(ordered)

    def _why_dropped(self, ordered: TraceEvent) -> str:
        """Say in one clause why a copy was to be deleted."""
        cause = self._cause_of(ordered)
        if cause is None:
            return f"the master ordered so at {seconds(ordered.time_s)} ({ordered.detail.get('reason', 'unknown')})"
        when = seconds(cause.time_s)
        if cause.kind is Kind.FILE_DELETED:
            return f"the file was {cause.detail['reason']} at {when}"
        if cause.kind is Kind.REPLICA_CORRUPT:
            return f"it was found corrupt at {when}{self._after_fault(cause)}"
        if cause.kind is Kind.SCAN:
            back = self._surplus_by(ordered)
            by = f", since {back.peer} had come back with its own at {seconds(back.time_s)}" if back else ""
            return f"the scan at {when} found {ordered.detail['reason']}{by}"
        return f"of what happened at {when}: {sentence(cause, self.file_name)}"

    # -- it holds a bad one, or is dead -----------------------------------------------------------

    def _corruption(self, version: str) -> str:
        found = self.record.last(
            lambda e: e.kind is Kind.REPLICA_CORRUPT and e.peer == self.keeper and e.version == version
        )
        if found is None:
            return self._fallen_out()
        self._follow(found)
        return f"it was found corrupt at {seconds(found.time_s)} ({found.detail['reason']}){self._after_fault(found)}"

    def _death(self) -> str:
        dead = self.record.last(lambda e: e.kind is Kind.KEEPER_DEAD and e.peer == self.keeper)
        if dead is None:
            return self._fallen_out()
        self._follow(dead)
        return self._silence(dead)

    # -- following the chain ----------------------------------------------------------------------

    def _note(self, *events: TraceEvent | None) -> None:
        self.evidence.update((event.id, event) for event in events if event is not None)

    def _follow(self, event: TraceEvent | None) -> None:
        """Take an event and all that led to it into the evidence."""
        seen: dict[str, None] = {}
        while event is not None and event.id not in seen:
            seen[event.id] = None
            self._note(event, *self._beside(event))
            event = self._cause_of(event)

    def _cause_of(self, event: TraceEvent) -> TraceEvent | None:
        """Return what led to an event: what it names, or where that is a scan, what the scan found."""
        if event.kind is Kind.COPY_ORDERED and "shortage" in event.detail:
            self._note(self.record.get(event.cause))
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
                return (self._last_sign(event), self._fault_behind(event))
            case Kind.REPLICA_CORRUPT | Kind.KEEPER_REGISTERED:
                return (self._fault_behind(event),)
            case Kind.KEEPER_DECOMMISSIONED:
                return (
                    self.record.last(lambda e: e.kind is Kind.KEEPER_DRAINING and e.peer == event.peer, before=event),
                )
            case Kind.REPLICA_DROP_ORDERED:
                return (self._surplus_by(event),)
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

    def _fault_behind(self, event: TraceEvent) -> TraceEvent | None:
        """Return the fault that the laboratory had noted, if there is one that may have led to this."""
        match event.kind:
            case Kind.KEEPER_DEAD:
                heard = self._last_sign(event)
                since = heard.time_s if heard is not None else self.begin_s
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
                fault = self.record.last(lambda e: e.kind is Kind.FAULT and e.peer == event.peer, before=event)
                return fault if fault is not None and fault.detail.get("action") in ("restart", "resume") else None
            case _:
                return None

    def _surplus_by(self, ordered: TraceEvent) -> TraceEvent | None:
        """Return the keeper that came back with a copy, where that made the one that was dropped too many."""
        cause = self.record.get(ordered.cause)
        if cause is None or cause.kind is not Kind.SCAN:
            return None
        holders = {e.peer for e in self.record.events if e.kind in _ARRIVALS and e.version == ordered.version}
        return self.record.last(
            lambda e: (
                e.kind is Kind.KEEPER_REGISTERED and e.peer in holders and int(e.detail.get("incarnation", 1)) > 1
            ),
            before=ordered,
        )

    # -- links that no event names ------------------------------------------------------------------

    def _guess_stored(self, recorded: TraceEvent) -> TraceEvent | None:
        return self.record.last(
            lambda e: e.kind is Kind.REPLICA_STORED and e.node == recorded.peer and e.version == recorded.version,
            before=recorded,
        )

    def _guess_ordered(self, gone: TraceEvent) -> TraceEvent | None:
        return self.record.last(
            lambda e: e.kind is Kind.REPLICA_DROP_ORDERED and e.peer == gone.peer and e.version == gone.version,
            before=gone,
        )

    def _guess_corrupt(self, ordered: TraceEvent) -> TraceEvent | None:
        return self.record.last(
            lambda e: e.kind is Kind.REPLICA_CORRUPT and e.peer == ordered.peer and e.version == ordered.version,
            before=ordered,
        )


_GUESSES: Mapping[Kind, Callable[[_Case, TraceEvent], TraceEvent | None]] = {
    Kind.REPLICA_RECORDED: _Case._guess_stored,
    Kind.REPLICA_FORGOTTEN: _Case._guess_ordered,
    Kind.REPLICA_DROP_ORDERED: _Case._guess_corrupt,
}


def _may_silence(period: FaultPeriod, keeper: str) -> bool:
    """Return True when a fault may keep a keeper's heartbeats from the master, if only by their delay."""
    return period.silences(keeper) or (period.what == LINK_CHANGED and period.node == keeper)
