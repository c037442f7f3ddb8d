"""One file, one client: how near an upload and a download come to the bare sockets, and how far from SeaweedFS.

Uploads of 3 copies are compared with SeaweedFS's 3 copies, which are in the page cache when it answers, where
dfslab's and the limit's are on the disk. Uploads of 1 copy are compared with its replication 000. It has no
say in how many holders serve a download, so it stands beside the one from all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from benchmarks import bare
from benchmarks.context import Context
from benchmarks.shapes import Systems, Trip, by, down_and_gone, up_and_gone
from benchmarks.systems import Source, settle, timed
from benchmarks.table import Row, Side

MIB = 1 << 20
SIZE = 256 * MIB
SIZES = (
    ("64 KiB", 64 * 1024, 40),
    ("1 MiB", MIB, 20),
    ("64 MiB", 64 * MIB, 2),
    ("1 GiB", 1024 * MIB, 1),
)
"""A name, bytes, and how many of them are transferred one after the other in a round."""


def rows(context: Context) -> list[Row]:
    """Return the rows of single transfers."""
    systems = Systems(context)
    return [
        *_ground(context, systems),
        *_one_copy(systems),
        *_three_copies(systems),
        *_processes(systems),
        *(row for name, size, files in SIZES for row in _of_size(systems, name, size, files)),
    ]


def _source(context: Context, size: int = SIZE) -> Callable[[], Source]:
    return partial(context.file, size)


def _ground(context: Context, systems: Systems) -> list[Row]:
    """What the machine does at all; and which way of making 3 copies is the faster one and is their limit from here."""
    source = _source(context)
    seen: dict[bool, list[float]] = {True: [], False: []}

    def three(chained: bool) -> float:
        limit = systems.limit()
        limit.chained = chained
        trip = Trip(systems.limit, context.folder, source, copies=3)
        seen[chained].append(trip.last(trip.up))
        limit.chained = all(seen.values()) and statistics.median(seen[True]) > statistics.median(seen[False])
        return seen[chained][-1]

    def page_cache() -> float:
        path = context.folder / "page-cache"
        settle(context.folder, SIZE)
        seconds = timed(partial(bare.write_page_cache, path, SIZE))
        path.unlink()
        return SIZE / 1e6 / seconds

    def loopback() -> float:
        return SIZE / 1e6 / timed(partial(bare.send_over_loopback, SIZE))

    return [
        Row(name="bare: write to the page cache", unit="MB/s", limit=page_cache),
        Row(name="bare: TCP over loopback", unit="MB/s", limit=loopback),
        Row(name="bare: 3 copies, fanned out", unit="MB/s", limit=partial(three, False), together="three"),
        Row(name="bare: 3 copies, chained", unit="MB/s", limit=partial(three, True), together="three"),
    ]


def _one_copy(systems: Systems) -> list[Row]:
    trips = systems.trips(_source(systems.context), copies=1)
    row = Row(name="upload, 1 copy", unit="MB/s", target_of_limit=0.85, quick=True)
    return [row.on(by(trips, up_and_gone))]


def _three_copies(systems: Systems) -> list[Row]:
    """Return an upload, and the downloads of what it has stored; the last row takes it away."""
    trips = systems.trips(_source(systems.context), copies=3)
    own: dict[Side, Trip] = {side: trip for side, trip in trips.items() if side != "peer"}
    row = Row(name="", unit="MB/s", target_of_limit=0.85, together="three copies")
    up = replace(row, name="upload, 3 copies", target_of_peer=3.5, quick=True)
    down = replace(row, name="download from 3 holders", target_of_peer=1.6, quick=True)
    return [
        up.on(by(trips, Trip.up)),
        replace(row, name="download from 1 holder").on(by(own, lambda trip: trip.down(1))),
        replace(row, name="download from 2 holders").on(by(own, lambda trip: trip.down(2))),
        down.on(by(trips, down_and_gone)),
    ]


def _processes(systems: Systems) -> list[Row]:
    """Return the same with every node a process of its own; here the limit is dfslab itself, in threads."""
    source, folder = _source(systems.context), systems.context.folder

    def trips(copies: int) -> dict[Side, Trip]:
        return {
            "dfslab": Trip(systems.processes, folder, source, copies=copies),
            "limit": Trip(systems.dfslab, folder, source, copies=copies),
        }

    row = Row(name="", unit="MB/s", target_of_limit=1.0)
    three, together = trips(3), "processes"
    return [
        replace(row, name="upload, 1 copy, processes (limit: threads)").on(by(trips(1), up_and_gone)),
        replace(row, name="upload, 3 copies, processes (limit: threads)", together=together).on(by(three, Trip.up)),
        replace(row, name="download from 3 holders, processes (limit: threads)", together=together).on(
            by(three, down_and_gone)
        ),
    ]


def _of_size(systems: Systems, name: str, size: int, files: int) -> list[Row]:
    """Return up and down of files of a size, one after the other, three copies: as many as SeaweedFS makes."""
    trips = systems.trips(_source(systems.context, size), copies=3, files=files)
    row = Row(name="", unit="MB/s", together=name)
    return [
        replace(row, name=f"upload a file of {name}, 3 copies").on(by(trips, Trip.up)),
        replace(row, name=f"download a file of {name}").on(by(trips, down_and_gone)),
    ]
