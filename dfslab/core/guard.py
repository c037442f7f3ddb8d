"""How much may be broken at once: what is wrong in a cluster, what an action would add, and where that is refused.

The guard stands before `Cluster.perform`, scenarios and the nemesis, which act without somebody who
thinks about each step. A method that is called by hand (`cluster.kill(3)`) does what it is told.

What counts as broken is a keeper whose copies can't be relied on: it is dead, paused, cut off, not
heard by the master, loses everything that it is asked for, or holds a corrupt replica. A full disk
does not count, since what is on it is served; nor does a dead master, which holds no copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dfslab.core.errors import TooManyFaults
from dfslab.core.faults import Action
from dfslab.core.nodes import CLIENT, MASTER


@dataclass(frozen=True, slots=True)
class Cut:
    """A partition: nothing passes from `a` to `b`, nor back unless it is `one_way`."""

    a: tuple[str, ...]
    b: tuple[str, ...]
    one_way: bool = False

    @property
    def far_side(self) -> tuple[str, ...]:
        """The side that is away from the master, else from the client; the smaller one where neither is concerned."""
        for centre in (MASTER, CLIENT):
            if centre in self.a:
                return self.b
            if centre in self.b:
                return self.a
        return min(self.a, self.b, key=len)

    def stops(self, source: str, target: str) -> bool:
        """Return True when nothing gets from one node to the other."""
        return (source in self.a and target in self.b) or (not self.one_way and source in self.b and target in self.a)

    def separates(self, one: str, other: str) -> bool:
        """Return True when these two can't talk to each other: a call needs both directions."""
        return (one in self.a and other in self.b) or (other in self.a and one in self.b)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is wrong in a cluster at a moment.

    Attributes
    ----------
    keepers : tuple of str
        All that belong to it.
    dead : tuple of str
        The master may be among them.
    paused, muted, full, lossy, corrupt : tuple of str
        Keepers: frozen; whose heartbeats are dropped; whose disk is full; whose link loses
        everything; with a damaged replica that has not been replaced.
    cuts : tuple of Cut
    links : tuple of (str, str)
        Nodes and pairs whose link is not what it was at the start; the second is empty for a node.
    """

    keepers: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    muted: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    lossy: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    def broken(self) -> dict[str, str]:
        """Return the broken keepers in their order, and what is wrong with each."""
        reasons = (
            (self.dead, "dead"),
            (self.paused, "paused"),
            (tuple(node for cut in self.cuts for node in cut.far_side), "cut off"),
            (self.muted, "heartbeats dropped"),
            (self.lossy, "loses everything"),
            (self.corrupt, "corrupt replica"),
        )
        found = {keeper: [why for those, why in reasons if keeper in those] for keeper in self.keepers}
        return {keeper: whys[0] for keeper, whys in found.items() if whys}

    def is_heard(self, keeper: str) -> bool:
        """Return True for a keeper whose heartbeats reach the master, which counts on it whatever else is wrong."""
        silent = keeper in self.dead or keeper in self.paused or keeper in self.muted
        return not silent and not any(cut.stops(keeper, MASTER) for cut in self.cuts)

    def separated(self, one: str, other: str) -> bool:
        """Return True while a partition stands between two nodes."""
        return any(cut.separates(one, other) for cut in self.cuts)

    def after(self, action: Action) -> Standing:
        """Return what would be wrong after an action whose nodes are given by their names."""
        arguments = action.arguments
        node = str(arguments.get("keeper", arguments.get("node", "")))
        match action.kind:
            case "kill":
                return replace(self, dead=_with(self.dead, node), paused=_without(self.paused, node))
            case "restart":
                return replace(self, dead=_without(self.dead, node))
            case "pause":
                return replace(self, paused=_with(self.paused, node))
            case "resume":
                return replace(self, paused=_without(self.paused, node))
            case "kill_master":
                return replace(self, dead=_with(self.dead, MASTER))
            case "restart_master":
                return replace(self, dead=_without(self.dead, MASTER))
            case "partition":
                cut = Cut(tuple(arguments["a"]), tuple(arguments["b"]), bool(arguments.get("one_way")))
                return replace(self, cuts=(*self.cuts, cut))
            case "heal":
                return replace(self, cuts=())
            case "set_link":
                return self._after_link(action, node)
            case "corrupt":
                return replace(self, corrupt=_with(self.corrupt, node))
            case "fill_disk":
                return replace(self, full=_with(self.full, node))
            case "free_disk":
                return replace(self, full=_without(self.full, node))
            case "drop_heartbeats":
                return replace(self, muted=_with(self.muted, node))
            case "restore_heartbeats":
                return replace(self, muted=_without(self.muted, node))
            case "decommission":
                return replace(self, keepers=_without(self.keepers, node))
        return self

    def _after_link(self, action: Action, node: str) -> Standing:
        if action.arguments.get("other") is not None or "loss" not in action.arguments:
            return self
        loses = action.arguments["loss"] == 1
        return replace(self, lossy=_with(self.lossy, node) if loses else _without(self.lossy, node))


def _with(nodes: tuple[str, ...], node: str) -> tuple[str, ...]:
    return nodes if node in nodes else (*nodes, node)


def _without(nodes: Sequence[str], node: str) -> tuple[str, ...]:
    return tuple(one for one in nodes if one != node)


def check_guard(standing: Standing, action: Action, replicas: int) -> None:
    """Refuse an action that would break one more keeper than the replicas can stand.

    Every file is on `replicas` keepers, so with `replicas - 1` of them broken one good copy is left
    (DESIGN §3, guarantee 4). What breaks nothing more is never refused.

    Raises
    ------
    TooManyFaults
        Naming everybody who would be broken, and how.
    """
    before, after = standing.broken(), standing.after(action).broken()
    if len(after) > replicas - 1 and any(keeper not in before for keeper in after):
        broken = [f"{keeper} ({why})" for keeper, why in after.items()]
        raise TooManyFaults(action=action.python, broken=broken, limit=replicas - 1)
