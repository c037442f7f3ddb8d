"""Who is there: the master and the client in the middle, the keepers around them, and what moves between."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from dfslab.core.fault_periods import FaultPeriod, fault_periods, lasting_by_node
from dfslab.core.faults import PARTITIONED
from dfslab.core.history import Table
from dfslab.core.nodes import CLIENT, MASTER, is_keeper
from dfslab.core.pretty import count_text
from dfslab.core.trace import TraceEvent
from dfslab.views.faults import Fault, done_to, faults_of
from dfslab.views.plots.throughput import LINES
from dfslab.views.snapshot import Load, in_natural_order, load_by_keeper
from dfslab.views.style import (
    BLACK,
    FAINT,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PAPER,
    SKY_BLUE,
    SMALL_SIZE,
    VERMILLION,
    axes_or_new,
    legend_beside,
    points_of,
    say,
    write_labels,
)
from dfslab.views.under_way import UnderWay, fold_under_way

FEW = 14
"""Up to so many keepers have all their words beside them."""
MASTER_AT, CLIENT_AT = (0.0, 0.2), (0.0, -0.24)
CLIENTS_APART = 0.32
CLEAR = 0.52
"""Copies between keepers keep so far from the middle of the ring."""
CUT_AT, CUT_SIZE = 0.55, 13.0
"""Where on the way, and how long in points, the bar of a partition is."""
MOST_OBLONG = 1.5
ROOMY_POINTS = 110.0
"""On a ring with a smaller radius, marks are smaller."""
CHARACTER = 0.62
"""Width of a bold character over its size."""

Place = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """How a node's state is told beside its word: by a shape and a colour."""

    marker: str
    face: str
    words: str


LOOKS = {
    "alive": Look("o", GREEN, "keeper alive"),
    "draining": Look("D", SKY_BLUE, "keeper draining"),
    "dead": Look("X", VERMILLION, "dead"),
    "unseen": Look("s", "#BDBDBD", "keeper not seen yet"),
    "decommissioned": Look("P", "#BDBDBD", "keeper decommissioned"),
    MASTER: Look("h", BLACK, "master tracker"),
    CLIENT: Look("v", ORANGE, "client"),
}


def draw_topology(table: Table, events: Sequence[TraceEvent], now: float, ax: Axes | None) -> Axes:
    """Draw it; see `Plots.topology`."""
    keepers = in_natural_order(name for name, row in table.keepers.items() if row.state != "decommissioned")
    ax = axes_or_new(ax, (8.6, 6.0) if len(keepers) <= FEW else (10.4, 8.0))
    write_labels(ax, title=f"Topology at {now:.1f} s", x="", y="")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if not keepers:
        say(ax, "no keepers yet")
        return ax
    moving = [one for one in fold_under_way(events) if {one.source, one.target} & set(keepers)]
    faults, places = _lasting(events), _places(keepers, moving)
    states = _states(table, keepers, places, faults)
    legend_beside(ax, handles=_handles(states, moving, events))
    labels = {keeper: _label(keeper, states, faults, load_by_keeper(table), len(keepers)) for keeper in keepers}
    size = _make_room(ax, list(labels.values()))
    _draw_spokes(ax, table, keepers, places)
    _draw_cuts(ax, events, keepers, places)
    _draw_moving(ax, moving, places)
    _draw_nodes(ax, states, places, load_by_keeper(table))
    for keeper, label in labels.items():
        _name_on_ring(ax, places[keeper], label, size, bad=states[keeper] != "alive" or keeper in faults)
    for node in [node for node in places if node not in labels]:
        _name_within(ax, places[node], [node, *_condition(node, states[node], faults)])
    return ax


def _states(
    table: Table, keepers: Sequence[str], places: Mapping[str, Place], faults: Mapping[str, list[str]]
) -> dict[str, str]:
    """Return the state of each node: of keepers what the master believes, of the others what they are."""
    states = {node: node if node == MASTER else CLIENT for node in places if node not in keepers}
    if "dead" in faults.get(MASTER, ()):
        states[MASTER] = "dead"
    return states | {keeper: table.keepers[keeper].state for keeper in keepers}


def _make_room(ax: Axes, labels: Sequence[str]) -> float:
    """Set the limits such that the ring, of radius 1, and the labels outside of it fill the Axes; return their size.

    The ring is an ellipse where the Axes are no square.
    """
    width, height = points_of(ax)
    few = len(labels) <= FEW
    size = max(4.5, min(SMALL_SIZE - 0.5, height / 36.0)) if few else max(4.0, min(6.5, height / 75.0))
    longest = max(len(line) for label in labels for line in label.split("\n"))
    beside = CHARACTER * size * longest + 14.0
    above = 4.6 * size + 12.0 if few else beside
    across, down = max(20.0, width / 2 - beside), max(20.0, height / 2 - above)
    across, down = min(across, MOST_OBLONG * down), min(down, MOST_OBLONG * across)
    ax.set_xlim(-width / 2 / across, width / 2 / across)
    ax.set_ylim(-height / 2 / down, height / 2 / down)
    return size


