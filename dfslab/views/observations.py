"""What a trace shows to have taken how long: deaths, repairs and transfers, with those who had part in each."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dfslab.core.fault_periods import FaultPeriod, fault_periods
from dfslab.core.faults import LINK_CHANGED
from dfslab.core.history import Table
from dfslab.core.link_history import LinkHistory
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.transfers import Transfer, fold_transfers

CONNECTION_RESTS_S = 60.0
"""How long a keeper leaves a connection open on which nothing is asked."""


@dataclass
class Death:
    """A keeper that fell silent and was declared dead, and the files that lost a copy by it."""

    keeper: str
    silent_at: float
    dead_at: float
    causes: tuple[FaultPeriod, ...] = ()
    versions: list[str] = field(default_factory=list)  # that were short of copies
    sizes: list[int] = field(default_factory=list)  # one for each copy to make
    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    repaired_at: float | None = None


def deaths_of(base: Table, events: Sequence[TraceEvent], replicas: int) -> list[Death]:
    """Return the deaths that a fault of the laboratory explains.

    Parameters
    ----------
    base : Table
        The table before the first event.
    events : sequence of TraceEvent
    replicas : int
        Live copies that every file should have.
    """
    fold = _Deaths(base, fault_periods(events), replicas)
    for event in events:
        fold.apply(event)
    return fold.deaths


class _Deaths:
    def __init__(self, base: Table, periods: Sequence[FaultPeriod], replicas: int) -> None:
        self.deaths: list[Death] = []
        self._table, self._periods, self._replicas = base.copy(), periods, replicas
        self._open: list[tuple[Death, dict[str, None]]] = []  # with the versions that are still short

    def apply(self, event: TraceEvent) -> None:
        self._table.apply(event)
        if event.kind is Kind.KEEPER_DEAD:
            self._died(event)
        elif event.kind is Kind.KEEPER_REGISTERED:  # its copies are back; what is repaired is not what was lost
            self._open = [one for one in self._open if one[0].keeper != event.peer]
        elif event.kind in (Kind.REPLICA_RECORDED, Kind.FILE_DELETED):
            self._check(event)

    def _died(self, event: TraceEvent) -> None:
        causes = tuple(one for one in self._periods if one.covers(event.time_s) and one.silences(event.peer))
        if not causes:
            return
        death = Death(event.peer, min(period.start_s for period in causes), event.time_s, causes)
        self.deaths.append(death)
        self._note_losses(death)
        if death.versions:
            self._open.append((death, dict.fromkeys(death.versions)))

    def _note_losses(self, death: Death) -> None:
        sources: dict[str, None] = {}
        for version, file in self._table.files.items():
            rows = self._table.replicas.get(version, {})
            missing = self._replicas - self._table.live_copies(version)
            if death.keeper in rows and missing > 0:
                death.versions.append(version)
                death.sizes += [file.size] * missing
                sources.update(dict.fromkeys(self._table.live_holders(version)))
        death.sources = list(sources)
        death.targets = [row.keeper for row in self._table.keepers.values() if row.state == "alive"]

    def _check(self, event: TraceEvent) -> None:
        whole = event.kind is Kind.FILE_DELETED or self._table.live_copies(event.version) >= self._replicas
        for death, short in list(self._open):
            if whole and event.version in short:
                del short[event.version]
                if not short:
                    death.repaired_at = event.time_s
                    self._open.remove((death, short))


@dataclass
class Moved:
    """A transfer that was done, and the keepers that it was planned for.

    `keepers` are the holders of a download; of an upload, the keeper that the client sent to, then
    the targets of the copies that were made next. `ack_replicas` is 0 for a download.
    """

    transfer: Transfer
    client: str
    keepers: tuple[str, ...]
    ack_replicas: int = 0


def moves_of(events: Sequence[TraceEvent], ack_replicas: int) -> list[Moved]:
    """Return the uploads and downloads that were done at the first attempt.

    Parameters
    ----------
    events : sequence of TraceEvent
    ack_replicas : int
        What uploads waited for that do not say it themselves.
    """
    details = _Details(events)
    moves = [details.moved(transfer, ack_replicas) for transfer in fold_transfers(events) if transfer.state == "done"]
    return [moved for moved in moves if moved is not None]


class _Details:
    """What the table of transfers leaves out."""

    def __init__(self, events: Iterable[TraceEvent]) -> None:
        self.starts: Counter[str] = Counter()  # attempts of a transfer
        self.holders: dict[str, tuple[str, ...]] = {}  # of a download
        self.acks: dict[str, int] = {}  # of an upload
        self.copies: dict[str, list[str]] = {}  # of a version: the targets, in the order in which they were told
        for event in events:
            if event.kind is Kind.DOWNLOAD_STARTED:
                self.starts[event.cause] += 1
                self.holders[event.cause] = tuple(event.detail["holders"])
            elif event.kind is Kind.SLOT_GRANTED:
                self.starts[event.detail["upload"]] += 1
                self.acks[event.detail["upload"]] = event.detail.get("ack_replicas", 0)
            elif event.kind is Kind.COPY_ORDERED:
                self.copies.setdefault(event.version, []).append(event.peer)

    def moved(self, transfer: Transfer, ack_replicas: int) -> Moved | None:
        if self.starts[transfer.transfer] != 1:
            return None
        if transfer.kind == "download":
            return Moved(transfer, transfer.target, self.holders[transfer.transfer])
        if transfer.kind == "upload":
            targets = self.copies.get(transfer.version, [])
            waited = self.acks[transfer.transfer] or ack_replicas
            return Moved(transfer, transfer.source, (transfer.target, *targets), waited)
        return None


@dataclass
class Use:
    """Who needed whose network card while: out of `senders`, into `receivers`, for `versions`."""

    kind: str
    start_s: float
    end_s: float
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    versions: tuple[str, ...]
    shared: bool = False


def mark_shared(uses: Sequence[Use], links: LinkHistory) -> None:
    """Mark the uses that met another one on a limited card in the same direction; their own copies do not count."""
    active: list[Use] = []
    for use in sorted(uses, key=lambda use: use.start_s):
        active = [other for other in active if other.end_s > use.start_s]
        for other in active:
            if not _belong_together(use, other) and _meet(use, other, links):
                use.shared = other.shared = True
        active.append(use)


def _belong_together(one: Use, other: Use) -> bool:
    """Return True for copies of the very files that an upload or a repair is about."""
    ours = {one.kind, other.kind} in ({"copy"}, {"copy", "upload"}, {"copy", "repair"})
    return ours and any(version in other.versions for version in one.versions)


def _meet(one: Use, other: Use, links: LinkHistory) -> bool:
    table = links.at(max(one.start_s, other.start_s))
    out = [node for node in one.senders if node in other.senders]
    into = [node for node in one.receivers if node in other.receivers]
    return any(table.link(node).rate_mb_s is not None for node in out + into)


def uses_of(events: Iterable[TraceEvent]) -> dict[tuple[str, str], Use]:
    """Return what every transfer needed, by its kind and id; one that is not done needs it to the end of time."""
    return {(row.kind, row.transfer): _use_of(row) for row in fold_transfers(events)}


def _use_of(row: Transfer) -> Use:
    senders = tuple(row.served) if row.kind == "download" else (row.source,)
    start_s = -math.inf if math.isnan(row.start_s) else row.start_s
    end_s = math.inf if row.state == "running" else row.end_s
    return Use(row.kind, start_s, end_s, senders, (row.target,), (row.version,))


def is_disturbed(periods: Iterable[FaultPeriod], nodes: Sequence[str], start_s: float, end_s: float) -> bool:
    """Return True when a fault touched one of the nodes meanwhile; another link counts only if it changed meanwhile."""
    return any(
        period.start_s < end_s
        and period.end_s > start_s
        and any(node in nodes for node in _touched(period))
        and not (period.what == LINK_CHANGED and period.start_s <= start_s and period.end_s >= end_s)
        for period in periods
    )


def _touched(period: FaultPeriod) -> list[str]:
    a, b = period.sides
    return [period.node, str(period.detail.get("other") or ""), *a, *b]


class Connections:
    """Which data connections rest from earlier transfers, for a later one to go on with."""

    def __init__(self, events: Sequence[TraceEvent]) -> None:
        self._used: dict[tuple[str, str], list[float]] = {}  # when transfers between caller and keeper were done
        self._began: dict[str, list[float]] = {}  # when a node's process began, and had no connections
        for row in fold_transfers(events):
            if row.state == "done":
                for pair in _callers(row):
                    self._used.setdefault(pair, []).append(row.end_s)
        for event in events:
            if event.kind is Kind.FAULT and event.detail.get("action") in ("kill", "restart"):
                self._began.setdefault(event.peer, []).append(event.time_s)
        for times in self._used.values():
            times.sort()

    def at(self, time_s: float, caller: str, keepers: Sequence[str]) -> list[tuple[str, str]]:
        """Return the pairs, of a caller and a keeper or of two keepers, that have one at a moment."""
        pairs = [(caller, keeper) for keeper in keepers]
        pairs += [(one, other) for one in keepers for other in keepers if one != other]
        return [pair for pair in pairs if self._rests(pair, time_s)]

    def _rests(self, pair: tuple[str, str], time_s: float) -> bool:
        used = self._used.get(pair, [])
        count = bisect.bisect_right(used, time_s)
        if not count or time_s - used[count - 1] >= CONNECTION_RESTS_S:
            return False
        since = used[count - 1]
        return not any(since <= began <= time_s for node in pair for began in self._began.get(node, ()))


def _callers(row: Transfer) -> list[tuple[str, str]]:
    """Return who called whose data port in a transfer."""
    if row.kind == "download":
        return [(row.target, keeper) for keeper in row.served]
    return [(row.source, row.target) if row.kind == "upload" else (row.target, row.source)]
