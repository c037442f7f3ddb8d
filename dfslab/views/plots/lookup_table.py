"""The lookup table as a matrix of files and keepers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerBase
from matplotlib.patches import Patch, Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Transform

from dfslab.core.history import FileRow, Table
from dfslab.core.pretty import shortened
from dfslab.core.trace import TraceEvent
from dfslab.views.plots.keeper_columns import MANY, name_columns
from dfslab.views.plots.replica_looks import COPYING, DROPPING, LOOKS, NONE, VALID, code_of
from dfslab.views.snapshot import current_files, in_natural_order
from dfslab.views.style import (
    INK,
    PAPER,
    SIGN_FONT,
    SMALL_SIZE,
    VERMILLION,
    axes_or_new,
    axes_points,
    ink_of,
    label_of,
    legend_beside,
    say,
    write_labels,
)
from dfslab.views.transfers import Transfer, copies_under_way

SMALLEST_POINTS = 4.5


def draw_lookup_table(table: Table, events: Iterable[TraceEvent], replicas: int, now: float, ax: Axes | None) -> Axes:
    """Draw it; see `Plots.lookup_table`."""
    files, keepers = current_files(table), _keepers_shown(table)
    ax = axes_or_new(ax, _size(files, keepers))
    write_labels(ax, title=f"Lookup table at {now:.1f} s", x="data keeper", y="file")
    ax.xaxis.set_label_position("top")
    ax.xaxis.labelpad = 8.0
    ax.set_xlim(-0.5, len(keepers) + (0.9 if files else -0.5 if keepers else 0.5))
    ax.set_ylim(max(len(files), 1) - 0.5, -0.5)
    ax.spines[:].set_visible(False)
    ax.xaxis.tick_top()
    _explain(ax)
    name_columns(ax, table, keepers)
    _name_files(ax, files)
    if files:
        _draw_cells(ax, _codes(table, copies_under_way(events), files, keepers))
        _draw_live_copies(ax, table, files, len(keepers), replicas)
    else:
        say(ax, "no files yet")
    return ax


def _keepers_shown(table: Table) -> list[str]:
    """Return the keepers that are there, and any other with a replica in the table."""
    there = [name for name, row in table.keepers.items() if row.state != "decommissioned"]
    holders = [keeper for file in current_files(table) for keeper in table.replicas.get(file.version, {})]
    return in_natural_order([*there, *holders])


def _size(files: Sequence[FileRow], keepers: Sequence[str]) -> tuple[float, float]:
    """Return width and height in inches, so that cells stay readable, within a page's bounds."""
    column = 0.78 if len(keepers) <= MANY else 0.38
    names = 0.075 * max((len(shortened(file.file_name)) for file in files), default=8)
    width = 3.2 + names + column * (len(keepers) + 1)
    row = min(0.38, 11.0 / max(len(files), 1))
    return min(width, 16.0), max(1.4 + row * len(files), 2.4)


def _codes(
    table: Table, copies: Iterable[Transfer], files: Sequence[FileRow], keepers: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Return the state of every cell; a replica that is there counts more than one that is to come."""
    column = {keeper: number for number, keeper in enumerate(keepers)}
    row = {file.version: number for number, file in enumerate(files)}
    codes = np.full((len(files), len(keepers)), NONE)
    for copy in copies:
        if copy.version in row and copy.target in column:
            codes[row[copy.version], column[copy.target]] = COPYING
    for version, number in row.items():
        for replica in table.replicas.get(version, {}).values():
            codes[number, column[replica.keeper]] = code_of(table, replica)
    return codes


def _draw_cells(ax: Axes, codes: npt.NDArray[np.int64]) -> None:
    """Draw the cells and their signs; in rows too low to read, only signs of what is not simply valid."""
    rows, columns = codes.shape
    ax.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        codes,
        cmap=ListedColormap([look.face for look in LOOKS]),
        vmin=NONE - 0.5,
        vmax=DROPPING + 0.5,
        edgecolors=PAPER,
        linewidth=min(1.5, 0.1 * _row_points(ax, rows)),
    )
    size = _text_size(ax, rows)
    plain = (NONE, VALID) if size < SMALLEST_POINTS else (NONE,)
    for (row, column), code in np.ndenumerate(codes):
        if code not in plain:
            look, large = LOOKS[code], max(size, SMALLEST_POINTS)
            _write(ax, column, row, look.sign, large, color=look.ink, family=SIGN_FONT, weight="bold")


def _draw_live_copies(ax: Axes, table: Table, files: Sequence[FileRow], column: int, replicas: int) -> None:
    """Write behind each row how many live copies the file has, and how many it should have."""
    size = _text_size(ax, len(files))
    if size < SMALLEST_POINTS:
        return
    x = column + 0.25
    ax.text(
        x,
        1.0,
        "live\ncopies",
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=SMALL_SIZE,
        color=ink_of(ax),
    )
    for row, file in enumerate(files):
        live = table.live_copies(file.version)
        short = live < replicas
        _write(
            ax,
            x,
            row,
            f"{live} of {replicas}",
            min(size, SMALL_SIZE),
            color=VERMILLION if short else INK,
            weight="bold" if short else "normal",
        )


def _write(ax: Axes, x: float, y: float, text: str, size: float, **kwargs: str) -> None:
    """Write into a cell; the layout need not look at hundreds of these."""
    ax.text(x, y, text, ha="center", va="center_baseline", fontsize=size, **kwargs).set_in_layout(False)  # type: ignore[arg-type]


def _row_points(ax: Axes, rows: int) -> float:
    return axes_points(ax)[1] / rows


def _text_size(ax: Axes, rows: int) -> float:
    return min(0.6 * _row_points(ax, rows), 12.0)


def _name_files(ax: Axes, files: Sequence[FileRow]) -> None:
    """Name the rows, or every so many of them when there is no room for all."""
    step = 1 + int(SMALLEST_POINTS * 1.4 / _row_points(ax, max(len(files), 1)))
    shown = range(0, len(files), step)
    ax.set_yticks(list(shown), [label_of(files[number].file_name) for number in shown])
    size = max(SMALLEST_POINTS, min(SMALL_SIZE, 0.8 * step * _row_points(ax, max(len(files), 1))))
    ax.tick_params(axis="y", length=0, labelsize=size)


class _CellHandler(HandlerBase):
    """Draws an entry of the legend as a cell with its sign."""

    def create_artists(
        self,
        legend: Legend,
        orig_handle: Artist,
        xdescent: float,
        ydescent: float,
        width: float,
        height: float,
        fontsize: float,
        trans: Transform,
    ) -> list[Artist]:
        """Return the cell and its sign."""
        look = next(look for look in LOOKS if look.words == orig_handle.get_label())
        cell = Rectangle((-xdescent, -ydescent), width, height, facecolor=look.face, edgecolor="none", transform=trans)
        middle = (width / 2 - xdescent, height / 2 - ydescent)
        sign = Text(
            *middle,
            look.sign,
            color=look.ink,
            fontsize=fontsize,
            fontfamily=SIGN_FONT,
            fontweight="bold",
            ha="center",
            va="center_baseline",
            transform=trans,
        )
        return [cell, sign]


def _explain(ax: Axes) -> None:
    handles = [Patch(label=look.words) for look in LOOKS]
    legend_beside(ax, handles=handles, handler_map={Patch: _CellHandler()}, handlelength=1.6, handleheight=1.1)
