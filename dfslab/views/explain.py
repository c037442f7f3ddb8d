"""Why a keeper holds a copy, or does not, in one sentence with the chain of causes that `Evidence` followed."""

from __future__ import annotations

from dfslab.core.errors import NoSuchFile, UnknownKeeper
from dfslab.core.nodes import keeper_name
from dfslab.core.trace import NAMING, Kind, TraceEvent
from dfslab.views.evidence import ARRIVALS, Evidence, Record
from dfslab.views.explanation import Explanation, Step
from dfslab.views.sentences import action_text, seconds, sentence
from dfslab.views.snapshot import in_natural_order, live_holders
from dfslab.views.source import Source


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


class _Case:
    """One question, and the evidence so far."""

    def __init__(self, source: Source, keeper: str | int, file_name: str) -> None:
        self.base, events = source.history()
        self.record = Record(events)
        self.table = source.table()
        self.begin_s = source.begin()
        self.replicas = source.setup.options.replicas
        self.file_name = file_name
        self.keeper = self._known_keeper(keeper)
        self.versions = self._versions_of(file_name)
        self.evidence = Evidence(self.record, self.begin_s)

    def _known_keeper(self, keeper: str | int) -> str:
        name = keeper_name(keeper)
        registered = (e.peer for e in self.record.events if e.kind in (Kind.KEEPER_REGISTERED, Kind.KEEPER_UNSEEN))
        known = dict.fromkeys([*self.base.keepers, *registered])
        if name not in known:
            raise UnknownKeeper(keeper=repr(keeper), known=in_natural_order(known))
        return name

    def _versions_of(self, name: str) -> list[str]:
        """Return the versions that the name has meant, latest last; the current one is always last."""
        found = [row.version for row in self.base.files.values() if row.file_name == name]
        found += [e.version for e in self.record.events if e.kind in NAMING and e.file_name == name]
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
            self.evidence.follow(arrival)
            state = self.table.keepers[self.keeper].state
            what = f"the copy of {self.file_name} on {self.keeper} does not count"
            if state == "unseen":
                return self._answer(what, "the master was restarted and has not heard from it yet")
            return self._answer(what, self._death())
        return self._answer(f"{self.keeper} holds a copy of {self.file_name}", self._holding(version))

    def _answer(self, what: str, because: str) -> Explanation:
        found = self.evidence.steps()
        steps = tuple(Step(event.time_s, event.id, sentence(event, self.file_name)) for event in found)
        return Explanation(self.keeper, self.file_name, f"{what} because {because}" if because else what, steps)

    def _fallen_out(self) -> str:
        return f"of something before {seconds(self.begin_s)}, where this trace begins"

    # -- it holds one ---------------------------------------------------------------------------

    def _holding(self, version: str) -> str:
        arrival = self._arrival(version)
        if arrival is None:
            return self._fallen_out()
        self.evidence.follow(arrival)
        ordered = self.evidence.first(Kind.COPY_ORDERED, self.keeper)
        if ordered is not None:
            return self._trigger(ordered)
        granted = self.evidence.first(Kind.SLOT_GRANTED)
        if granted is not None:
            return f"the master chose it for the upload at {seconds(granted.time_s)}"
        if arrival.kind is Kind.REPLICA_RESTORED:
            return f"the master found it in its catalog when it started at {seconds(arrival.time_s)}"
        return f"it reported the copy when it registered at {seconds(arrival.time_s)}"

    def _arrival(self, version: str) -> TraceEvent | None:
        """Return the line that brought the copy: the last that a transfer led to, else the last of all."""

        def arrived(event: TraceEvent) -> bool:
            return event.kind in ARRIVALS and event.version == version and event.peer == self.keeper

        last = first = self.record.last(arrived)
        while first is not None and not self._was_sent(first):
            self.evidence.note(first, self.record.get(first.cause))
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
        fault = self.evidence.fault_behind(event)
        return "" if fault is None else f", after {action_text(fault)} at {seconds(fault.time_s)}"

    # -- it holds none --------------------------------------------------------------------------

    def _why_not(self, version: str) -> Explanation:
        coming = self._coming(version)
        if coming is not None:
            self.evidence.follow(coming)
            what = f"{self.keeper} does not hold a copy of {self.file_name} yet, but one is on its way"
            return self._answer(what, self._trigger(coming))
        lost = self.record.last(
            lambda e: e.kind is Kind.REPLICA_FORGOTTEN and e.peer == self.keeper and e.version in self.versions
        )
        if lost is not None:
            self.evidence.follow(lost)
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
        cause = self.evidence.cause_of(lost)
        if cause is None:
            return f"it said so itself at {seconds(lost.time_s)}"
        if cause.kind is Kind.KEEPER_REGISTERED:
            return f"its disk came back without it at {seconds(cause.time_s)}{self._after_fault(cause)}"
        if cause.kind is Kind.KEEPER_DECOMMISSIONED:
            return f"it was decommissioned at {seconds(cause.time_s)}"
        return self._why_dropped(cause)

    def _drop(self, version: str) -> str:
        ordered = self.record.last_of(Kind.REPLICA_DROP_ORDERED, self.keeper, version)
        if ordered is None:
            return self._fallen_out()
        self.evidence.follow(ordered)
        return self._why_dropped(ordered)

    def _why_dropped(self, ordered: TraceEvent) -> str:
        """Say in one clause why a copy was to be deleted."""
        cause = self.evidence.cause_of(ordered)
        if cause is None:
            return f"the master ordered so at {seconds(ordered.time_s)} ({ordered.detail.get('reason', 'unknown')})"
        when = seconds(cause.time_s)
        if cause.kind is Kind.FILE_DELETED:
            return f"the file was {cause.detail['reason']} at {when}"
        if cause.kind is Kind.REPLICA_CORRUPT:
            return f"it was found corrupt at {when}{self._after_fault(cause)}"
        if cause.kind is Kind.SCAN:
            back = self.evidence.surplus_by(ordered)
            by = f", since {back.peer} had come back with its own at {seconds(back.time_s)}" if back else ""
            return f"the scan at {when} found {ordered.detail['reason']}{by}"
        return f"of what happened at {when}: {sentence(cause, self.file_name)}"

    # -- it holds a bad one, or is dead -----------------------------------------------------------

    def _corruption(self, version: str) -> str:
        found = self.record.last_of(Kind.REPLICA_CORRUPT, self.keeper, version)
        if found is None:
            return self._fallen_out()
        self.evidence.follow(found)
        return f"it was found corrupt at {seconds(found.time_s)} ({found.detail['reason']}){self._after_fault(found)}"

    def _death(self) -> str:
        dead = self.record.last_of(Kind.KEEPER_DEAD, self.keeper)
        if dead is None:
            return self._fallen_out()
        self.evidence.follow(dead)
        return self._silence(dead)
