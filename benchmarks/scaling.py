"""How time grows: against the size of a file, clients, keepers, and files in the catalog; with the slope of each.

`python -m benchmarks.scaling` measures, draws `docs/performance/*.svg` and puts the figures into
`docs/performance.md`, between its markers; nothing there is edited by hand. A slope is that of the straight
line through the last half of the points, both axes logarithmic (least squares): 1 grows with what it is drawn
against, 0 does not grow.
"""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.context import Context
from benchmarks.publish import figure
from benchmarks.rows.cluster import idle_percent, start_s
from benchmarks.rows.master_core import Loaded
from benchmarks.shapes import Trip
from benchmarks.systems import Dfslab, dfslab_started

DOCS = Path(__file__).parent.parent / "docs"
ROUNDS = 3
KIB, MIB = 1 << 10, 1 << 20
SIZES = (64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB)
CLIENTS = (1, 2, 4, 8, 16)
CLIENTS_BYTES = 64 * MIB
KEEPERS = (6, 12, 25, 50, 100, 200)
IDLE_S = 5.0
CATALOGS = (1_000, 3_000, 10_000, 30_000, 100_000)
CATALOG_KEEPERS = 1_000
CORE_KEEPERS = (10, 30, 100, 300, 1_000)
CORE_FILES = 10_000
LOOKS = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", (0, (6, 2))),
)
"""Okabe and Ito's colours, and a marker and a dash for who sees none."""


