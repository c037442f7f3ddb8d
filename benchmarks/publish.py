"""The table as text, Markdown, CSV and a chart, and the page that keeps them: `RESULTS.md`."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.table import SIDES, Result

FOLDER = Path(__file__).parent
COLUMNS = ("row", "unit", "dfslab", "limit", "peer", "of limit", "of peer", "spread", "target", "met")
BLUE, VERMILION = "#0072B2", "#D55E00"
"""Of Okabe and Ito's palette: told apart by every eye, and in grey."""
WIDEST = 1.5
"""Of the limit: a longer bar is cut, so that one does not take the room of all others."""
NAME_WIDTH = 50
"""Letters of a row's name in a line of the chart."""
BACKED = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""What a figure stands on, where a line would cross it."""


def figure(value: float | None) -> str:
    """Return three digits that mean something, or "-"."""
    if value is None:
        return "-"
    if not value or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def cells(result: Result) -> tuple[str, ...]:
    """Return a line of the table, in the order of `COLUMNS`."""
    row, (low, high) = result.row, result.spread
    targets = (
        ("" if row.target is None else f"{'≥' if row.better == 'higher' else '<'} {row.target:,g}"),
        ("" if row.target_of_limit is None else f"≥ {row.target_of_limit:g} of limit"),
        ("" if row.target_of_peer is None else f"≥ {row.target_of_peer:g} × peer"),
    )
    return (
        row.name,
        row.unit,
        *(figure(result.median(side)) for side in SIDES),
        figure(result.ratio("limit")),
        figure(result.ratio("peer")),
        f"{figure(low)}–{figure(high)}",
        "; ".join(target for target in targets if target) or "-",
        {True: "yes", False: "no", None: "-"}[result.met],
    )


def text(results: Sequence[Result]) -> str:
    """Return the table for a terminal."""
    return _aligned([COLUMNS, *(cells(result) for result in results)], left=(0, 1, 8, 9))


def ratios(results: Sequence[Result], recorded: Mapping[str, float]) -> str:
    """Return the ratios to the limit beside the recorded ones, for a terminal."""
    lines = [
        (result.row.name, figure(result.ratio("limit")), figure(recorded.get(result.row.name))) for result in results
    ]
    return _aligned([("row", "of limit", "recorded"), *lines], left=(0,))


def _aligned(lines: Sequence[tuple[str, ...]], left: tuple[int, ...]) -> str:
    """Return columns of equal width; the text of some stands to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(results: Sequence[Result]) -> str:
    """Return the table in Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *(cells(result) for result in results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def raw_csv(results: Sequence[Result]) -> str:
    """Return every round's figures as CSV: row, unit, side, round from 1, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("row", "unit", "side", "round", "value"))
    for result in results:
        for side in SIDES:
            for number, value in enumerate(result.figures.get(side, ()), start=1):
                writer.writerow((result.row.name, result.row.unit, side, number, f"{value:.6g}"))
    return out.getvalue()


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw how near each row is to its limit, its target marked; rows that are ratios themselves have no limit."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    bars = [
        (result.row, ratio)
        for result in results
        if result.row.unit != "ratio" and (ratio := result.ratio("limit")) is not None
    ]
    names = [textwrap.fill(row.name, NAME_WIDTH) for row, _ in bars]
    targets = [
        (row.target_of_limit, name)
        for (row, _), name in zip(bars, names, strict=True)
        if row.target_of_limit is not None
    ]
    with mpl.rc_context({"svg.hashsalt": "dfslab", "svg.fonttype": "none"}):  # the same figures, the same file
        chart = Figure(figsize=(10, 1.6 + 0.28 * len(bars)), layout="constrained")
        axes = chart.add_subplot()
        axes.barh(names, [min(ratio, WIDEST) for _, ratio in bars], color=BLUE, label="dfslab")
        for (row, ratio), name in zip(bars, names, strict=True):
            place = max(min(ratio, WIDEST), row.target_of_limit or 0.0), name  # not on the target's mark
            text = figure(ratio) + " (cut)" * (ratio > WIDEST)
            axes.annotate(text, place, (5, 0), textcoords="offset points", va="center", fontsize="small", bbox=BACKED)
        wanted, named = [target for target, _ in targets], [name for _, name in targets]
        axes.plot(wanted, named, color=VERMILION, label="target", marker="|", ms=14, mew=3, linestyle="none")
        axes.axvline(1.0, color="black", linewidth=1, linestyle="--", label="the limit")
        axes.margins(x=0.15, y=0.02)
        axes.invert_yaxis()
        axes.set_xlabel("ratio to the limit (1: as good as the bare baseline)")
        axes.set_ylabel("row of the table")
        axes.set_title("How near dfslab is to the machine's limit")
        chart.legend(loc="outside lower center", ncols=3)
        chart.savefig(path, metadata={"Date": None})


def page(results: Sequence[Result], machine: Mapping[str, str], when: str, rounds: int) -> str:
    """Return the text of `RESULTS.md`."""
    about = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    return f"""# The last full table

`make bench` writes this page, [every round's figures](results/table.csv) and the chart. {when}.

{about}
- rounds: {rounds}, alternating dfslab, limit, peer

A figure is the median of its rounds, and a ratio the median of the rounds' own ratios: what is compared ran
within the same seconds. A ratio says how good dfslab is beside the other, so for a time it is theirs over
ours. *Limit* is a bare baseline of the same shape (`benchmarks/raw.py`): the same copies, fsyncs and files,
and no protocol. *Peer* is SeaweedFS with replication 002. *Spread* is dfslab's smallest and largest figure.

{markdown(results)}

![A bar for each row: its ratio to the limit, with the target marked](results/table.svg)
"""


def save(results: Sequence[Result], machine: Mapping[str, str], when: str, rounds: int, folder: Path = FOLDER) -> None:
    """Write the page, the CSV and the chart."""
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / "table.csv").write_text(raw_csv(results), "utf-8")
    draw(results, folder / "results" / "table.svg")
    (folder / "RESULTS.md").write_text(page(results, machine, when, rounds), "utf-8")
