"""The protocol as it happened: a sequence diagram of one upload, download or repair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dfslab.core.errors import NoSuchFile
from dfslab.core.history import Table
from dfslab.core.nodes import MASTER, is_keeper
from dfslab.core.pretty import shortened
from dfslab.core.trace import TraceEvent
from dfslab.views.messages import Message, Wire, messages_of
from dfslab.views.plots.time_axis import TIME
from dfslab.views.snapshot import in_natural_order
from dfslab.views.style import (
    BLUE,
    FAINT,
    INK,
    LABEL_SIZE,
    ORANGE,
    PAPER,
    SMALL_SIZE,
    VERMILLION,
    axes_or_new,
    axes_points,
    label_of,
    legend_beside,
    points_of,
    say,
    write_labels,
)
from dfslab.views.transfers import names_of_files

MOST_KEEPERS = 8
LINES: dict[Wire, dict[str, Any]] = {
    Wire.CONTROL: {"color": BLUE, "linewidth": 1.3, "linestyle": "-"},
    Wire.DATA: {"color": ORANGE, "linewidth": 3.2, "linestyle": "-"},
    Wire.FAILED: {"color": VERMILLION, "linewidth": 1.3, "linestyle": (0, (4, 2))},
}
NUMBER_POINTS = 6.5
"""Half as wide as a step's number in its circle."""


def draw_sequence(
    base: Table, events: Sequence[TraceEvent], replicas: int, ax: Axes | None, name: str, what: str
) -> Axes:
    """Draw it; see `Plots.sequence`."""
    messages = messages_of(events, name, what, replicas)
    if name not in names_of_files(base, events):
        raise NoSuchFile(name=name)
    nodes = _nodes(messages)
    messages = [message for message in messages if message.source in nodes and message.target in nodes]
    ax = axes_or_new(ax, (2.2 + 1.75 * max(len(nodes), 3), 1.7 + 0.36 * max(len(messages), 4)))
    _draw_lifelines(ax, nodes, len(messages))
    write_labels(ax, title=f"{what.capitalize()} of {label_of(name)}", x="node", y=TIME)
    if messages:
        legend_beside(ax, handles=_handles(messages))
        points_of(ax)  # the legend takes its room, and text the size that fits what is left
        _name_lifelines(ax, nodes)
        _write_times(ax, messages)
        for row, message in enumerate(messages):
            _draw_message(ax, message, row, nodes)
    else:
        say(ax, f"no {what} of {label_of(name)} in the trace")
    return ax


def _nodes(messages: Sequence[Message]) -> list[str]:
    """Return the nodes concerned, from left to right: who asked, the master, the first few of the keepers."""
    found = dict.fromkeys(node for message in messages for node in (message.source, message.target))
    clients = [node for node in found if node != MASTER and not is_keeper(node)]
    keepers = in_natural_order(node for node in found if is_keeper(node))
    return [*clients, MASTER, *keepers[:MOST_KEEPERS]] if found else []


def _draw_lifelines(ax: Axes, nodes: Sequence[str], rows: int) -> None:
    ax.set_xlim(-0.5, max(len(nodes), 1) - 0.5)
    ax.set_ylim(max(rows, 1) - 0.4, -0.9)
    ax.spines[:].set_visible(False)
    ax.vlines(range(len(nodes)), -0.9, rows - 0.4, colors=FAINT, linestyles=(0, (4, 3)), linewidth=0.9, zorder=1)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xticks([])
    ax.set_yticks([])


def _name_lifelines(ax: Axes, nodes: Sequence[str]) -> None:
    longest = max(map(len, nodes))
    ax.set_xticks(range(len(nodes)), nodes)
    ax.tick_params(axis="x", length=0, labelsize=max(4.5, min(LABEL_SIZE, _room(ax, 1) / (0.8 * longest))))
    for label in ax.get_xticklabels():
        label.set_fontweight("bold")


