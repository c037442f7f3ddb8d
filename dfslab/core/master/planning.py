"""Planning: which copies to start and which replicas to drop, as pure functions of the master's state.

The scan, its dry run and eager repair all ask these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from dfslab.core.errors import PolicyFailed
from dfslab.core.lookup import Replica, ReplicaState
from dfslab.core.master.backlog import Backlog
from dfslab.core.master.instructions import PlannedAction
from dfslab.core.master.state import Keeper, MasterState
from dfslab.core.model import Version
from dfslab.core.policies import consult
from dfslab.core.policies.placement import KeeperLoad

_KEEPER = attrgetter("keeper")


def place(
    state: MasterState, loads: Sequence[KeeperLoad], size: int, holders: Callable[[], Collection[str]] = tuple
) -> Keeper:
    """Return the candidate that the placement policy chooses; raise PolicyFailed if it is none of them.

    Parameters
    ----------
    holders : callable
        Returns the live keepers that hold the version or are getting it; only a policy that wants to know has it asked.
    """
    facts: dict[str, Any] = {}
    if "holders" in state.policies.placement_facts:
        facts["holders"] = list(holders())
    if "racks" in state.policies.placement_facts:
        facts["racks"] = state.options.racks
    chosen = consult("placement", lambda: state.policies.placement.choose(loads, size, state.rng, **facts))
    if chosen not in map(_KEEPER, loads):
        raise PolicyFailed(policy="placement", reason=f"it chose {chosen!r}, which is not a candidate")
    return state.keepers[chosen]


class _Plan:
    """Copies proposed so far in one go, so that the next proposal counts them in."""

    def __init__(self, state: MasterState) -> None:
        self.state, self.limit = state, state.options.copies_per_keeper
        self.copies_in: Counter[str] = Counter()
        self.copies_out: Counter[str] = Counter()
        self.loads = dict(state.loads())  # of the keepers that can take a copy
        for keeper_id in state.full:
            self.loads.pop(keeper_id, None)

    def has_room(self) -> bool:
        return bool(self.loads)

    def source(self, version: Version, avoid: Collection[str]) -> Keeper | None:
        able = [
            keeper
            for keeper in self.state.serving_holders(version.id)
            if keeper.copies_out + self.copies_out[keeper.id] < self.limit
        ]
        able = [keeper for keeper in able if keeper.id not in avoid] or able
        return min(able, key=lambda keeper: keeper.copies_out + self.copies_out[keeper.id], default=None)

    def target(
        self, version: Version, taken: Collection[str], avoid: Collection[str], planned: Collection[str]
    ) -> Keeper | None:
        """Return where placement wants the next copy: where none has failed yet, as long as there is such a keeper."""
        size = version.size
        loads = [load for keeper, load in self.loads.items() if keeper not in taken and load.free_bytes >= size]
        if avoid:
            loads = [load for load in loads if load.keeper not in avoid] or loads
        if not loads:
            return None
        return place(self.state, loads, size, lambda: [*_holders(self.state, version.id), *planned])

    def is_beyond_help(self, version: Version) -> bool:
        """Return True when no file on the same keepers can be copied, were it ever so small."""
        taken = _taken(self.state, version.id)
        return self.source(version, ()) is None or all(keeper in taken for keeper in self.loads)

    def add(self, source: Keeper, target: Keeper, size: int) -> None:
        self.copies_out[source.id] += 1
        self.copies_in[target.id] += 1
        if target.copies_in + self.copies_in[target.id] >= self.limit:
            del self.loads[target.id]
        else:
            load = self.loads[target.id]
            self.loads[target.id] = KeeperLoad(
                target.id, load.stored_bytes + size, load.free_bytes - size, load.replicas + 1, load.rack
            )


def propose(
    state: MasterState, now: float, backlog: Backlog, goals: Mapping[str, int] | None = None
) -> list[PlannedAction]:
    """Return the copies to start now, most urgent first; none in safe mode.

    Only what is in the `backlog` is looked at; with `goals`, each version has its own number of copies to reach.
    """
    if state.safe_until is not None:
        return []
    backlog.update(state, now, goals)
    queue = backlog.from_sources(_sources(state)) if backlog else None
    if not queue:
        return []
    plan, actions = _Plan(state), list[PlannedAction]()
    while queue and plan.has_room():
        version_id = queue.first()
        version = state.table.versions[version_id]
        goal = state.options.replicas if goals is None else goals[version_id]
        copies = list(_copies_for(state, plan, version, goal))
        actions += copies
        if copies or not plan.is_beyond_help(version):
            queue.go_on()
        else:
            queue.leave_group()
    return actions


def _sources(state: MasterState) -> dict[str, None]:
    """Return the keepers from which another copy can be made."""
    limit = state.options.copies_per_keeper
    return {keeper.id: None for keeper in state.serving() if keeper.copies_out < limit}


def _taken(state: MasterState, version_id: str) -> dict[str, None]:
    """Return the keepers that have a replica of a version, or are getting one."""
    taken = dict.fromkeys(state.table.replicas(version_id))
    taken.update((state.copies[copy_id].target, None) for copy_id in state.copying.get(version_id, ()))
    return taken


def _holders(state: MasterState, version_id: str) -> dict[str, None]:
    """Return the keepers whose replica of a version counts as a copy, or will once it is there."""
    holders = {keeper.id: None for keeper in state.serving_holders(version_id) if state.is_alive(keeper.id)}
    holders.update((state.copies[copy_id].target, None) for copy_id in state.copying.get(version_id, ()))
    return holders


def _copies_for(state: MasterState, plan: _Plan, version: Version, goal: int) -> Iterator[PlannedAction]:
    live = state.live_copies(version.id)
    under_way = len(state.copying.get(version.id, ()))
    taken, planned = _taken(state, version.id), list[str]()
    for _ in range(goal - live - under_way):
        short = state.short[version.id]
        source = plan.source(version, short.failed_sources)
        target = plan.target(version, taken, short.failed_targets, planned) if source else None
        if source is None or target is None:
            return
        plan.add(source, target, version.size)
        taken[target.id] = None
        planned.append(target.id)
        reason = f"{live} of {state.options.replicas} live copies"
        yield PlannedAction("copy", version.name, version.id, source.id, target.id, reason)


def propose_drops(state: MasterState, now: float) -> list[PlannedAction]:
    """Return the surplus replicas to drop, after a calm period and with no copy of the file under way."""
    if state.safe_until is not None:
        return []
    drops: list[PlannedAction] = []
    for version_id, since in state.surplus.items():
        calm = now - since >= state.options.heartbeat_timeout_s
        if calm and version_id not in state.copying:
            drops.extend(_surplus_of(state, state.table.versions[version_id]))
    return drops


def _surplus_of(state: MasterState, version: Version) -> Iterator[PlannedAction]:
    rows = [row for row in state.table.replicas(version.id).values() if row.state is ReplicaState.VALID]
    live = [row for row in rows if state.is_alive(row.keeper)]

    def goes_first(row: Replica) -> tuple[bool, int]:
        """Return what a restarted keeper has found before what was checked on its way in; then, the fullest's."""
        return version.id in state.keepers[row.keeper].found, state.table.stored_bytes(row.keeper)

    live.sort(key=goes_first, reverse=True)
    for row in live[: len(live) - state.options.replicas]:
        reason = f"{len(live)} live copies, {state.options.replicas} wanted"
        yield PlannedAction("drop", version.name, version.id, "", row.keeper, reason)


def corrupt_to_drop(state: MasterState, version: Version) -> Iterator[Replica]:
    """Yield the corrupt replicas that may go: enough good copies are there, or a good one needs their place.

    The last good copy is never touched, and while none is known the bad ones are kept too.
    """
    rows = state.table.replicas(version.id)
    live = state.live_copies(version.id)
    has_spare = any(keeper.id not in rows for keeper in state.alive())
    if live >= state.options.replicas or (live >= 1 and not has_spare):
        yield from [row for row in rows.values() if row.state is ReplicaState.CORRUPT and state.is_alive(row.keeper)]
