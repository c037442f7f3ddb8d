"""The picture of the game: the year by formula and by simulation, and all designs so far by cost and chance."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfslab.views.durability.design import DAY_S, Tried
from dfslab.views.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    PAPER,
    PREDICTED_LINE,
    SKY_BLUE,
    SMALL_SIZE,
    VERMILLION,
    grid_behind,
    say,
    write_labels,
)

SIZE_IN = (9.6, 3.9)
STEPS = 73
LEAST = 1e-6
"""The chances are drawn down to this."""


def draw_game(figure: Figure, tried: Sequence[Tried], target: float, budget: float) -> tuple[Axes, Axes]:
    """Draw the newest design's year on the left, and every design so far on the right.

    Parameters
    ----------
    figure : Figure
    tried : sequence of Tried
        The newest last.
    target, budget : float
        The chance of a loss that is allowed, and the cost that is.
    """
    figure.set_facecolor(PAPER)
    year, designs = figure.subplots(1, 2)
    for ax in (year, designs):
        ax.set_facecolor(PAPER)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=SMALL_SIZE, colors=INK)
    _draw_year(year, tried[-1], target)
    _draw_designs(designs, tried, target, budget)
    return year, designs


def _draw_year(ax: Axes, newest: Tried, target: float) -> None:
    write_labels(ax, title="One year of this fleet", x="day", y="chance that a file is lost")
    ax.set_xlim(0, 365)
    if not newest.design.fits:
        ax.set_ylim(0, 1)
        say(ax, "it does not fit on the disks")
        return
    grid_behind(ax)
    days = [365 * step / STEPS for step in range(STEPS + 1)]
    shares = [newest.share_by(day * DAY_S) for day in days]
    low, share, high = zip(*shares, strict=True)
    ax.fill_between(days, low, high, color=SKY_BLUE, alpha=0.35, linewidth=0, step="post", label="95 % interval")
    ax.plot(
        days, share, color=BLUE, linewidth=1.8, drawstyle="steps-post", label=f"{len(newest.losses)} simulated years"
    )
    ax.plot(
        days, [newest.design.fleet.loss_within(day * DAY_S) for day in days], **PREDICTED_LINE, label="Markov chain"
    )
    ax.axhline(target, color=VERMILLION, linewidth=1.0, label="target")
    ax.set_ylim(0, min(1.02, 1.15 * max(*high, target)))
    ax.yaxis.set_major_formatter("{x:.1%}" if ax.get_ylim()[1] < 0.1 else "{x:.0%}")
    ax.legend(loc="upper left", frameon=False, fontsize=SMALL_SIZE, labelcolor=INK)


def _draw_designs(ax: Axes, tried: Sequence[Tried], target: float, budget: float) -> None:
    write_labels(ax, title="Your designs so far", x="cost a year", y="chance of a loss within a year")
    costs = [one.design.cost for one in tried]
    left, right = min(300.0, *costs), max(900.0, *costs)
    ax.set(yscale="log", ylim=(LEAST / 1.5, 1.6), xlim=(left - 20, right + 40))
    ax.fill_between([left - 20, budget], LEAST / 1.5, target, color=GREEN, alpha=0.15, linewidth=0)
    ax.axhline(target, color=VERMILLION, linewidth=1.0)
    ax.axvline(budget, color=VERMILLION, linewidth=1.0)
    ax.text(left - 10, LEAST, "target reached,\nwithin the budget", fontsize=SMALL_SIZE, color=INK, va="bottom")
    for number, one in enumerate(tried, 1):
        newest = number == len(tried)
        height = max(one.design.chance, LEAST)
        mark, colour, size = "o" if one.design.fits else "X", BLUE if newest else FAINT, 9 if newest else 5
        ax.plot(one.design.cost, height, mark, color=colour, markersize=size)
        ax.annotate(
            str(number), (one.design.cost, height), (6, 4), textcoords="offset points", fontsize=SMALL_SIZE, color=INK
        )
