"""The looking half of the dashboard: widgets that show one moment of a trace, set only when that has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

import ipywidgets

from dfslab.views.dashboard.fields import chooser, entry
from dfslab.views.dashboard.lookup import ALL, DEAD, SHORT, Filter, lookup_html
from dfslab.views.dashboard.observed import Observed
from dfslab.views.dashboard.parts import feed_html, summary_html, transfers_html
from dfslab.views.dashboard.slider import TimeSlider, marks_shown
from dfslab.views.dashboard.throughput import throughput
from dfslab.views.dashboard.timeline import timeline
from dfslab.views.dashboard.topology import Topology, flows_shown, nodes_shown

SLOW_S = 0.9
"""Tables and charts, which are large, are made anew at most about once a second, unless somebody waits for them."""

WINDOWS = (("last minute", 60.0), ("last 5 minutes", 300.0), ("from the start", None))

_KEY = "".join(
    f"<span><svg viewBox='0 0 34 9' aria-hidden='true'><path class='{kind}' d='M4 4.5H30'/></svg>{name}</span>"
    for kind, name in (("upload", "upload"), ("download", "download"), ("copy", "copy between keepers"))
)
KEY = (
    f"<div class='dfs-key'>{_KEY}<span>✓ runs</span><span>✗ dead</span><span>‖ paused</span>"
    "<span>! other fault</span></div>"
)


class Views:
    """The widgets, and what they were last made from.

    Parameters
    ----------
    follows : bool
        True for a running cluster, False for a saved trace.
    changed : callable
        Called when the user asks for something else to be shown.
    """

    def __init__(self, follows: bool, changed: Callable[[], None]) -> None:
        self.summary = _html("summary")
        self.slider = TimeSlider(follows=follows)
        self.topology = Topology()
        self.lookup, self.transfers, self.feed = _html("lookup"), _html("transfers"), _html("events")
        self.timeline, self.throughput = _html("timeline"), _html("throughput")
        self.text = entry("", "filter", "part of a name, or keeper-3", "200px")
        self.only = chooser("", "only", [ALL, SHORT, DEAD], "150px")
        self.window = chooser("", "window", list(WINDOWS), "150px")
        for field in (self.text, self.only, self.window):
            field.observe(lambda _: changed(), "value")
        self.slider.observe(lambda _: changed(), "at")
        self._made: dict[str, Hashable] = {}
        self._slow_at = -SLOW_S

    @property
    def interactive(self) -> Sequence[ipywidgets.Widget]:
        """The widgets that send something back."""
        return (self.slider, self.topology, self.text, self.only, self.window)

    def show(self, observed: Observed, begin: float, now: float, at: float | None, *, at_once: bool) -> None:
        """Show `observed`, which is what was known at `at`, or at `now`; `at_once` also what is large.

        `begin` is the earliest moment that may be asked for.
        """
        moment = now if at is None else at
        version = observed.version
        when = "" if at is None else f"as it was at {at:.1f} s"
        if self._is_new("summary", (version, when)):
            self.summary.value = summary_html(observed, when)
        self._show_topology(observed, moment, version)
        with self.slider.hold_sync():
            self.slider.begin, self.slider.now = round(begin, 1), round(now, 1)
            self.slider.marks = marks_shown(observed) if at is None else self.slider.marks
        if at_once or time.monotonic() - self._slow_at >= SLOW_S:
            self._slow_at = time.monotonic()
            self._show_tables(observed, moment, version)
            self.timeline.value = timeline(observed, moment, self.window.value).html
            self.throughput.value = throughput(observed, moment, self.window.value).html

    def _show_tables(self, observed: Observed, moment: float, version: Hashable) -> None:
        moving = tuple((row.transfer, row.done_bytes) for row in observed.moving(moment) if row.state == "running")
        wanted = Filter(self.text.value, self.only.value)
        if self._is_new("lookup", (version, moving, wanted)):
            self.lookup.value = lookup_html(observed, wanted)
        if self._is_new("transfers", (version, moving)):
            self.transfers.value = transfers_html(observed)
        if self._is_new("feed", version):
            self.feed.value = feed_html(observed)

    def _show_topology(self, observed: Observed, moment: float, version: Hashable) -> None:
        with self.topology.hold_sync():
            if self._is_new("nodes", version):
                self.topology.nodes = nodes_shown(observed)
            self.topology.flows = flows_shown(observed, moment)
            self.topology.beats = dict(observed.beats)

    def _is_new(self, name: str, key: Hashable) -> bool:
        if self._made.get(name) == key:
            return False
        self._made[name] = key
        return True

    def cards(self, controls: ipywidgets.Widget | None) -> list[ipywidgets.Widget]:
        """Return the rows of the dashboard, the controls beside the topology where there are any."""
        key = ipywidgets.HTML(KEY)
        first = [card("topology: click a node, or reach it by Tab and arrow keys", self.topology, key, wide=True)]
        charts = [
            card("live copies of each file", self.timeline, beside=self.window),
            card("throughput", self.throughput),
        ]
        filters = ipywidgets.HBox([self.text, self.only])
        table = [
            card("lookup table", _scroll(self.lookup), beside=filters, wide=True),
            card("what happened", _scroll(self.feed)),
        ]
        top = _row(*first, *([controls] if controls else []))
        top.add_class("dfs-first")
        return [top, _row(*table), _row(*charts), _row(card("transfers", _scroll(self.transfers, low=True)))]


def card(
    title: str, *children: ipywidgets.Widget, beside: ipywidgets.Widget | None = None, wide: bool = False
) -> ipywidgets.VBox:
    """Return a framed part of the page; the title is ours and needs no escaping, and `beside` is at its right."""
    head = ipywidgets.HBox([ipywidgets.HTML(f"<h4>{title}</h4>"), *([beside] if beside else [])])
    head.add_class("dfs-head")
    box = ipywidgets.VBox([head, *children])
    box.add_class("dfs-card")
    if wide:
        box.add_class("wide")
    return box


def _row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    box = ipywidgets.HBox(children)
    box.add_class("dfs-row")
    return box


def _scroll(widget: ipywidgets.Widget, *, low: bool = False) -> ipywidgets.Box:
    """Return a box that scrolls, so that the place one has scrolled to outlives the next update."""
    box = ipywidgets.VBox([widget])
    box.add_class("dfs-scroll")
    if low:
        box.add_class("low")
    return box


def _html(name: str) -> ipywidgets.HTML:
    made = ipywidgets.HTML()
    made.add_class(f"dfs-{name}")
    return made
