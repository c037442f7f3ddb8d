"""A trace of 100,000 events, made up: fifty keepers, a hundred files, downloads, deaths, repairs."""

from __future__ import annotations

import random
from typing import Any

from dfslab.core.links import Link
from dfslab.core.options import Options
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, Trace, TraceEvent, Tracer
from dfslab.views.source import Source

KEEPERS = [f"keeper-{number}" for number in range(1, 51)]
FILES = 100
ROUNDS = 360
INTERVAL_S = 4.0
SIZE = 8_000_000
CHUNKS = 24


class LongTrace:
    """Makes it, round by round: heartbeats, a download, and now and then a death with its repairs."""

    def __init__(self, seed: int = 1) -> None:
        self.events: list[TraceEvent] = []
        self._random = random.Random(seed)
        self._tracers: dict[str, Tracer] = {}
        self._now = 0.0
        self._holders: dict[str, list[str]] = {}
        self._copies = 0

    def note(self, node: str, kind: Kind, **fields: Any) -> str:
        """Add an event; return its id."""
        tracer = self._tracers.setdefault(node, Tracer(node, "1"))
        self.events.append(tracer.event(kind, self._now, **fields))
        return self.events[-1].id

    def make(self) -> list[TraceEvent]:
        """Return the events, in order of time."""
        for keeper in KEEPERS:
            self._register(keeper, 1)
        for number in range(FILES):
            self._upload(f"file-{number:03d}.mp4", f"v{number}")
        for number in range(ROUNDS):
            self._round(number)
        return sorted(self.events, key=lambda event: event.time_s)

    def _register(self, keeper: str, incarnation: int) -> None:
        where = {"address": f"{keeper}:1", "data_address": f"{keeper}:2", "directory": f"/disks/{keeper}"}
        fields = {"state": "alive", "incarnation": incarnation, "free_bytes": 10**9, **where}
        self.note("master", Kind.KEEPER_REGISTERED, peer=keeper, **fields)

    def _upload(self, name: str, version: str) -> None:
        about: dict[str, Any] = {"file_name": name, "version": version, "bytes": SIZE}
        first, *others = self._random.sample(KEEPERS, 3)
        self.note("client", Kind.UPLOAD_REQUESTED, file_name=name, bytes=SIZE, transfer=version)
        granted = {"keeper": first, "upload": version, "name": name, "for_version": version}
        self.note("master", Kind.SLOT_GRANTED, peer="client", bytes=SIZE, **granted)
        self.note("client", Kind.UPLOAD_STARTED, peer=first, transfer=version, **about)
        self._now += 0.4
        self.note(first, Kind.REPLICA_STORED, version=version, bytes=SIZE, copy="")
        self.note("master", Kind.FILE_COMMITTED, peer=first, created_at=1e9, **about)
        self.note("master", Kind.REPLICA_RECORDED, peer=first, path=f"/disks/{first}/{version}", **about)
        self.note("master", Kind.UPLOAD_ACKNOWLEDGED, peer="client", upload=version, **about)
        self._holders[version] = [first]
        for other in others:
            self._copy(name, version, first, other)

    def _copy(self, name: str, version: str, source: str, target: str, cause: str = "") -> None:
        self._copies += 1
        about: dict[str, Any] = {"file_name": name, "version": version, "bytes": SIZE}
        copy = {"source": source, "copy": f"c{self._copies}"}
        self.note("master", Kind.COPY_ORDERED, peer=target, cause=cause, reason="2 of 3 live copies", **copy, **about)
        self.note(target, Kind.COPY_STARTED, peer=source, copy=copy["copy"], **about)
        self._now += 0.01
        progress = {"file_name": name, "version": version, "bytes": SIZE // 2, "total": SIZE}
        self.note(target, Kind.PROGRESS, peer=source, copy=copy["copy"], **progress)
        self._now += 0.01
        self.note(target, Kind.REPLICA_STORED, version=version, bytes=SIZE, copy=copy["copy"])
        self.note("master", Kind.COPY_DONE, peer=target, **copy, **about)
        self.note("master", Kind.REPLICA_RECORDED, peer=target, path=f"/disks/{target}/{version}", **about)
        self._holders[version].append(target)

    def _round(self, number: int) -> None:
        begin = self._now
        for beat in range(4):
            self._now = begin + beat * INTERVAL_S / 4
            for keeper in KEEPERS:
                self.note("master", Kind.HEARTBEAT, peer=keeper, incarnation=1, free_bytes=10**9)
        version = f"v{self._random.randrange(FILES)}"
        self._download(version)
        self._download(f"v{self._random.randrange(FILES)}")
        if number % 4 == 0:
            self._death(KEEPERS[(number // 4) % len(KEEPERS)])
        self._now = max(self._now, begin + INTERVAL_S)

    def _download(self, version: str) -> None:
        name = f"file-{int(version[1:]):03d}.mp4"
        about: dict[str, Any] = {"file_name": name, "version": version}
        request = self.note("client", Kind.DOWNLOAD_REQUESTED, file_name=name, peer="master")
        holders, started = self._holders[version][:3], self._now
        cause = self.note("client", Kind.DOWNLOAD_STARTED, bytes=SIZE, holders=holders, cause=request, **about)
        for chunk in range(CHUNKS):
            times = {"start_s": self._now, "end_s": self._now + 0.01}
            self._now += 0.01
            fields = {"offset": chunk * SIZE // CHUNKS, "outcome": "ok", "reason": "", **times}
            peer = holders[chunk % len(holders)]
            self.note("client", Kind.CHUNK_FETCHED, peer=peer, bytes=SIZE // CHUNKS, cause=cause, **fields, **about)
        done = {"seconds": self._now - started, "holders": len(holders)}
        self.note("client", Kind.DOWNLOAD_DONE, bytes=SIZE, cause=request, **done, **about)

    def _death(self, keeper: str) -> None:
        self.note("lab", Kind.FAULT, peer=keeper, action="kill")
        self._now += 0.5
        cause = self.note("master", Kind.KEEPER_DEAD, peer=keeper, incarnation=1)
        for version in [version for version, holders in self._holders.items() if keeper in holders]:
            holders = self._holders[version]
            holders.remove(keeper)
            target = self._random.choice([other for other in KEEPERS if other not in [*holders, keeper]])
            self._copy(f"file-{int(version[1:]):03d}.mp4", version, holders[0], target, cause)
            self.note("master", Kind.REPLICA_FORGOTTEN, version=version, peer=keeper)
        self.note("lab", Kind.FAULT, peer=keeper, action="restart", wipe=True)
        self._register(keeper, 2)


def long_source() -> Source:
    """Return such a trace as views look at it."""
    trace = Trace()
    trace.extend(LongTrace().make())
    now = trace.events()[-1].time_s
    setup = Setup(n=len(KEEPERS), options=Options(), link=Link(rate_mb_s=20))
    return Source(trace.events, trace.table, lambda: now, setup)
