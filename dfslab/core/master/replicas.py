"""Rows of the lookup table come and go: each change is recorded, traced and, where needed, ordered at the keeper."""

from __future__ import annotations

from dataclasses import replace

from dfslab.core.lookup import Replica, ReplicaState
from dfslab.core.master.instructions import (
    DropReplica,
    ForgetReplica,
    ForgetVersion,
    PutReplica,
)
from dfslab.core.master.state import Effects, MasterState
from dfslab.core.model import Version
from dfslab.core.trace import Kind


def put(state: MasterState, version: Version, keeper_id: str, path: str, out: Effects, cause: str) -> str:
    """Add a valid replica to the table (step 5); return the id of its line in the trace."""
    state.put_replica(version.id, Replica(keeper_id, path))
    out.record(PutReplica(version.id, keeper_id, path))
    state.unconfirmed_drops.pop((version.id, keeper_id), None)
    state.orphans.pop((keeper_id, version.id), None)
    return out.note(Kind.REPLICA_RECORDED, version=version, peer=keeper_id, bytes=version.size, cause=cause, path=path)


def put_back(state: MasterState, version: Version, row: Replica, path: str, out: Effects, cause: str) -> None:
    """Let a replica count again that was to be dropped or has moved, unless it was found bad before."""
    put(state, version, row.keeper, path, out, cause)
    if row.bad:
        mark_corrupt(state, version, row.keeper, out, cause, reason="it was found bad before")


def forget(state: MasterState, version_id: str, keeper_id: str, out: Effects, cause: str) -> None:
    """Remove a replica from the table, and a deleted version with its last one."""
    version = state.table.versions[version_id]
    state.forget_replica(version_id, keeper_id)
    state.unconfirmed_drops.pop((version_id, keeper_id), None)
    out.record(ForgetReplica(version_id, keeper_id))
    out.note(Kind.REPLICA_FORGOTTEN, version=version, peer=keeper_id, cause=cause)
    forget_if_gone(state, version, out)


def forget_if_gone(state: MasterState, version: Version, out: Effects) -> None:
    """Remove a deleted version that has no replica (any more)."""
    if version.deleted and not state.table.replicas(version.id):
        state.table.forget_version(version.id)
        out.record(ForgetVersion(version.id))


def mark_corrupt(state: MasterState, version: Version, keeper_id: str, out: Effects, cause: str, *, reason: str) -> str:
    """Stop counting a replica whose bytes are wrong; return the id of its line in the trace."""
    path = state.table.replicas(version.id)[keeper_id].path
    out.record(PutReplica(version.id, keeper_id, path, corrupt=True))
    return note_corrupt(state, version, keeper_id, out, cause, reason=reason)


def note_corrupt(state: MasterState, version: Version, keeper_id: str, out: Effects, cause: str, *, reason: str) -> str:
    """Have the table and the trace say that a replica is corrupt; return the id of its line in the trace."""
    state.table.set_state(version.id, keeper_id, ReplicaState.CORRUPT)
    state.corrupt[version.id] = None
    state.unconfirmed_drops.pop((version.id, keeper_id), None)
    state.replan = True
    return out.note(Kind.REPLICA_CORRUPT, version=version, peer=keeper_id, cause=cause, reason=reason)


def remember_bad(state: MasterState, version: Version, row: Replica, out: Effects) -> None:
    """Mark a replica that is to be dropped as bad: it may not count again if the drop is taken back."""
    state.put_replica(version.id, replace(row, bad=True))
    out.record(PutReplica(version.id, row.keeper, row.path, corrupt=True))


def order_drop(state: MasterState, version: Version, keeper_id: str, out: Effects, cause: str, *, reason: str) -> None:
    """Have a keeper delete a replica: now if it answers and safe mode is over, else when a scan finds it back."""
    row = state.table.replicas(version.id)[keeper_id]
    if row.state is not ReplicaState.DROPPING:
        state.table.set_state(version.id, keeper_id, ReplicaState.DROPPING)
    cause = out.note(
        Kind.REPLICA_DROP_ORDERED, version=version, peer=keeper_id, bytes=version.size, cause=cause, reason=reason
    )
    state.unconfirmed_drops[version.id, keeper_id] = cause
    send_drop(state, version.id, keeper_id, out, cause)


def send_drop(state: MasterState, version_id: str, keeper_id: str, out: Effects, cause: str) -> None:
    """Send the order, unless the keeper does not answer or safe mode holds it back."""
    keeper = state.keepers[keeper_id]
    if keeper.serves and state.safe_until is None:
        out.add(DropReplica(version_id, keeper_id, keeper.address, keeper.incarnation, cause))
