"""One style for all pictures: white paper, dark ink, colours that colour-blind readers tell apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from dfslab.core.pretty import shortened

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/, without the yellow that is too pale for a line on white.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
LINE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY_BLUE, BLACK)
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))

INK = "#222222"
FAINT = "#767676"
GRID = "#E3E3E3"
PAPER = "#FFFFFF"

TITLE_SIZE = 12
LABEL_SIZE = 10
SMALL_SIZE = 9
SMALLEST_SIZE = 6.0

PREDICTED_LINE: Any = {"color": BLACK, "linestyle": (0, (2.5, 1.5)), "linewidth": 1.6, "markersize": 4.5, "zorder": 3.5}
PREDICTED_RANGE: Any = {"facecolor": "#BBBBBB", "alpha": 0.45, "edgecolor": "#555555", "linewidth": 0.8, "zorder": 1.2}
"""What formulas say is grey and black everywhere, beside the colours of what was seen."""

TITLE_PAD = 8.0
SIGN_FONT = "DejaVu Sans"
"""It comes with matplotlib and has all the signs."""

RC_PARAMS: Any = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": "auto",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
}


def style() -> AbstractContextManager[None]:
    """Return a context in which new figures and Axes are born in this style, whatever the notebook has set.

    It changes matplotlib's settings for the whole process meanwhile, so it is for the main thread;
    a thread of its own draws on Axes that it brings.
    """
    return mpl.rc_context(RC_PARAMS)


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return `ax` with a white face, or new Axes on a white figure of `size` (width, height in inches).

    Axes that a caller brings keep the fonts and colours they were born with.
    """
    if ax is None:
        return _new_axes(size)
    ax.set_facecolor(PAPER)
    return ax


def _new_axes(size: tuple[float, float]) -> Axes:
    from matplotlib import pyplot  # selects a backend, which importing views must not do

    # The figure comes first: the first one loads the notebook's backend, which sets `interactive` for
    # all that follow, and leaving the context would set that back.
    figure = pyplot.figure(figsize=size, layout="constrained", facecolor=PAPER)
    with style():
        ax = figure.subplots()
    ax.tick_params(colors=INK, labelsize=SMALL_SIZE)  # ticks are made later, outside of the context
    # `savefig` may paint the figure in the notebook's colour; the sheet lies over that.
    sheet = Rectangle((0, 0), 1, 1, transform=figure.transFigure, facecolor=PAPER, zorder=-10)
    sheet.set_in_layout(False)
    figure.add_artist(sheet)
    return ax


def points_of(ax: Axes) -> tuple[float, float]:
    """Return how wide and high the Axes are, in points, once all that is beside them has found its place."""
    figure = ax.figure.figure
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
    return axes_points(ax)


def axes_points(ax: Axes) -> tuple[float, float]:
    """Return how wide and high the Axes are now, in points, before the layout makes room for what is beside them."""
    dpi = ax.figure.figure.dpi
    return ax.bbox.width * 72.0 / dpi, ax.bbox.height * 72.0 / dpi


def ink_of(ax: Axes) -> str:
    """Return the colour of text beside the Axes, which lies on whatever face their figure has."""
    return str(mpl.colors.to_hex(ax.xaxis.label.get_color()))


def write_labels(ax: Axes, *, title: str, x: str, y: str) -> None:
    """Set title and axis names."""
    raise_title(ax, 0.0, title)
    ax.set_xlabel(x, fontsize=LABEL_SIZE)
    ax.set_ylabel(y, fontsize=LABEL_SIZE)


def raise_title(ax: Axes, points: float, title: str | None = None) -> None:
    """Set the title, or keep it, with room of so many points above the Axes."""
    text = ax.get_title(loc="left") if title is None else title
    ax.set_title(text, loc="left", fontsize=TITLE_SIZE, fontweight="bold", pad=TITLE_PAD + points)


def whole_numbers(ax: Axes) -> None:
    """Mark whole numbers only on the y axis."""
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def name_lanes(ax: Axes, names: Sequence[str]) -> None:
    """Name lanes 0, 1, ... from the top down, or every so many of them when there is no room for all."""
    count = max(len(names), 1)
    ax.set_ylim(count - 0.5, -0.5)
    points = axes_points(ax)[1] / count
    step = 1 + int(1.3 * SMALLEST_SIZE / points)
    ax.set_yticks(list(range(0, len(names), step)), [label_of(name) for name in names[::step]])
    ax.tick_params(axis="y", length=0, labelsize=max(SMALLEST_SIZE, min(SMALL_SIZE, 0.75 * step * points)))


def sign(ax: Axes, x: float, y: float, text: str, **kwargs: Any) -> None:
    """Write a sign into the data; the layout need not look at hundreds of these."""
    place = {"ha": "center", "va": "center_baseline", "family": SIGN_FONT, "clip_on": True}
    ax.text(x, y, text, **{**place, **kwargs}).set_in_layout(False)


def grid_behind(ax: Axes) -> None:
    """Draw faint horizontal lines behind the data."""
    ax.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)


def legend_beside(ax: Axes, clear_points: float = 0.0, **kwargs: Any) -> Legend:
    """Put a legend to the right of the Axes, where there is no data, so many points clear of them."""
    aside = ScaledTranslation(clear_points / 72.0, 0.0, ax.figure.figure.dpi_scale_trans)
    place: dict[str, Any] = {
        "loc": "upper left",
        "bbox_to_anchor": (1.01, 1.0),
        "bbox_transform": ax.transAxes + aside,
        "borderaxespad": 0.0,
    }
    return ax.legend(**{**place, **_LEGEND, **kwargs})


_LEGEND: dict[str, Any] = {
    "frameon": True,
    "facecolor": PAPER,
    "edgecolor": PAPER,
    "framealpha": 1.0,
    "labelcolor": INK,
    "fontsize": SMALL_SIZE,
}


def say(ax: Axes, text: str) -> None:
    """Write why there is nothing to see in the middle of the Axes."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=FAINT, fontsize=TITLE_SIZE)


def label_of(name: str, limit: int = 26) -> str:
    """Return a file's name as matplotlib is to show it: shortened, and literally.

    `$` would begin a formula, and a leading `_` would hide a line from the legend. A sign that the
    font lacks would be a warning on stderr at every drawing.
    """
    text = "".join(char if ord(char) in _signs() else "□" for char in shortened(name, limit)).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _signs() -> Mapping[int, int]:
    return _signs_of(font_manager.findfont(font_manager.FontProperties()))


@functools.cache
def _signs_of(path: str) -> Mapping[int, int]:
    return font_manager.get_font(path).get_charmap()