def _lasting(events: Sequence[TraceEvent]) -> Mapping[str, list[str]]:
    """Return what each node suffers from at the end of the trace; the legend tells of partitions."""
    told = {
        node: [fault.what for fault in faults if fault.what != PARTITIONED and not fault.detail.get("other")]
        for node, faults in lasting_by_node(fault_periods(events)).items()
    }
    return {node: whats for node, whats in told.items() if whats}


def _places(keepers: Sequence[str], moving: Sequence[UnderWay]) -> dict[str, Place]:
    """Return where each node is: keepers clockwise from the top on a circle, the others within it."""
    places: dict[str, Place] = {MASTER: MASTER_AT}
    clients = dict.fromkeys([CLIENT, *(node for one in moving for node in (one.source, one.target))])
    clients = {node: None for node in clients if node not in keepers and node != MASTER and not is_keeper(node)}
    for number, client in enumerate(clients):
        places[client] = (CLIENT_AT[0] + (number - (len(clients) - 1) / 2) * CLIENTS_APART, CLIENT_AT[1])
    for number, keeper in enumerate(keepers):
        angle = math.pi / 2 - 2 * math.pi * number / len(keepers)
        places[keeper] = (math.cos(angle), math.sin(angle))
    return places


def _draw_spokes(ax: Axes, table: Table, keepers: Sequence[str], places: Mapping[str, Place]) -> None:
    """Join the master with those that it counts on."""
    alive = [[places[MASTER], places[keeper]] for keeper in keepers if table.keepers[keeper].is_alive]
    ax.add_collection(LineCollection(alive, colors=GRID, linewidths=1.0, zorder=1), autolim=False)


def _draw_cuts(ax: Axes, events: Sequence[TraceEvent], keepers: Sequence[str], places: Mapping[str, Place]) -> None:
    """Draw a bar across the way between the master and each keeper that a partition keeps from it."""
    for keeper in keepers:
        if not any(_keeps_apart(period, MASTER, keeper) for period in fault_periods(events)):
            continue
        (x, y), (to_x, to_y) = places[MASTER], places[keeper]
        across, down = ax.transData.transform((to_x, to_y)) - ax.transData.transform((x, y))  # pixels, for the angle
        bar = (2, 2, math.degrees(math.atan2(down, across)))  # a star of two rays is a line
        middle = x + CUT_AT * (to_x - x), y + CUT_AT * (to_y - y)
        ax.plot(*middle, marker=bar, markersize=CUT_SIZE, markeredgewidth=2.0, color=VERMILLION, linestyle="", zorder=2)


def _keeps_apart(period: FaultPeriod, one: str, other: str) -> bool:
    """Return True for a partition that lasts and lets no call between two nodes be answered."""
    if period.what != PARTITIONED or math.isfinite(period.end_s):
        return False
    a, b = period.detail.get("a", ()), period.detail.get("b", ())
    return (one in a and other in b) or (other in a and one in b)


def _draw_moving(ax: Axes, moving: Sequence[UnderWay], places: Mapping[str, Place]) -> None:
    """Draw an arrow for all of one kind between the same two nodes, and how far they are."""
    between: dict[tuple[str, str, str], list[UnderWay]] = {}
    for one in moving:
        if one.source in places and one.target in places:
            between.setdefault((one.kind, one.source, one.target), []).append(one)
    for (kind, source, target), these in between.items():
        bend = _bend(places[source], places[target])
        look = {name: value for name, value in LINES[kind].items() if name != "label"}
        arrow = {
            "arrowstyle": "-|>",
            "connectionstyle": f"arc3,rad={bend}",
            "shrinkA": 9,
            "shrinkB": 10,
            "linewidth": 2.2,
            "mutation_scale": 13,
            **look,
        }
        ends = places[target], places[source]
        ax.annotate("", *ends, arrowprops=arrow, zorder=3).set_in_layout(False)
        if len(between) <= 2 * FEW:
            _write_progress(ax, these, places[source], places[target], bend)


def _bend(source: Place, target: Place) -> float:
    """Return how much an arrow is bent, to the outside: the middle is for the master and the client."""
    outside = 1 if source[0] * target[1] - source[1] * target[0] >= 0 else -1
    if min(math.hypot(*source), math.hypot(*target)) < 0.9:
        return 0.15 * outside
    length = math.dist(source, target)
    from_middle = math.sqrt(max(0.0, 1.0 - (length / 2) ** 2))
    return max(0.12, 2 * (CLEAR - from_middle) / length) * outside


def _write_progress(ax: Axes, these: Sequence[UnderWay], source: Place, target: Place, bend: float) -> None:
    done, total = sum(one.done_bytes for one in these), sum(one.total_bytes for one in these)
    words = f"{done / 1e6:.1f} MB" if these[0].kind == "download" or not total else f"{100 * done / total:.0f} %"
    off = bend / 2  # the middle of the arc is half as far off the chord as its control point
    x = (source[0] + target[0]) / 2 + off * (target[1] - source[1])
    y = (source[1] + target[1]) / 2 - off * (target[0] - source[0])
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
    ax.text(x, y, words, fontsize=7.5, color=INK, ha="center", va="center", bbox=box, zorder=4).set_in_layout(False)


