"""How long each picture of a trace of 100,000 events takes, from the call to the PNG.

Run with `python -m benchmarks.pictures`.
"""

from __future__ import annotations

import io
import time
from functools import partial
from typing import Any

import matplotlib as mpl

from benchmarks.long_trace import long_source
from benchmarks.report import Figure, repeat, show
from dfslab.views.plots import Plots

LIMIT_S = 2.0
RUNS = 3
ARGUMENTS: dict[str, dict[str, Any]] = {
    "sequence": {"name": "file-007.mp4", "what": "repair"},
    "heartbeats": {"predict": True},
    "replication_timeline": {"predict": True},
    "download_throughput": {"predict": True},
}
PICTURES = tuple(name for name in vars(Plots) if not name.startswith("_"))


def seconds(plots: Plots, picture: str) -> float:
    """Draw a picture and return how long that took."""
    from matplotlib import pyplot

    begin = time.perf_counter()
    ax = getattr(plots, picture)(**ARGUMENTS.get(picture, {}))
    ax.figure.savefig(io.BytesIO(), format="png")
    taken = time.perf_counter() - begin
    pyplot.close("all")
    return taken


def main() -> None:
    """Measure and print."""
    mpl.use("Agg")
    source = long_source()
    plots = Plots(source)
    seconds(plots, "throughput")  # the first picture loads fonts
    figures = [Figure(picture, repeat(RUNS, partial(seconds, plots, picture)), "s", LIMIT_S) for picture in PICTURES]
    show(f"Pictures of {len(source.events()):,} events", figures)


if __name__ == "__main__":
    main()
