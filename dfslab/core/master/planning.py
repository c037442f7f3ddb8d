"""Planning: which copies to start and which replicas to drop, as pure functions of the master's state.

The scan, its dry run and eager repair all ask these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from dfslab.core.errors import PolicyFailed
from dfslab.core.lookup import Replica, ReplicaState
from dfslab.core.master.instructions import PlannedAction
from dfslab.core.master.state import Keeper, MasterState, Short
from dfslab.core.model import Version
from dfslab.core.policies import consult
from dfslab.core.policies.placement import KeeperLoad
from dfslab.core.policies.repair_order import Shortage


def load_of(state: MasterState, keeper: Keeper) -> KeeperLoad:
    """Return what placement gets to know of a keeper."""
    return KeeperLoad(
        keeper.id,
        state.table.stored_bytes(keeper.id) + keeper.incoming_bytes,
        keeper.free_bytes - keeper.incoming_bytes,
        state.table.count_on(keeper.id) + keeper.copies_in,
    )


def place(state: MasterState, loads: Sequence[KeeperLoad], size: int) -> Keeper:
    """Return the candidate that the placement policy chooses; raise PolicyFailed if it is none of them."""
    chosen = consult("placement", lambda: state.policies.placement.choose(loads, size, state.rng))
    if chosen not in [load.keeper for load in loads]:
        raise PolicyFailed(policy="placement", reason=f"it chose {chosen!r}, which is not a candidate")
    return state.keepers[chosen]


class _Plan:
    """Copies proposed so far in one go, so that the next proposal counts them in."""

    def __init__(self, state: MasterState) -> None:
        self.state = state
        self.copies_in: Counter[str] = Counter()
        self.copies_out: Counter[str] = Counter()
        self.bytes_in: Counter[str] = Counter()

    def has_room(self) -> bool:
        limit = self.state.options.copies_per_keeper
        return any(keeper.copies_in + self.copies_in[keeper.id] < limit for keeper in self.state.alive())

    def source(self, version: Version, avoid: Collection[str]) -> Keeper | None:
        limit = self.state.options.copies_per_keeper
        able = [
            keeper
            for keeper in self.state.serving_holders(version.id)
            if keeper.copies_out + self.copies_out[keeper.id] < limit
        ]
        able = [keeper for keeper in able if keeper.id not in avoid] or able
        return min(able, key=lambda keeper: keeper.copies_out + self.copies_out[keeper.id], default=None)

    def target(self, version: Version, taken: Collection[str], avoid: Collection[str]) -> Keeper | None:
        """Return where placement wants the next copy: where none has failed yet, as long as there is such a keeper."""
        state, limit = self.state, self.state.options.copies_per_keeper
        loads = []
        for keeper in state.alive():
            load = load_of(state, keeper)
            free = load.free_bytes - self.bytes_in[keeper.id]
            busy = keeper.copies_in + self.copies_in[keeper.id] >= limit
            if keeper.id not in taken and not busy and free >= version.size:
                stored = load.stored_bytes + self.bytes_in[keeper.id]
                loads.append(KeeperLoad(keeper.id, stored, free, load.replicas + self.copies_in[keeper.id]))
        loads = [load for load in loads if load.keeper not in avoid] or loads
        return place(state, loads, version.size) if loads else None

    def add(self, source: Keeper, target: Keeper, size: int) -> None:
        self.copies_out[source.id] += 1
        self.copies_in[target.id] += 1
        self.bytes_in[target.id] += size


def propose(state: MasterState, now: float, goals: Mapping[str, int] | None = None) -> list[PlannedAction]:
    """Return the copies to start now, most urgent first; none in safe mode.

    With `goals`, only those versions are looked at, each with its own number of copies to reach.
    """
    if state.safe_until is not None:
        return []
    plan, actions = _Plan(state), list[PlannedAction]()
    for version_id in _by_urgency(state, now, goals):
        if not plan.has_room():
            break
        goal = state.options.replicas if goals is None else goals[version_id]
        actions.extend(_copies_for(state, plan, state.table.versions[version_id], goal))
    return actions


def _by_urgency(state: MasterState, now: float, goals: Mapping[str, int] | None) -> list[str]:
    shortages = [
        _shortage(state, version_id, short)
        for version_id, short in state.short.items()
        if short.not_before <= now and (goals is None or version_id in goals)
    ]
    consult("repair_order", lambda: shortages.sort(key=state.policies.repair_order.key))
    return [shortage.version for shortage in shortages]


def _shortage(state: MasterState, version_id: str, short: Short) -> Shortage:
    version = state.table.versions[version_id]
    live = state.live_copies(version_id)
    return Shortage(version_id, version.name, version.size, live, state.options.replicas, short.since)


def _copies_for(state: MasterState, plan: _Plan, version: Version, goal: int) -> Iterator[PlannedAction]:
    live = state.live_copies(version.id)
    under_way = [state.copies[copy_id] for copy_id in state.copying.get(version.id, ())]
    taken = dict.fromkeys(state.table.replicas(version.id))
    taken.update((copy.target, None) for copy in under_way)
    for _ in range(goal - live - len(under_way)):
        short = state.short[version.id]
        source = plan.source(version, short.failed_sources)
        target = plan.target(version, taken, short.failed_targets) if source else None
        if source is None or target is None:
            return
        plan.add(source, target, version.size)
        taken[target.id] = None
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