def _write_times(ax: Axes, messages: Sequence[Message]) -> None:
    """Write the true times to the left: rows are evenly spaced, whatever time passed between them."""
    times = [f"{message.time_s:.3f}" for message in messages]
    shown = ["" if row and times[row - 1] == time else time for row, time in enumerate(times)]
    ax.set_yticks(range(len(messages)), shown)
    ax.tick_params(axis="y", length=0, labelsize=_text_size(ax))


def _text_size(ax: Axes) -> float:
    """Return the size of text that fits between two rows."""
    top, bottom = ax.get_ylim()
    row = axes_points(ax)[1] / abs(top - bottom)
    return max(4.5, min(SMALL_SIZE, 0.42 * row))


def _room(ax: Axes, lifelines: int) -> float:
    """Return how many points lie between lifelines so far apart."""
    left, right = ax.get_xlim()
    return axes_points(ax)[0] / (right - left) * lifelines


def _draw_message(ax: Axes, message: Message, row: int, nodes: Sequence[str]) -> None:
    source, target = nodes.index(message.source), nodes.index(message.target)
    if source == target:
        _draw_note(ax, message, row, source, len(nodes))
    else:
        _draw_arrow(ax, message, row, source, target)
    if message.step:
        size = _text_size(ax) * 0.9
        circle = {"boxstyle": "circle,pad=0.22", "facecolor": INK, "edgecolor": PAPER, "linewidth": 0.8}
        text: dict[str, Any] = {"ha": "center", "va": "center", "color": PAPER, "fontsize": size, "weight": "bold"}
        ax.text(source, row, message.step, bbox=circle, zorder=5, **text).set_in_layout(False)


def _draw_arrow(ax: Axes, message: Message, row: int, source: int, target: int) -> None:
    arrow = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 1.5, "mutation_scale": 11, **LINES[message.wire]}
    ax.annotate("", xy=(target, row), xytext=(source, row), arrowprops=arrow, zorder=3).set_in_layout(False)
    size = _text_size(ax)
    words = _fitting(message.words, _room(ax, abs(target - source)) - 4 * NUMBER_POINTS, size)
    above = 1.5 + LINES[message.wire]["linewidth"] / 2
    ax.annotate(
        words,
        xy=((source + target) / 2, row),
        xytext=(0, above),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=size,
        color=VERMILLION if message.wire is Wire.FAILED else INK,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.4},
        zorder=4,
    ).set_in_layout(False)


def _draw_note(ax: Axes, message: Message, row: int, node: int, count: int) -> None:
    """Write what happens on a node beside its lifeline; on the last one's left, where there is room."""
    last = node == count - 1
    size = _text_size(ax)
    failed = message.wire is Wire.FAILED
    ax.annotate(
        _fitting(message.words, 0.86 * _room(ax, 1), size),
        xy=(node, row),
        xytext=(-9 if last else 9, 0),
        textcoords="offset points",
        ha="right" if last else "left",
        va="center",
        fontsize=size,
        color=VERMILLION if failed else INK,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": PAPER, "edgecolor": VERMILLION if failed else FAINT},
        zorder=4,
    ).set_in_layout(False)


def _fitting(words: str, points: float, size: float) -> str:
    return label_of(shortened(words, max(6, int(points / (0.5 * size)))), limit=len(words) + 1)


def _handles(messages: Sequence[Message]) -> list[Artist]:
    wires = {message.wire for message in messages}
    lines: list[Artist] = [Line2D([], [], label=wire.value, **look) for wire, look in LINES.items() if wire in wires]
    if Wire.NOTE in wires:
        lines.append(Patch(facecolor=PAPER, edgecolor=FAINT, label=Wire.NOTE.value))
    number: dict[str, Any] = {"marker": "o", "markersize": 9, "color": INK, "linestyle": ""}
    steps = any(message.step.isdigit() for message in messages)
    return [*lines, Line2D([], [], label="step of the protocol" if steps else "step", **number)]
