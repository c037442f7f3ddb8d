"""The versions that want a copy, filed so that a repair looks at few of them, whatever their number.

Versions whose replicas lie on the same keepers share a fate: when no copy of one can be started, since its
holders are busy or no other keeper can take it, none of the others can be helped either. So they stand in one group,
each group in the order of urgency, and a group is left at its first that is beyond help.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dfslab.core.errors import PolicyFailed
from dfslab.core.lookup import ReplicaState
from dfslab.core.policies import consult
from dfslab.core.policies.repair_order import Shortage

if TYPE_CHECKING:
    from dfslab.core.master.state import MasterState, Short

Rank = tuple[Any, int, str]
"""What the repair order says of a version; then, which became short first; its id."""
Where = tuple[frozenset[str], frozenset[str]]
"""The keepers whose replica is valid, and all that have one or are getting one."""


class Group:
    """Versions on the same keepers, most urgent first."""

    __slots__ = ("ranks", "where")

    def __init__(self, where: Where) -> None:
        self.where = where
        self.ranks: list[Rank] = []


class Backlog:
    """Versions short of copies that are not all under way.

    It is told what has changed, and looks at that when it is next asked; a version's rank is what the
    repair order said when the version last changed.

    Parameters
    ----------
    versions : iterable of str
        What it is to look at first.
    """

    def __init__(self, versions: Iterable[str] = ()) -> None:
        self._changed = dict.fromkeys(versions)
        self._filed: dict[str, tuple[Group, Rank]] = {}
        self._groups: dict[Where, Group] = {}
        self._by_source: dict[str, dict[Where, Group]] = {}

    def changed(self, version_id: str) -> None:
        """Have a version looked at: its live copies, its rows, its copies under way, its name or its pause changed."""
        self._changed[version_id] = None

    def update(self, state: MasterState, now: float, goals: Mapping[str, int] | None = None) -> None:
        """File anew what has changed; raise PolicyFailed, with the rest still to be looked at, if no rank can be told.

        With `goals`, each version has its own number of copies to reach.
        """
        while self._changed:
            version_id, _ = self._changed.popitem()
            try:
                self._file_anew(state, version_id, now, goals)
            except PolicyFailed:
                self._changed[version_id] = None
                raise

    def _file_anew(self, state: MasterState, version_id: str, now: float, goals: Mapping[str, int] | None) -> None:
        self._take_out(version_id)
        goal = state.options.replicas if goals is None else goals[version_id]
        short = state.short.get(version_id)
        if short is not None and short.not_before <= now and _wants(state, version_id, goal):
            self._file(state, version_id, short)

    def _file(self, state: MasterState, version_id: str, short: Short) -> None:
        rank = (_key(state, version_id, short), short.number, version_id)
        where = _where(state, version_id)
        group = self._groups.get(where) or Group(where)
        consult("repair_order", lambda: insort(group.ranks, rank))
        self._filed[version_id] = group, rank
        if len(group.ranks) == 1:
            self._groups[where] = group
            for keeper in where[0]:
                self._by_source.setdefault(keeper, {})[where] = group

    def _take_out(self, version_id: str) -> None:
        if version_id not in self._filed:
            return
        group, rank = self._filed.pop(version_id)
        del group.ranks[bisect_left(group.ranks, rank)]
        if not group.ranks:
            del self._groups[group.where]
            for keeper in group.where[0]:
                del self._by_source[keeper][group.where]

    def __len__(self) -> int:
        """Return how many versions want a copy, as of the last update."""
        return len(self._filed)

    def from_sources(self, keepers: Mapping[str, None]) -> Queue:
        """Return what might be copied from these keepers, most urgent first."""
        if len(self._groups) <= len(keepers):
            return Queue(group for group in self._groups.values() if not keepers.keys().isdisjoint(group.where[0]))
        found: dict[Where, Group] = {}
        for keeper in keepers:
            found.update(self._by_source.get(keeper, {}))
        return Queue(found.values())

    def validate(self, state: MasterState) -> None:
        """Check that what is filed is what looking at every version would file; a failure is a bug of ours."""
        for version_id in dict.fromkeys([*state.short, *self._filed]):
            if version_id in self._changed:
                continue
            if version_id in self._filed:
                assert version_id in state.short, version_id
                assert _wants(state, version_id, state.options.replicas), version_id
                assert self._filed[version_id][0].where == _where(state, version_id), version_id
            elif _wants(state, version_id, state.options.replicas):
                assert (state.short[version_id].not_before, version_id) in state.pauses, version_id


class Queue:
    """The versions of some groups in the order of urgency, for one go through them; nothing is taken out."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._heads = [(group.ranks[0], 0, group) for group in groups]
        consult("repair_order", lambda: heapq.heapify(self._heads))

    def __len__(self) -> int:
        """Return how many groups are left."""
        return len(self._heads)

    def first(self) -> str:
        """Return the version whose turn it is."""
        return self._heads[0][0][-1]

    def go_on(self) -> None:
        """Let the next one have its turn."""
        _, place, group = self._heads[0]
        if place + 1 == len(group.ranks):
            self.leave_group()
        else:
            following = (group.ranks[place + 1], place + 1, group)
            consult("repair_order", lambda: heapq.heapreplace(self._heads, following))

    def leave_group(self) -> None:
        """Pass over this one and whatever lies on the same keepers."""
        consult("repair_order", lambda: heapq.heappop(self._heads))


def _wants(state: MasterState, version_id: str, goal: int) -> bool:
    """Return True for a version that has too few copies, those under way included."""
    return state.live_copies(version_id) + len(state.copying.get(version_id, ())) < goal


def _key(state: MasterState, version_id: str, short: Short) -> Any:
    version = state.table.versions[version_id]
    live = state.live_copies(version_id)
    shortage = Shortage(version_id, version.name, version.size, live, state.options.replicas, short.since)
    return consult("repair_order", lambda: state.policies.repair_order.key(shortage))


def _where(state: MasterState, version_id: str) -> Where:
    rows = state.table.replicas(version_id)
    valid = frozenset(keeper for keeper, row in rows.items() if row.state is ReplicaState.VALID)
    under_way = (state.copies[copy_id].target for copy_id in state.copying.get(version_id, ()))
    return valid, frozenset([*rows, *under_way])
