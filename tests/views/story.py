"""Traces written by hand, in the words in which one would tell them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dfslab.core.history import Table
from dfslab.core.options import Options
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, Trace, TraceEvent, Tracer
from dfslab.views.plots import Plots
from dfslab.views.source import Source

MB = 1_000_000


class Story:
    """A trace that grows line by line; `now` is the time of the next line."""

    def __init__(self, keepers: Iterable[str] = ()) -> None:
        self.events: list[TraceEvent] = []
        self.now = 0.0
        self._tracers: dict[str, Tracer] = {}
        for keeper in keepers:
            self.registers(keeper)

    def at(self, time_s: float) -> Story:
        """Move on to a later moment."""
        assert time_s >= self.now
        self.now = time_s
        return self

    def note(self, node: str, kind: Kind, **fields: Any) -> str:
        """Add a line of any kind; return its id."""
        tracer = self._tracers.setdefault(node, Tracer(node, "1"))
        self.events.append(tracer.event(kind, self.now, **fields))
        return self.events[-1].id

    # -- keepers ------------------------------------------------------------------------------

    def registers(self, keeper: str, incarnation: int = 1) -> None:
        self.note(
            "master",
            Kind.KEEPER_REGISTERED,
            peer=keeper,
            state="alive",
            incarnation=incarnation,
            address=f"{keeper}:1",
            data_address=f"{keeper}:2",
            directory=f"/disks/{keeper}",
            free_bytes=10**9,
        )

    def dies(self, keeper: str) -> None:
        self.note("master", Kind.KEEPER_DEAD, peer=keeper)

    def drains(self, keeper: str) -> None:
        self.note("master", Kind.KEEPER_DRAINING, peer=keeper)

    def fault(self, action: str, node: str = "", **detail: Any) -> None:
        self.note("lab", Kind.FAULT, peer=node, action=action, **detail)

    # -- files --------------------------------------------------------------------------------

    def commit(self, name: str, version: str, *keepers: str, size: int = MB, created_at: float = 1e9) -> None:
        """Commit a version and record a replica of it on each keeper."""
        self.note("master", Kind.FILE_COMMITTED, file_name=name, version=version, bytes=size, created_at=created_at)
        for keeper in keepers:
            self.record(version, keeper)

    def record(self, version: str, keeper: str) -> None:
        path = f"/disks/{keeper}/replicas/{version}"
        self.note("master", Kind.REPLICA_RECORDED, version=version, peer=keeper, path=path)

    def corrupt(self, version: str, keeper: str) -> None:
        self.note("master", Kind.REPLICA_CORRUPT, version=version, peer=keeper, reason="block 3")

    def drop(self, version: str, keeper: str) -> None:
        self.note("master", Kind.REPLICA_DROP_ORDERED, version=version, peer=keeper, reason="surplus")

    def delete(self, name: str, version: str) -> None:
        self.note("master", Kind.FILE_DELETED, file_name=name, version=version, reason="deleted")

    def rename(self, old: str, new: str, version: str) -> None:
        self.note("master", Kind.FILE_RENAMED, file_name=new, version=version, old=old)

    # -- transfers ----------------------------------------------------------------------------

    def copy_ordered(self, copy: str, version: str, source: str, target: str, **fields: Any) -> str:
        return self.note("master", Kind.COPY_ORDERED, version=version, peer=target, source=source, copy=copy, **fields)

    def copy_done(self, copy: str, version: str, source: str, target: str) -> None:
        """Note that a copy has arrived, and record the replica."""
        self.note("master", Kind.COPY_DONE, version=version, peer=target, source=source, copy=copy)
        self.record(version, target)

    def copy_failed(self, copy: str, version: str, source: str, target: str, reason: str = "no answer") -> None:
        detail = {"source": source, "copy": copy, "reason": reason}
        self.note("master", Kind.COPY_FAILED, version=version, peer=target, **detail)

    def downloaded(self, name: str, holders: int, rate_mb_s: float, size: int = MB) -> None:
        """Add the last line of a download at a given rate."""
        self.note(
            "client",
            Kind.DOWNLOAD_DONE,
            file_name=name,
            version="v1",
            bytes=size,
            seconds=size / 1e6 / rate_mb_s,
            holders=holders,
        )

    # -- what views get -------------------------------------------------------------------------

    @property
    def table(self) -> Table:
        """The table at the end."""
        return self.trace().table()

    def trace(self, capacity: int = 10_000) -> Trace:
        trace = Trace(capacity)
        trace.extend(self.events)
        return trace

    def source(self, replicas: int = 3, capacity: int = 10_000, **setup: Any) -> Source:
        trace = self.trace(capacity)
        options = Options(replicas=replicas)
        return Source(
            trace.events,
            trace.table,
            lambda: self.now,
            Setup(options=options, **setup),
            begin=lambda: trace.begin_s,
        )

    def plots(self, replicas: int = 3, capacity: int = 10_000) -> Plots:
        return Plots(self.source(replicas, capacity))
