"""The acting half of the dashboard: the control pages, the lines of Python that they ran, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from dfslab.core.faults import Action
from dfslab.views.dashboard.controls import Controls
from dfslab.views.dashboard.files import FilesPage
from dfslab.views.dashboard.observed import Observed
from dfslab.views.dashboard.panel import Panel
from dfslab.views.dashboard.parts import history_html
from dfslab.views.dashboard.topology import Topology
from dfslab.views.dashboard.views import card
from dfslab.views.dashboard.work import Job, Work
from dfslab.views.snapshot import current_files, in_natural_order

FAULTS, TRANSFERS, SLOW = "faults", "transfers", "slow"
LANES = {"decommission": SLOW}
"""What takes long has a lane of its own, so that one can break something meanwhile."""


class Acting:
    """The controls of a running cluster.

    Parameters
    ----------
    controls : Controls
    topology : Topology
        A click in it chooses the node of the pages, and the other way round.
    changed : callable
        Called from any thread when there is something new to show.
    """

    def __init__(self, controls: Controls, topology: Topology, changed: Callable[[], None]) -> None:
        self._controls = controls
        self.work = Work(changed)
        self.force = ipywidgets.Checkbox(
            description="force: also break more nodes at once than the copies can stand",
            indent=False,
            layout=ipywidgets.Layout(width="auto"),
        )
        self.force.add_class("dfs-force")
        self.panel = Panel(self._act, self._heal_all, self.work.refuse)
        self.files = FilesPage(
            controls, self._transfer, self._act, self.work.refuse, lambda: str(self.panel.node.value)
        )
        self.history = ipywidgets.HTML()
        self.history.add_class("dfs-python")
        self._topology = topology
        topology.selected = self.panel.node.value
        topology.observe(self._node_clicked, "selected")
        self.panel.node.observe(self._node_chosen, "value")
        self.widget = self._assemble()

    def _assemble(self) -> ipywidgets.Widget:
        pages = {**self.panel.pages, "Files": self.files.page}
        self.tabs = ipywidgets.Tab(list(pages.values()), titles=list(pages), selected_index=0)
        self.tabs.add_class("dfs-pages")
        self._network_index = list(pages).index("Network")
        scroll = ipywidgets.VBox([self.history])
        for name in ("dfs-scroll", "low"):
            scroll.add_class(name)
        title = ipywidgets.HTML("<h4>the Python that the buttons ran</h4>")
        return card("break it, mend it", self.tabs, self.force, title, scroll, beside=self.panel.node)

    def show(self, observed: Observed) -> None:
        """Offer the nodes and files that there are, and show what became of what was asked for."""
        table = observed.table
        there = [name for name, row in table.keepers.items() if row.state != "decommissioned"]
        self.panel.offer(in_natural_order(there))
        self.files.offer([file.file_name for file in current_files(table)])
        self.history.value = history_html(self.work.entries)

    def disable(self) -> None:
        """Let nothing be clicked any more."""
        for widget in self.interactive:
            widget.disabled = True

    @property
    def interactive(self) -> Sequence[ipywidgets.Widget]:
        """The widgets that send something back."""
        kinds = (ipywidgets.Button, ipywidgets.FileUpload, ipywidgets.Checkbox, ipywidgets.Text)
        lists = (ipywidgets.Dropdown, ipywidgets.SelectMultiple)
        return [widget for widget in descendants(self.widget) if isinstance(widget, kinds + lists)]

    # -- what the pages ask for -----------------------------------------------------------------

    def _act(self, action: Action) -> None:
        force = bool(self.force.value)

        def perform() -> str:
            self._controls.perform(action, force=force)
            return "by force" if force else ""

        self.work.ask(LANES.get(action.kind, FAULTS), Job(action.python, perform))

    def _heal_all(self) -> None:
        def heal() -> str:
            self._controls.heal_all()
            return ""

        self.work.ask(FAULTS, Job("cluster.heal_all()", heal))

    def _transfer(self, job: Job) -> None:
        self.work.ask(TRANSFERS, job)

    # -- the chosen node ------------------------------------------------------------------------

    def _node_clicked(self, change: dict[str, str]) -> None:
        """Choose the node and show its actions: those of the network, if these are shown already."""
        node = change["new"]
        if node in self.panel.node.options and node != self.panel.node.value:
            self.panel.node.value = node
            if self.tabs.selected_index != self._network_index:
                self.tabs.selected_index = 0

    def _node_chosen(self, change: dict[str, str]) -> None:
        if change["new"]:
            self._topology.selected = change["new"]


def descendants(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """Return a widget and everything in it."""
    found = [widget]
    for child in getattr(widget, "children", ()):
        found += descendants(child)
    return found
