"""Repair: keep every file at its goal (step 7, eager repair and the scan), and trim what is too much.

`reassess` keeps two indexes, of versions short of copies and of versions with too many, so that no
event and no scan has to look at every file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dfslab.core.errors import PolicyFailed
from dfslab.core.lookup import ReplicaState
from dfslab.core.master import copies, replicas
from dfslab.core.master.backlog import Backlog
from dfslab.core.master.events import BadReplica, ReplicaDropped, Scan
from dfslab.core.master.instructions import PlannedAction
from dfslab.core.master.planning import corrupt_to_drop, propose, propose_drops
from dfslab.core.master.state import Effects, MasterState, Short
from dfslab.core.trace import Kind


def reassess(state: MasterState, version_id: str, now: float, cause: str = "") -> None:
    """Bring the indexes of short and surplus versions up to date for one version; `cause` is what changed it."""
    state.backlog.changed(version_id)
    version = state.table.versions.get(version_id)
    if version is None or version.deleted:
        state.short.pop(version_id, None)
        state.surplus.pop(version_id, None)
        return
    live, goal = state.live_copies(version_id), state.options.replicas
    if live < goal:
        short = state.short.get(version_id)
        if short is None:
            short = Short(next(state.short_numbers), now, now, state.options.copy_retry_s)
            state.short[version_id] = short
        short.cause = cause or short.cause
        state.replan = True
    else:
        state.short.pop(version_id, None)
    if live > goal:
        state.surplus.setdefault(version_id, now)
    else:
        state.surplus.pop(version_id, None)


def _propose(
    state: MasterState, now: float, out: Effects, goals: Mapping[str, int] | None = None
) -> list[PlannedAction]:
    """Return the copies to start; when a policy fails, none, and they are proposed again at the pace of the scan."""
    try:
        return propose(state, now, state.backlog) if goals is None else propose(state, now, Backlog(goals), goals)
    except PolicyFailed as error:
        state.policy_failed(error, out)
        state.retry_at = min(state.retry_at, now + state.options.replication_interval_s)
        return []


def run_scan(state: MasterState, now: float, out: Effects, *, asked: bool = False) -> list[PlannedAction]:
    """Do one replication scan: copies, drops, and what keepers have not confirmed; return what was ordered.

    A policy that fails is named to whoever `asked`, else in the trace.
    """
    if not state.short:
        state.short.clear()  # an empty dict that was large is walked through as if it still were
    state.end_all_pauses(now)
    planned = propose(state, now, state.backlog) if asked else _propose(state, now, out)
    drops, again = propose_drops(state, now), list(state.unconfirmed_drops)
    cause = out.note(
        Kind.SCAN, short=len(state.short), surplus=len(state.surplus), copies=len(planned), drops=len(drops)
    )
    for action in planned:
        copies.start(state, action, now, out, cause)
    for action in drops:
        version = state.table.versions[action.version]
        replicas.order_drop(state, version, action.target, out, cause, reason=action.reason)
        reassess(state, version.id, now)
    for version_id, keeper_id in again:
        _drop_again(state, version_id, keeper_id, now, out, cause)
    _collect_orphans(state, now, out, cause)
    _report_degraded(state, out, cause)
    return planned + drops


def _drop_again(state: MasterState, version_id: str, keeper_id: str, now: float, out: Effects, cause: str) -> None:
    """Repeat an order that was not confirmed, or take it back when too few good copies are left meanwhile."""
    version, row = state.table.versions[version_id], state.table.replicas(version_id)[keeper_id]
    wanted = 1 if row.bad else state.options.replicas
    if version.deleted or state.live_copies(version_id) >= wanted:
        replicas.send_drop(state, version_id, keeper_id, out, cause)
    elif state.safe_until is None:
        replicas.put_back(state, version, row, row.path, out, cause)
        reassess(state, version_id, now, cause)


def _collect_orphans(state: MasterState, now: float, out: Effects, cause: str) -> None:
    for (keeper_id, version_id), since in list(state.orphans.items()):
        if now - since >= state.options.orphan_grace_s and version_id not in state.upload_of:
            replicas.send_drop(state, version_id, keeper_id, out, cause)


def _report_degraded(state: MasterState, out: Effects, cause: str) -> None:
    if state.safe_until is not None:
        return
    for version_id, short in state.short.items():
        if not short.reported and version_id not in state.copying:
            short.reported = True
            version, live = state.table.versions[version_id], state.live_copies(version_id)
            out.note(Kind.DEGRADED, version=version, cause=cause, live=live, wanted=state.options.replicas)


def on_scan(state: MasterState, event: Scan, now: float, out: Effects) -> None:
    """Scan because somebody asked."""
    if event.dry_run:
        rng_state, policies = state.rng.getstate(), state.policies
        state.policies = policies.fresh()  # what is asked now, a placement with a memory must not remember
        try:
            planned = propose(state, math.inf, Backlog(state.short))  # a scan waits out no failed copy's pause
        finally:
            state.policies = policies
            state.rng.setstate(rng_state)
        planned += propose_drops(state, now)
    else:
        planned = run_scan(state, now, out, asked=True)
    out.reply(event.request, planned)


def after_event(state: MasterState, now: float, out: Effects) -> None:
    """Start what eager repair, or an upload that waits for its copies, wants at once."""
    if now >= state.retry_at:
        state.end_pauses(now)
        state.replan = True
    if not state.replan or state.safe_until is not None or state.read_only is not None:
        return
    state.replan = False
    _drop_replaced_corrupt(state, out)
    goals = None if state.options.repair == "eager" else _awaited(state)
    for action in _propose(state, now, out, goals):
        copies.start(state, action, now, out, state.short[action.version].cause)


def _drop_replaced_corrupt(state: MasterState, out: Effects) -> None:
    for version_id in list(state.corrupt):
        version = state.table.versions.get(version_id)
        if version is not None:
            for row in list(corrupt_to_drop(state, version)):
                replicas.order_drop(state, version, row.keeper, out, "", reason="corrupt, and replaced")
        rows = state.table.replicas(version_id).values()
        if all(row.state is not ReplicaState.CORRUPT for row in rows):
            del state.corrupt[version_id]


def _awaited(state: MasterState) -> dict[str, int]:
    return {version_id: state.uploads[upload_id].ack_replicas for version_id, upload_id in state.awaited.items()}


def on_replica_dropped(state: MasterState, event: ReplicaDropped, now: float, out: Effects) -> None:
    """Take the row out, once the keeper says that the replica is gone."""
    keeper = state.keepers.get(event.keeper)
    row = state.table.replica(event.version, event.keeper)
    if keeper is not None and keeper.incarnation == event.incarnation:
        state.orphans.pop((event.keeper, event.version), None)
        if row is not None:
            cause = state.unconfirmed_drops.get((event.version, event.keeper), "")
            replicas.forget(state, event.version, event.keeper, out, cause)
            reassess(state, event.version, now)
            state.replan = True
    out.reply(event.request, None)


def on_bad_replica(state: MasterState, event: BadReplica, now: float, out: Effects) -> None:
    """Believe whoever found bad bytes: the replica stops counting, so repair replaces it.

    One that is to be dropped keeps the mark, should the drop be taken back.
    """
    row = state.table.replica(event.version, event.keeper)
    if row is not None and row.state is not ReplicaState.CORRUPT:
        version = state.table.versions[event.version]
        if row.state is ReplicaState.VALID:
            reason = f"{event.reporter}: {event.reason}"
            cause = replicas.mark_corrupt(state, version, event.keeper, out, event.cause, reason=reason)
            reassess(state, version.id, now, cause)
        elif not row.bad:
            replicas.remember_bad(state, version, row, out)
    out.reply(event.request, None)
