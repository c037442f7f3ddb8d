"""The master's core with a full catalog, driven directly: no socket, no disk, no thread.

It starts as after a restart: 100,000 files of 3 copies come from the catalog, 1,000 keepers register with a
report each. A death is that of a keeper with 300 files, timed from the tick that finds it until its files' copies
are ordered; beside it stands the same death in a catalog of a tenth of the files, which must not be faster by
more than its share of chance.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from benchmarks.context import Context
from benchmarks.table import Row
from dfslab.core.blocks import CHECKSUM_BYTES, digest
from dfslab.core.master import Master, events
from dfslab.core.master.instructions import PutKeeper, PutReplica, Reply
from dfslab.core.master.master import CatalogImage
from dfslab.core.model import Address, StoredReplica, Version
from dfslab.core.options import Options
from dfslab.core.policies import Policies

FILES, KEEPERS = 100_000, 1_000
FEWER_FILES = FILES // 10
VICTIMS_FILES = 300
BEATS = 10_000
UPLOADS = 50
PAGE, PAGES = 100, 20
SIZE, BLOCK = 1_000_000, 262_144
CHECKSUMS = bytes(CHECKSUM_BYTES * 4)
ROOM = 10**12
INCARNATION = 2
"""Of every keeper once it has registered: the catalog knew it with 1."""


def rows(context: Context) -> list[Row]:
    """Return the rows of the master's core."""
    full = context.lazily(lambda: nullcontext(Loaded(FILES, KEEPERS)))
    return [
        Row(
            name="master core, a scan of 100,000 files with nothing to do",
            unit="ms",
            better="lower",
            dfslab=lambda: full().scan_ms(),
            target=50.0,
        ),
        Row(
            name="master core, a heartbeat among 1,000 keepers",
            unit="µs",
            better="lower",
            dfslab=lambda: full().heartbeat_us(),
            target=50.0,
        ),
        Row(
            name=f"master core, the death of 1 keeper with {VICTIMS_FILES} of 100,000 files (limit: of 10,000)",
            unit="ms",
            better="lower",
            dfslab=lambda: full().death_ms(),
            limit=_fewer(context),
            target_of_limit=0.5,
        ),
    ]


def _fewer(context: Context) -> Callable[[], float]:
    fewer = context.lazily(lambda: nullcontext(Loaded(FEWER_FILES, KEEPERS)))
    return lambda: fewer().death_ms()


class Loaded:
    """A master with so many files on so many keepers, all alive; `death_ms` uses a keeper up each time."""

    def __init__(self, files: int, keepers: int) -> None:
        self._now, self._files = 1.0, files
        self._names = [f"keeper-{number}" for number in range(1, keepers + 1)]
        self._victims = iter(range(keepers))
        self._numbers = itertools.count()
        self._options = Options()
        image = CatalogImage([PutKeeper(name, INCARNATION - 1) for name in self._names])
        held: dict[str, list[StoredReplica]] = {name: [] for name in self._names}
        some = max(keepers // 20, 1)
        for number in range(files):
            version = Version(f"v{number}", f"file-{number:06}", SIZE, BLOCK, CHECKSUMS, 0.0)
            image.versions.append(version)
            for keeper in self._holders(number, some):
                path = f"/disks/{keeper}/{version.id}"
                image.replicas.append(PutReplica(version.id, keeper, path))
                held[keeper].append(StoredReplica(version.id, SIZE, digest(CHECKSUMS), path))
        self._master = Master(self._options, Policies.of(), random.Random(1))
        began = time.perf_counter()
        self._master.start(image, 0.0)
        address = Address("127.0.0.1", 1)
        for name in self._names:
            report = tuple(held[name])
            self._handle(events.Register(1, name, "boot", address, address, "/disks", ROOM, report))
        self._handle(events.Tick())
        self.restart_s = time.perf_counter() - began

    def _holders(self, number: int, some: int) -> list[str]:
        """The first keepers hold `VICTIMS_FILES` each, whatever the number of files; the others hold the rest."""
        others = self._names[some:]
        victim = number // VICTIMS_FILES
        first = [self._names[victim]] if victim < some else []
        return [*first, *(others[(number + step) % len(others)] for step in range(3 - len(first)))]

    def _handle(self, event: events.Event) -> object:
        return self._master.handle(event, self._now)

    def scan_ms(self) -> float:
        """Return the milliseconds of a scan that finds every file well."""
        return 1e3 * _seconds(partial(self._handle, events.Scan(1, dry_run=False)))

    def heartbeat_us(self) -> float:
        """Return the mean microseconds of a heartbeat."""
        beats = [self._beat(self._names[number % len(self._names)]) for number in range(BEATS)]
        return 1e6 / BEATS * _seconds(lambda: [self._handle(beat) for beat in beats])

    def _beat(self, name: str) -> events.Heartbeat:
        return events.Heartbeat(1, name, INCARNATION, ROOM)

    def upload_ms(self) -> float:
        """Return the mean milliseconds of an upload's three events: slot, record with its copies ordered, answer."""

        def upload_all() -> None:
            for _ in range(UPLOADS):
                self._upload(f"new-{next(self._numbers)}")

        return 1e3 / UPLOADS * _seconds(upload_all)

    def _upload(self, name: str) -> None:
        said = self._master.handle(events.BeginUpload(1, name, name, SIZE, 1, "client"), self._now)
        slot: Any = next(one.value for one in said if isinstance(one, Reply))
        path = f"/disks/{slot.keeper}/{slot.version}"
        self._handle(
            events.ReplicaStored(1, slot.keeper, INCARNATION, slot.version, SIZE, BLOCK, CHECKSUMS, path, 0.0, "")
        )
        self._handle(events.AwaitUpload(1, name, 10.0))

    def list_ms(self) -> float:
        """Return the mean milliseconds of a page of names, here and there; the first of all puts them in order."""
        self._master.files(limit=PAGE)
        behind = [f"file-{self._files * place // PAGES:06}" for place in range(PAGES)]
        return 1e3 / PAGES * _seconds(lambda: [self._master.files(after=name, limit=PAGE) for name in behind])

    def tick_ms(self) -> float:
        """Return the milliseconds of a look at the timers, ten times a second, when nothing is due."""
        self._handle(events.Tick())  # whatever was due
        return 1e3 * _seconds(partial(self._handle, events.Tick()))

    def death_ms(self) -> float:
        """Return the milliseconds of the tick that finds a keeper dead and orders the first copies."""
        victim = self._names[next(self._victims)]
        self._now += self._options.heartbeat_timeout_s
        for name in self._names:
            if name != victim:
                self._handle(self._beat(name))
        return 1e3 * _seconds(partial(self._handle, events.Tick()))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
