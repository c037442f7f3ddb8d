"""What one may do to the network: partitions, links, and heartbeats that get lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dfslab.core.checks import check_flag, check_positive, is_whole
from dfslab.core.errors import InvalidOption, WrongState
from dfslab.core.guard import Cut
from dfslab.core.links import Link, joined
from dfslab.core.nodes import MASTER, short_name
from dfslab.lab.conditions import RECOVERY_TIMEOUT_S, Conditions
from dfslab.lab.nodes import GONE, NodeState
from dfslab.lab.plan import check_link
from dfslab.lab.undoing import Fault

if TYPE_CHECKING:
    import pandas as pd

Side = str | int | Iterable[str | int]
"""One node or several, by name or number; also "client" and "master"."""

Ends = tuple[str, str]
"""A node and "", or both nodes of a pair."""


class Unchanged:
    """Stands for what is not to be changed: None means something where a rate is asked for."""

    def __repr__(self) -> str:
        return "unchanged"


UNCHANGED: Final = Unchanged()


class NetworkFaults(Conditions):
    """The faults between nodes; `Network` keeps the tables that every message passes."""

    def partition(
        self, a: Side, b: Side, one_way: bool = False, *, recovery_timeout_s: float = RECOVERY_TIMEOUT_S
    ) -> Fault:
        """Let nothing pass between two groups of nodes.

        Groups that are not named stay connected with both. Several partitions may stand at once;
        `heal` ends them all.

        Parameters
        ----------
        a, b : node or list of nodes
            Keepers by name or number, "master", "client" and other clients by their names.
        one_way : bool
            Only what goes from `a` to `b` is lost; what goes back arrives.
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            The names of both sides; ``with cluster.partition([1, 2], [3, 4]): ...`` heals it on leaving.

        Raises
        ------
        InvalidOption
            A side is empty, a node is on both, or `one_way` is neither True nor False.
        UnknownKeeper
        WrongState
            A node was decommissioned.
        """
        check_positive("recovery_timeout_s", recovery_timeout_s)
        with self._changing():
            cut = Cut(self._side("a", a), self._side("b", b), check_flag("one_way", one_way))
            for node in cut.a:
                if node in cut.b:
                    raise InvalidOption(option="b", value=repr(b), reason=f"{node} is on both sides")
            self._network.partition(cut.a, cut.b, one_way=cut.one_way)
            self._cuts.append(cut)
            event = self._nodes.note("partition", "", a=list(cut.a), b=list(cut.b), one_way=cut.one_way)
        name = f"{', '.join(cut.a)} {'->' if cut.one_way else '|'} {', '.join(cut.b)}"
        return self._fault(name, event, lambda: self._heal_if_cut(cut), recovery_timeout_s)

    def _side(self, option: str, given: Side) -> tuple[str, ...]:
        nodes = [given] if isinstance(given, str) or is_whole(given) else given
        if not isinstance(nodes, Iterable):
            raise InvalidOption(option=option, value=repr(given), reason="it must be a node or a list of nodes")
        side = tuple(dict.fromkeys(self._node(one) for one in nodes))
        if not side:
            raise InvalidOption(option=option, value=repr(given), reason="a side of a partition has at least one node")
        return side

    def _heal_if_cut(self, cut: Cut) -> None:
        """End this partition and no other: those that stand besides are put back."""
        with self._changing():
            others = [one for one in self._cuts if one is not cut]
            if len(others) == len(self._cuts):
                return
            self.heal()
            for one in others:
                self._network.partition(one.a, one.b, one_way=one.one_way)
                self._cuts.append(one)
                self._nodes.note("partition", "", a=list(one.a), b=list(one.b), one_way=one.one_way)

    def _heal_if_any(self) -> None:
        with self._changing():
            if self._cuts:
                self.heal()

    def heal(self) -> None:
        """End every partition. Raises WrongState when there is none."""
        with self._changing():
            if not self._cuts:
                raise WrongState(node="the network", state="not partitioned", advice="there is nothing to heal")
            self._network.heal()
            self._cuts.clear()
            self._nodes.note("heal", "")

    def set_link(
        self,
        node: str | int,
        other: str | int | None = None,
        *,
        rate_mb_s: float | Unchanged | None = UNCHANGED,
        delay_ms: float | Unchanged = UNCHANGED,
        jitter_ms: float | Unchanged = UNCHANGED,
        loss: float | Unchanged = UNCHANGED,
        link: Link | Unchanged | None = UNCHANGED,
        recovery_timeout_s: float = RECOVERY_TIMEOUT_S,
    ) -> Fault:
        """Change a node's emulated network card, or what lies between two nodes; only what is given changes.

        Parameters
        ----------
        node : str or int
            A keeper by name or number, "master", "client" or another client by its name.
        other : str or int, optional
            Then it is about the way between these two, in both directions, in place of the delay and
            loss of both their links. A rate belongs to a node, not to a pair.
        rate_mb_s : float or None
            MB/s (10^6 bytes) in each direction, shared by all connections; None: no limit.
        delay_ms, jitter_ms : float
            One way, milliseconds.
        loss : float
            Chance, 0 to 1, that a transfer is reset somewhere in its middle.
        link : dfslab.Link or None
            All of it at once, before the others; None: as it was at the start.
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            The name of the node, or of both; ``with cluster.set_link(3, delay_ms=50): ...`` puts the
            earlier link back on leaving.

        Raises
        ------
        InvalidOption
            Naming the field that is out of its range.
        UnknownKeeper, WrongState
        """
        check_positive("recovery_timeout_s", recovery_timeout_s)
        given = {"rate_mb_s": rate_mb_s, "delay_ms": delay_ms, "jitter_ms": jitter_ms, "loss": loss}
        changes = {name: value for name, value in given.items() if not isinstance(value, Unchanged)}
        if isinstance(link, Unchanged) and not changes:
            known = ", ".join([*given, "link"])
            raise InvalidOption(option="set_link", value="()", reason=f"nothing is to be changed: pass one of {known}")
        if not isinstance(link, Unchanged | None):
            check_link("link", link)
        with self._changing():
            ends = self._ends(node, other)
            earlier = self._own_link(ends)
            event = self._apply_link(ends, self._wanted_link(ends, link, changes))
        return self._fault(
            "/".join(filter(None, ends)), event, lambda: self._put_link_back(ends, earlier), recovery_timeout_s
        )

    def _ends(self, node: str | int, other: str | int | None) -> Ends:
        """Return the name of the node, or those of the pair, in one order whichever was given first."""
        if other is None:
            return self._node(node), ""
        a, b = sorted((self._node(node), self._node(other)))
        if a == b:
            raise InvalidOption(option="other", value=repr(other), reason="a pair has two different nodes")
        return a, b

    def _own_link(self, ends: Ends) -> Link | None:
        """Return the link that a node has, or what a pair has of its own."""
        node, other = ends
        return self._network.pair(node, other) if other else self._network.link(node)

    def _usual_link(self, ends: Ends) -> Link:
        """Return what a node's link was at the start, or what a pair has of both nodes' links."""
        node, other = ends
        if other:
            return joined(self._network.link(node), self._network.link(other))
        return self._first_link(node)

    def _wanted_link(self, ends: Ends, link: Link | Unchanged | None, changes: Mapping[str, Any]) -> Link:
        if isinstance(link, Unchanged):
            link = self._own_link(ends)
        return (link or self._usual_link(ends)).changed(changes)

    def _apply_link(self, ends: Ends, link: Link) -> str:
        node, other = ends
        detail: dict[str, Any] = {**({"other": other} if other else {}), **link.as_dict()}
        restored = link == self._usual_link(ends)
        if restored:
            detail["restored"] = True
        if other:
            self._network.set_pair(node, other, None if restored else link)
            self._pairs.pop(ends, None)
            if not restored:
                self._pairs[ends] = None
        else:
            self._network.set_link(node, link)
        return self._nodes.note("set_link", node, **detail)

    def _put_link_back(self, ends: Ends, earlier: Link | None) -> None:
        with self._changing():
            if self._own_link(ends) != earlier:
                self._apply_link(ends, earlier or self._usual_link(ends))

    def links(self) -> pd.DataFrame:
        """Return the emulated links in force; see `dfslab.views.tables.links` for the columns."""
        self._check_open()
        from dfslab.views import tables

        standing = self._standing()
        nodes = [(node, "", self._network.link(node)) for node in (*standing.keepers, MASTER, *self._clients)]
        pairs = [(a, b, self._network.pair(a, b) or Link()) for a, b in list(self._pairs)]
        return tables.links((a, b, link, (a, b) in standing.links) for a, b, link in [*nodes, *pairs])

    # -- heartbeats ---------------------------------------------------------------------------

    def drop_heartbeats(self, keeper: str | int, *, recovery_timeout_s: float = RECOVERY_TIMEOUT_S) -> Fault:
        """Have every heartbeat of a keeper get lost on its way; all else it says arrives.

        The master takes it for dead, though it serves.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            Its name; ``with cluster.drop_heartbeats(3): ...`` lets them arrive again on leaving.

        Raises
        ------
        UnknownKeeper
        WrongState
            They are dropped already, or it was decommissioned.
        """
        check_positive("recovery_timeout_s", recovery_timeout_s)
        with self._changing():
            name, event = self._mute(keeper, muted=True)
        return self._fault(name, event, lambda: self._restore_if_muted(name), recovery_timeout_s)

    def restore_heartbeats(self, keeper: str | int) -> str:
        """Let a keeper's heartbeats arrive again; return its name. Raises WrongState when they do."""
        with self._changing():
            return self._mute(keeper, muted=False)[0]

    def _mute(self, keeper: str | int, *, muted: bool) -> tuple[str, str]:
        name = self._keeper(keeper)
        if self._network.is_muted(name) == muted:
            state, back = ("dropped already", "restore_heartbeats") if muted else ("not dropped", "drop_heartbeats")
            advice = f"{back}({short_name(name)}) changes that"
            raise WrongState(node=f"{name}'s heartbeats", state=state, advice=advice)
        self._network.mute(name, muted=muted)
        return name, self._nodes.note("drop_heartbeats" if muted else "restore_heartbeats", name)

    def _restore_if_muted(self, name: str) -> None:
        with self._changing():
            if self._network.is_muted(name):
                self.restore_heartbeats(name)

    # -- names --------------------------------------------------------------------------------

    def _node(self, node: str | int) -> str:
        """Return the name of a keeper, "master" or a client; raise UnknownKeeper or WrongState."""
        is_other = isinstance(node, str) and (node == MASTER or node in self._clients)
        return str(node) if is_other else self._keeper(node)

    def _keeper(self, keeper: str | int) -> str:
        name = self._nodes.name_of(keeper)
        if self._nodes.states()[name] is NodeState.DECOMMISSIONED:
            raise WrongState(node=name, state=NodeState.DECOMMISSIONED, advice=GONE)
        return name