@dataclass(frozen=True)
class Line:
    """What was measured at each place, and how it ought to grow."""

    name: str
    ought: str
    points: list[tuple[float, float]] = field(default_factory=list)

    @property
    def slope(self) -> float:
        """The exponent with which it grows over the last half of its points."""
        last = self.points[len(self.points) // 2 :] if len(self.points) > 3 else self.points
        x, y = np.log([point[0] for point in last]), np.log([point[1] for point in last])
        return float(np.polyfit(x, y, 1)[0])


def plain(value: float, position: int) -> str:
    """Return a mark of an axis in figures that everybody reads: 10,000 and 0.01."""
    return f"{value:,.10g}"


@dataclass(frozen=True)
class Curves:
    """A picture: lines against the same thing.

    Attributes
    ----------
    key : str
        Of the picture's file and of the markers in the page.
    against, unit : str
        What the horizontal and the vertical axis are.
    """

    key: str
    title: str
    against: str
    unit: str
    lines: Sequence[Line]

    def markdown(self) -> str:
        """Return the picture, the figures and the slopes."""
        places = [point[0] for point in self.lines[0].points]
        head = (self.against, *(plain(place, 0) for place in places), "slope", "ought to")
        body = [
            (line.name, *(figure(point[1]) for point in line.points), f"{line.slope:.2f}", line.ought)
            for line in self.lines
        ]
        rows = [head, tuple("---" for _ in head), *body]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        return f"![{self.title}](performance/{self.key}.svg)\n\nIn {self.unit}:\n\n{table}"

    def draw(self, path: Path) -> None:
        """Draw the lines, both axes logarithmic."""
        import matplotlib as mpl
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, NullFormatter

        with mpl.rc_context({"svg.hashsalt": "dfslab", "svg.fonttype": "none"}):
            picture = Figure(figsize=(7.5, 4.6), layout="constrained")
            axes = picture.add_subplot()
            for line, (color, marker, dashes) in zip(self.lines, LOOKS, strict=False):
                x, y = zip(*line.points, strict=True)
                label = f"{line.name} (slope {line.slope:.2f})"
                axes.plot(x, y, color=color, marker=marker, linestyle=dashes, label=label)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks([point[0] for point in self.lines[0].points])
            axes.xaxis.set_major_formatter(FuncFormatter(plain))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_major_formatter(FuncFormatter(plain))
            axes.grid(visible=True, which="major", alpha=0.3)
            axes.set_xlabel(self.against)
            axes.set_ylabel(f"CPU ({self.unit})" if "core" in self.unit else f"time ({self.unit})")
            axes.set_title(self.title)
            picture.legend(loc="outside lower center", ncols=2)
            picture.savefig(path, metadata={"Date": None})


def median(measure: Callable[[], float]) -> float:
    """Return the middle one of a few runs."""
    return statistics.median(measure() for _ in range(ROUNDS))


def by_size(context: Context, system: Callable[[], Dfslab]) -> Curves:
    """Return the time of a transfer against the size of the file."""
    one, three = Line("upload, 1 copy", "grow linearly"), Line("upload, 3 copies", "grow linearly")
    down = Line("download from 3 holders", "grow linearly")
    for size in SIZES:
        source = partial(context.file, size)
        for line, copies in ((one, 1), (three, 3)):
            trip = Trip(system, context.folder, source, copies=copies)
            line.points.append((size / MIB, size / 1e6 / median(partial(trip.last, trip.up))))
        trip = Trip(system, context.folder, source, copies=3)
        trip.up()
        down.points.append((size / MIB, size / 1e6 / median(trip.down)))
        trip.remove()
    return Curves("file-size", "Time of a transfer by the size of the file", "file size (MiB)", "s", (one, three, down))


def by_clients(context: Context, system: Callable[[], Dfslab]) -> Curves:
    """Return the time until every client is done, against their number; each has as much to do as any."""
    up, down = Line("upload, 3 copies", "grow linearly"), Line("download from 3 holders", "grow linearly")
    for count in CLIENTS:
        trip = Trip(system, context.folder, partial(context.file, CLIENTS_BYTES), copies=3, clients=count)
        ups, downs = [], []
        for _ in range(ROUNDS):
            ups.append(count * CLIENTS_BYTES / 1e6 / trip.up())
            downs.append(count * CLIENTS_BYTES / 1e6 / trip.last(trip.down))
        up.points.append((count, statistics.median(ups)))
        down.points.append((count, statistics.median(downs)))
    title = "Time until each of the clients has moved a file of 64 MiB"
    return Curves("clients", title, "clients at a time", "s", (up, down))


def by_keepers() -> Iterator[Curves]:
    """Yield start and idle cost against the number of keepers, in new interpreters."""
    start, idle = Line("start()", "grow linearly"), Line("idle cluster", "grow linearly")
    for count in KEEPERS:
        start.points.append((count, median(partial(start_s, count))))
        idle.points.append((count, idle_percent(count, IDLE_S)))
    yield Curves("keepers-start", "Time of start(n)", "keepers", "s", (start,))
    yield Curves("keepers-idle", "CPU of a cluster that does nothing", "keepers", "% of one core", (idle,))


def by_files() -> Iterator[Curves]:
    """Yield what the master's core takes against the files in its catalog."""
    restart = Line("restart: catalog and all reports", "grow linearly")
    lines = {
        "scan with nothing to do": Line("scan with nothing to do", "not grow"),
        "heartbeat": Line("heartbeat", "not grow"),
        "upload": Line("upload", "not grow"),
        "list": Line("a page of the list", "not grow"),
        "death": Line("death of a keeper with 300 files", "not grow"),
    }
    for files in CATALOGS:
        core = Loaded(files, CATALOG_KEEPERS)
        restart.points.append((files, core.restart_s))
        lines["scan with nothing to do"].points.append((files, median(core.scan_ms)))
        lines["heartbeat"].points.append((files, median(core.heartbeat_us) / 1e3))
        lines["upload"].points.append((files, median(core.upload_ms)))
        lines["list"].points.append((files, median(core.list_ms)))
        lines["death"].points.append((files, median(core.death_ms)))
    against = "files in the catalog"
    yield Curves("catalog", "One event of the master's core", against, "ms", [*lines.values()])
    yield Curves("catalog-restart", "The master's core after a restart", against, "s", (restart,))


def by_core_keepers() -> Iterator[Curves]:
    """Yield what the master's core takes against the keepers that it knows; all have their share of as many files."""
    beat, scan = Line("heartbeat", "not grow"), Line("scan with nothing to do", "not grow")
    upload, tick = Line("upload", "grow linearly at most"), Line("look at the timers", "grow linearly")
    for keepers in CORE_KEEPERS:
        core = Loaded(CORE_FILES, keepers)
        beat.points.append((keepers, median(core.heartbeat_us) / 1e3))
        scan.points.append((keepers, median(core.scan_ms)))
        upload.points.append((keepers, median(core.upload_ms)))
        tick.points.append((keepers, median(core.tick_ms)))
    yield Curves("core-keepers", "One event of the master's core", "keepers", "ms", (beat, scan, upload, tick))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dfslab-scaling-") as name:
        yield Path(name)


def measured() -> Iterator[Curves]:
    """Yield every picture's curves, as they are measured."""
    yield from by_files()
    yield from by_core_keepers()
    yield from by_keepers()
    with _folder() as folder, Context(folder) as context:
        system = context.lazily(lambda: dfslab_started(folder))
        yield by_clients(context, system)
        yield by_size(context, system)


def put(page: str, key: str, text: str) -> str:
    """Return the page with what stands between the markers of `key` replaced; raise KeyError when they are missing."""
    new, count = re.subn(
        rf"(<!-- {re.escape(key)} -->\n).*?(\n<!-- end -->)", lambda found: found[1] + text + found[2], page, flags=re.S
    )
    if count != 1:
        raise KeyError(f"the page has {count} places for {key!r}")
    return new


def main() -> None:
    """Measure, draw, write."""
    page, pictures = DOCS / "performance.md", DOCS / "performance"
    pictures.mkdir(exist_ok=True)
    for curves in measured():
        curves.draw(pictures / f"{curves.key}.svg")
        page.write_text(put(page.read_text("utf-8"), curves.key, curves.markdown()), "utf-8")
        print(curves.markdown(), flush=True)


if __name__ == "__main__":
    main()
