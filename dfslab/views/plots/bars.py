"""Bars over time: those of one kind are drawn at once, and told apart by more than their colour."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from dfslab.views.style import INK

Corners = list[tuple[float, float]]


@dataclass(frozen=True)
class BarLook:
    """How what a bar stands for is told: by a colour, a hatch, a sign beside it or in it, and in words.

    Without a hatch its edge has the colour `edge`; by default its own, a little wider, which keeps the
    shortest visible.
    """

    face: str
    hatch: str
    sign: str
    words: str
    ink: str = INK
    edge: str = ""

    @property
    def edge_colour(self) -> str:
        """The colour of its edge."""
        return INK if self.hatch else self.edge or self.face


def corners(start_s: float, end_s: float, lane: float, height: float) -> Corners:
    """Return the corners of a bar in the middle of a lane."""
    top, bottom = lane - height / 2, lane + height / 2
    return [(start_s, top), (start_s, bottom), (end_s, bottom), (end_s, top)]


def draw_bars(ax: Axes, looks: Mapping[str, BarLook], bars: Mapping[str, Sequence[Corners]]) -> None:
    """Draw bars by their kinds."""
    for kind, look in looks.items():
        if bars.get(kind):
            faces = PolyCollection(
                list(bars[kind]),
                facecolors=look.face,
                edgecolors=look.edge_colour,
                linewidths=0.8 if look.hatch or look.edge else 1.2,
                hatch=look.hatch,
                zorder=3,
                label=look.words,
            )
            ax.add_collection(faces, autolim=False)


def bar_handles(looks: Mapping[str, BarLook], kinds: Collection[str]) -> list[Patch]:
    """Return what a legend says of the kinds that there are."""
    return [
        Patch(facecolor=look.face, edgecolor=look.edge_colour, hatch=look.hatch, label=look.words)
        for kind, look in looks.items()
        if kind in kinds
    ]
