"""The topology: a live drawing of the nodes, in which transfers move along the edges and a click selects a node."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import anywidget
import traitlets

from dfslab.core.nodes import CLIENT, MASTER
from dfslab.core.pretty import shortened
from dfslab.views.dashboard.observed import Node, Observed
from dfslab.views.transfers import Transfer

FLOWS_SHOWN = 60


def asset(name: str) -> str:
    """Return the text of a file beside this one: no build step, nothing from a network."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")


class Topology(anywidget.AnyWidget):
    """The drawing; `topology.js` changes it in place.

    Attributes
    ----------
    nodes : list of dict
        As `nodes_shown` makes them.
    flows : list of dict
        As `flows_shown` makes them.
    beats : dict
        How many heartbeats of each keeper the master has heard.
    selected : str
        The node whose actions are shown.
    """

    _esm = asset("topology.js")
    _css = asset("look.css")
    nodes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    flows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    beats = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)


def nodes_shown(observed: Observed) -> list[dict[str, Any]]:
    """Return master, client and keepers as plain values.

    Returns
    -------
    list of dict
        `name`, `state` (what is really so), `seen` (what the master believes), `word` (both in a
        word or two), `troubles`, `replicas`, and `cut` (True when its heartbeats do not arrive).
    """
    nodes = observed.nodes()
    client = Node(CLIENT, "running", "alive")
    return [
        {
            "name": node.name,
            "state": node.state,
            "seen": node.seen,
            "word": word_of(node),
            "troubles": list(node.troubles),
            "replicas": node.replicas,
            "cut": _is_unheard(observed, node),
        }
        for node in [nodes[0], client, *nodes[1:]]
    ]


def word_of(node: Node) -> str:
    """Return how a node is: what is really so, and what the master believes where that is something else.

    >>> word_of(Node("keeper-1", "dead", "alive"))
    'dead, not noticed yet'
    """
    if node.name in (MASTER, CLIENT):
        return "dead" if node.state == "dead" else ""
    if node.state == "running":
        return {"dead": "taken for dead", "unknown": "not known to the master"}.get(node.seen, node.seen)
    if node.state in ("dead", "paused") and node.seen in ("alive", "draining"):
        return f"{node.state}, not noticed yet"
    return node.state


def _is_unheard(observed: Observed, node: Node) -> bool:
    """Return True when what a node says does not reach the master though it may say something."""
    cut = any(period.lasts and period.cuts_off(node.name, MASTER) for period in observed.periods)
    return cut or "heartbeats dropped" in node.troubles


def flows_shown(observed: Observed, now: float) -> list[dict[str, str]]:
    """Return an arrow for each pair of nodes between which bytes move, or moved a moment ago.

    Returns
    -------
    list of dict
        `kind`, `from`, `to`, `state` ("running", "done" or "failed") and `what` moves.
    """
    flows: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in observed.moving(now):
        for source, target in _ways(row):
            earlier = flows.get((row.kind, source, target))
            state = "running" if earlier and earlier["state"] == "running" else row.state
            what = "several files" if earlier else shortened(row.file_name)
            flows[row.kind, source, target] = {
                "kind": row.kind,
                "from": source,
                "to": target,
                "state": state,
                "what": what,
            }
    return list(flows.values())[-FLOWS_SHOWN:]


def _ways(row: Transfer) -> Sequence[tuple[str, str]]:
    """Return from where to where; every client is drawn as the one."""
    if row.kind == "upload":
        return [(CLIENT, row.target)] if row.target else []
    if row.kind == "download":
        return [(keeper, CLIENT) for keeper in row.served]
    return [(row.source, row.target)]