def _draw_nodes(ax: Axes, states: Mapping[str, str], places: Mapping[str, Place], load: Mapping[str, Load]) -> None:
    keepers = [node for node in states if is_keeper(node)]
    most = max((load[keeper].stored_bytes for keeper in keepers), default=0) or 1
    small, large = (90.0, 480.0) if len(keepers) <= FEW else (26.0, 150.0)
    shrink = min(1.0, _radius_points(ax) / ROOMY_POINTS)
    for node, state in states.items():
        look, (x, y) = LOOKS.get(state, LOOKS["unseen"]), places[node]
        share = load[node].stored_bytes / most if is_keeper(node) else 0.5
        area = shrink * (small + (large - small) * share)
        ax.scatter([x], [y], s=area, marker=look.marker, facecolor=look.face, edgecolor=INK, linewidth=0.9, zorder=5)


def _radius_points(ax: Axes) -> float:
    """Return how far the ring is from the middle, where it is nearest."""
    away = ax.transData.transform((1.0, 1.0)) - ax.transData.transform((0.0, 0.0))
    return float(min(away) * 72.0 / ax.figure.figure.dpi)


def _condition(node: str, state: str, faults: Mapping[str, list[str]]) -> list[str]:
    """Return the words for a node's state, as the master has it, and for what the laboratory did to it."""
    belief = [state] if is_keeper(node) or state == "dead" else []
    return belief + [done_to(fault) for fault in faults.get(node, ()) if fault not in belief]


def _label(
    keeper: str, states: Mapping[str, str], faults: Mapping[str, list[str]], load: Mapping[str, Load], count: int
) -> str:
    """Return the words beside a keeper; of many keepers, only what is not as it should be."""
    words = ", ".join(_condition(keeper, states[keeper], faults))
    if count > FEW:
        return keeper if words == "alive" else f"{keeper} {words}"
    replicas = load[keeper].replicas
    held = f"{load[keeper].stored_bytes / 1e6:.1f} MB, {count_text(replicas, 'replica')}"
    return f"{keeper}\n{words}\n{held}"


def _name_on_ring(ax: Axes, place: Place, label: str, size: float, *, bad: bool) -> None:
    """Write outside the ring: level or, where it is one line of many, along the radius."""
    x, y = place
    across, down = ax.transData.transform((x, y)) - ax.transData.transform((0.0, 0.0))  # pixels, for the direction
    length = math.hypot(across, down)
    style: dict[str, Any] = {"color": VERMILLION if bad else INK, "zorder": 6, "weight": "bold" if bad else "normal"}
    style |= {"fontsize": size, "textcoords": "offset points", "annotation_clip": False}
    if "\n" in label:
        ha = "center" if abs(x) < 0.3 else "left" if x > 0 else "right"
        va = "bottom" if y > 0.75 else "top" if y < -0.75 else "center"
        away = (0.0 if ha == "center" else math.copysign(13.5, x)), 14.0 * down / length
        ax.annotate(label, xy=place, xytext=away, ha=ha, va=va, **style)
        return
    away = 8.5 * across / length, 8.5 * down / length
    angle, turned = math.degrees(math.atan2(down, across)), x < -1e-9
    style |= {"rotation": angle + 180 if turned else angle, "rotation_mode": "anchor", "va": "center"}
    ax.annotate(label, xy=place, xytext=away, ha="right" if turned else "left", **style)


def _name_within(ax: Axes, place: Place, words: Sequence[str]) -> None:
    bad = len(words) > 1
    ax.annotate(
        " ".join(words),
        xy=place,
        xytext=(0, 12 if place[1] > 0 else -12),
        textcoords="offset points",
        ha="center",
        va="bottom" if place[1] > 0 else "top",
        fontsize=SMALL_SIZE,
        weight="bold",
        color=VERMILLION if bad else INK,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
        zorder=6,
    )


def _lasts(fault: Fault) -> bool:
    return any(math.isinf(end) for _, end in fault.spans)


def _handles(states: Mapping[str, str], moving: Sequence[UnderWay], events: Sequence[TraceEvent]) -> list[Artist]:
    shown, kinds = dict.fromkeys(states.values()), {one.kind for one in moving}
    mark: dict[str, Any] = {"markeredgecolor": INK, "linestyle": "", "markersize": 8}
    nodes: list[Artist] = [
        Line2D([], [], marker=look.marker, color=look.face, label=look.words, **mark)
        for state, look in LOOKS.items()
        if state in shown
    ]
    spoke = Line2D([], [], color=FAINT, linewidth=1.0, label="the master counts on it")
    arrows = [Line2D([], [], linewidth=2.2, **look) for kind, look in LINES.items() if kind in kinds]
    apart = [one.label() for one in faults_of(events) if one.what == PARTITIONED and _lasts(one)]
    cuts = [Line2D([], [], linestyle="", marker="|", markersize=10, color=VERMILLION, label=label) for label in apart]
    return [*nodes, spoke, *arrows, *cuts]
