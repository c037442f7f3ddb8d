"""The control pages: a button for everything that may be done to nodes and network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from dfslab.core.errors import InvalidOption
from dfslab.core.faults import Action
from dfslab.core.nodes import CLIENT, MASTER
from dfslab.views.dashboard.fields import Refuse, button, chooser, entry, hint, number, offer, row

EVERYBODY = "everybody"
NO_LIMIT = ("none", "no limit", "unlimited")

_BREAKS = (
    ("Kill", "kill", "crash it: links cut, nobody told"),
    ("Pause", "pause", "freeze it, as SIGSTOP would"),
    ("Fill disk", "fill_disk", "leave no room on its disk"),
    ("Drop heartbeats", "drop_heartbeats", "its heartbeats get lost on their way"),
    ("Decommission", "decommission", "copy its files elsewhere, then let it go"),
)
_MENDS = (
    ("Restart", "restart", "start it again with its disk"),
    ("Restart wiped", "restart-wiped", "start it again with an empty disk"),
    ("Resume", "resume", "let it go on"),
    ("Free disk", "free_disk", "make room again"),
    ("Restore heartbeats", "restore_heartbeats", "they arrive again"),
)
_OF_MASTER = {"kill": "kill_master", "restart": "restart_master"}


class Panel:
    """The pages "Node", "Network" and "Cluster".

    Parameters
    ----------
    act : callable
        Takes an `Action`, and has it done later.
    heal_all : callable
        Has every fault ended later.
    refuse : callable
        Shows why something can't be tried.
    """

    def __init__(self, act: Callable[[Action], None], heal_all: Callable[[], None], refuse: Refuse) -> None:
        self._act, self._heal_all, self._refuse = act, heal_all, refuse
        self.node = chooser("chosen node", "node", [MASTER], "220px")
        self._make_link_fields()
        self._make_partition_fields()
        self.pages: dict[str, ipywidgets.Widget] = {
            "Node": self._node_page(),
            "Network": self._network_page(),
            "Cluster": self._cluster_page(),
        }

    def offer(self, keepers: Sequence[str]) -> None:
        """Tell the lists which keepers there are."""
        nodes = [MASTER, CLIENT, *keepers]
        offer(self.node, nodes)
        offer(self.other, [EVERYBODY, *nodes])
        offer(self.side_a, nodes)
        offer(self.side_b, nodes)

    # -- one node ---------------------------------------------------------------------------------

    def _node_page(self) -> ipywidgets.Widget:
        breaks = [self._node_button(*one) for one in _BREAKS]
        mends = [self._node_button(*one) for one in _MENDS]
        return ipywidgets.VBox(
            [
                row(*breaks, kind="dfs-breaks"),
                row(*mends, kind="dfs-mends"),
            ]
        )

    def _node_button(self, text: str, kind: str, tip: str) -> ipywidgets.Button:
        return button(text, kind.replace("_", "-"), tip, lambda: self._to_node(kind), self._refuse)

    def _to_node(self, kind: str) -> None:
        node = self.node.value
        if node == MASTER and kind in _OF_MASTER:
            self._act(Action(_OF_MASTER[kind]))
        elif node in (MASTER, CLIENT):
            reason = f"the {node} can't do that: choose a keeper"
            raise InvalidOption(option="keeper", value=repr(node), reason=reason)
        elif kind == "restart-wiped":
            self._act(Action("restart", {"keeper": node, "wipe": True}))
        else:
            self._act(Action(kind, {"keeper": node}))

    # -- the network ------------------------------------------------------------------------------

    def _make_link_fields(self) -> None:
        self.other = chooser("to", "link-other", [EVERYBODY], "165px")
        self.rate = entry("rate MB/s", "rate", "unchanged", "165px")
        self.delay = entry("delay ms", "delay", "unchanged", "160px")
        self.jitter = entry("jitter ms", "jitter", "unchanged", "160px")
        self.loss = entry("loss 0-1", "loss", "unchanged", "160px")

    def _make_partition_fields(self) -> None:
        size: dict[str, Any] = {"rows": 4, "layout": ipywidgets.Layout(width="150px")}
        self.side_a = ipywidgets.SelectMultiple(description="", options=(), **size)
        self.side_b = ipywidgets.SelectMultiple(description="", options=(), **size)
        self.side_a.add_class("dfs-side-a")
        self.side_b.add_class("dfs-side-b")
        self.one_way = ipywidgets.Checkbox(
            description="one way only", indent=False, layout=ipywidgets.Layout(width="120px")
        )

    def _network_page(self) -> ipywidgets.Widget:
        link = button("Set link", "set-link", "change the link of the chosen node", self._set_link, self._refuse)
        cut = button("Partition", "partition", "let nothing pass between the two sides", self._partition, self._refuse)
        heal = button("Heal", "heal", "end every partition", lambda: self._act(Action("heal")), self._refuse)
        return ipywidgets.VBox(
            [
                hint(
                    "<b>Link</b> of the node chosen on page “Node”; an empty field changes nothing, “none” is no limit"
                ),
                row(self.other, self.rate, self.delay, self.jitter, self.loss, link),
                hint("<b>Partition</b> between these and those (several with Ctrl)"),
                row(self.side_a, self.side_b, ipywidgets.VBox([self.one_way, row(cut, heal)])),
            ]
        )

    def _set_link(self) -> None:
        arguments: dict[str, Any] = {"node": self.node.value}
        if self.other.value != EVERYBODY:
            arguments["other"] = self.other.value
        rate = self.rate.value.strip()
        if rate:
            arguments["rate_mb_s"] = None if rate.lower() in NO_LIMIT else number("rate_mb_s", rate)
        for name, field in (("delay_ms", self.delay), ("jitter_ms", self.jitter), ("loss", self.loss)):
            if field.value.strip():
                arguments[name] = number(name, field.value)
        if len(arguments) == 1 + ("other" in arguments):
            raise InvalidOption(
                option="link", value="''", reason="fill in at least one of rate, delay, jitter and loss"
            )
        self._act(Action("set_link", arguments))

    def _partition(self) -> None:
        arguments: dict[str, Any] = {"a": list(self.side_a.value), "b": list(self.side_b.value)}
        for name, side in arguments.items():
            if not side:
                raise InvalidOption(option=name, value="[]", reason="choose at least one node on each side")
        if self.one_way.value:
            arguments["one_way"] = True
        self._act(Action("partition", arguments))

    # -- the whole cluster ------------------------------------------------------------------------

    def _cluster_page(self) -> ipywidgets.Widget:
        def action(text: str, kind: str, tip: str) -> ipywidgets.Button:
            return button(text, kind.replace("_", "-"), tip, lambda: self._act(Action(kind)), self._refuse)

        heal_all = button("Heal all", "heal-all", "end every fault that lasts", self._heal_all, self._refuse)
        return ipywidgets.VBox(
            [
                row(action("Kill master", "kill_master", "crash the master tracker"), kind="dfs-breaks"),
                row(
                    action("Restart master", "restart_master", "start it again with its catalog"),
                    action("Add keeper", "add_keeper", "start one more keeper"),
                    heal_all,
                    kind="dfs-mends",
                ),
            ]
        )
