"""Many at once: clients of large files, whose total must not fall and of whom none may starve, and many small files.

Each client has files of its own. Large files are uploaded with 3 copies, so that all the work is within
the time; with 1 copy the background copies of those who are done would be in the time of those who are not,
and one client alone would not have them. The small files do just that, as the target is of uploads as they
are by default: the limit beside them makes 1 copy and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from benchmarks.context import Context
from benchmarks.shapes import Systems, Trip, by, down_and_gone
from benchmarks.table import Measure, Row, Side

MIB = 1 << 20
LARGE = 64 * MIB
COUNTS = (1, 4, 16)
PEER_COUNT = 4
"""With one client SeaweedFS is in the rows of transfers; 16 would take it a minute and a half, to say the same."""
SMALL = 64 * 1024
SMALL_CLIENTS = 8
SMALL_FILES = 1000

Way = Literal["upload", "download"]


def rows(context: Context) -> list[Row]:
    """Return the rows of several clients."""
    systems = Systems(context)
    return [*_large(systems), *_small(systems)]


class _Crowd:
    """One system's clients: so many of them upload, and download what they have uploaded; the figures are kept."""

    def __init__(self, trips: dict[int, Trip]) -> None:
        self._trips = trips
        self._rates: dict[tuple[Way, int], float] = {}
        self._fairness: dict[Way, float] = {}

    def upload(self, count: int) -> float:
        """Return the MB/s of all together."""
        return self._note("upload", count, self._trips[count].up())

    def download(self, count: int) -> float:
        """Return the MB/s of all together; then the files are taken away."""
        return self._note("download", count, down_and_gone(self._trips[count]))

    def _note(self, way: Way, count: int, rate: float) -> float:
        self._rates[way, count] = rate
        self._fairness[way] = self._trips[count].fairness
        return rate

    def kept(self, way: Way) -> float:
        """Return the rate of the most clients over that of one."""
        return self._rates[way, COUNTS[-1]] / self._rates[way, COUNTS[0]]

    def fairness(self, way: Way) -> float:
        """Return the rate of the slowest of the most clients over that of the fastest."""
        return self._fairness[way]


def _large(systems: Systems) -> list[Row]:
    source = partial(systems.context.file, LARGE)
    trips = {
        count: systems.trips(source, copies=3, clients=count, files=COUNTS[-1] // count) for count in COUNTS
    }  # all carry the same bytes, however many: the first 2 GB, for which memory is at hand, go faster than the rest
    crowds: dict[Side, _Crowd] = {
        side: _Crowd({count: trips[count][side] for count in COUNTS}) for side in trips[COUNTS[0]]
    }

    own: dict[Side, _Crowd] = {side: crowd for side, crowd in crowds.items() if side != "peer"}

    def measures(crowds: dict[Side, _Crowd], method: Callable[[_Crowd], float]) -> dict[Side, Measure]:
        return {side: partial(method, crowd) for side, crowd in crowds.items()}

    row = Row(name="", unit="MB/s", together="clients")
    ratio = replace(row, unit="ratio")
    most = COUNTS[-1]
    ways: tuple[Way, Way] = ("upload", "download")
    return [
        *(
            replace(row, name=f"{way}, {count} client{'s' * (count > 1)}, 64 MiB each").on(
                measures(
                    crowds if count == PEER_COUNT else own,
                    partial(_Crowd.upload if way == "upload" else _Crowd.download, count=count),
                )
            )
            for count in COUNTS
            for way in ways
        ),
        *(
            replace(ratio, name=f"{way}, {most} clients over 1", target=0.8).on(
                measures(own, partial(_Crowd.kept, way=way))
            )
            for way in ways
        ),
        *(
            replace(ratio, name=f"{way}, slowest of {most} clients over fastest", target=0.333).on(
                measures(own, partial(_Crowd.fairness, way=way))
            )
            for way in ways
        ),
    ]


def _small(systems: Systems) -> list[Row]:
    content = bytes(range(256)) * (SMALL // 256)
    trips = systems.trips(lambda: content, copies=1, clients=SMALL_CLIENTS, files=SMALL_FILES // SMALL_CLIENTS)

    def files_s(trip: Trip, run: Callable[[Trip], float]) -> float:
        run(trip)
        return trip.files_s

    row = Row(name="", unit="files/s", together="small")
    up = replace(row, name="upload 1,000 files of 64 KiB, 8 clients", target=300)
    down = replace(row, name="download 1,000 files of 64 KiB, 8 clients", target=1000)
    return [up.on(by(trips, partial(files_s, run=Trip.up))), down.on(by(trips, partial(files_s, run=down_and_gone)))]
