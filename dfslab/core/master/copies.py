"""Copies under way: ordered, arrived, or given up."""

from __future__ import annotations

from dfslab.core.master.events import CopyFailed
from dfslab.core.master.instructions import CopyReplica, PlannedAction
from dfslab.core.master.state import Copy, Effects, MasterState
from dfslab.core.trace import Kind

COPY_FLOOR_S = 10.0
COPY_FLOOR_BYTES_S = 100_000
"""A copy is given up after 10 s plus its size at 100 KB/s."""


def start(state: MasterState, action: PlannedAction, now: float, out: Effects, cause: str) -> None:
    """Order a proposed copy: both ends are told.

    The line's `shortage` names the event that left the file short, where that is not its cause: a scan.
    """
    version = state.table.versions[action.version]
    source, target = state.keepers[action.source], state.keepers[action.target]
    copy_id = state.new_copy_id()
    short = state.short.get(version.id)
    found = {"shortage": short.cause} if short is not None and short.cause not in ("", cause) else {}
    awaited = short is not None and state.live_copies(version.id) < short.ack_replicas
    cause = out.note(
        Kind.COPY_ORDERED,
        version=version,
        peer=target.id,
        bytes=version.size,
        cause=cause,
        source=source.id,
        copy=copy_id,
        reason=action.reason,
        **found,
    )
    deadline = now + COPY_FLOOR_S + version.size / COPY_FLOOR_BYTES_S
    state.copies[copy_id] = Copy(copy_id, version.id, source.id, target.id, version.size, deadline, cause)
    state.copying.setdefault(version.id, {})[copy_id] = None
    source.copies_out += 1
    target.copies_in += 1
    target.incoming_bytes += version.size
    if target.copies_in >= state.options.copies_per_keeper:
        state.full[target.id] = None
    state.load_changed(target.id)
    state.backlog.changed(version.id)
    out.add(
        CopyReplica(
            copy_id,
            version,
            source.id,
            source.address,
            source.data_address,
            source.incarnation,
            target.id,
            target.address,
            target.incarnation,
            cause,
            state.signing.copy(version, source, deadline),
            awaited,
        )
    )


def _end_copy(state: MasterState, copy_id: str) -> Copy:
    copy = state.copies.pop(copy_id)
    del state.copying[copy.version][copy_id]
    if not state.copying[copy.version]:
        del state.copying[copy.version]
    state.keepers[copy.source].copies_out -= 1
    target = state.keepers[copy.target]
    target.copies_in -= 1
    target.incoming_bytes -= copy.size
    state.full.pop(target.id, None)
    state.load_changed(target.id)
    state.backlog.changed(copy.version)
    state.replan = True
    return copy


def arrived(state: MasterState, copy_id: str, target: str, now: float, out: Effects) -> None:
    """Close the books on a copy whose target holds it now; an unknown id is a copy that was given up."""
    copy = state.copies.get(copy_id)
    if copy is not None and copy.target == target:
        _end_copy(state, copy_id)
        version = state.table.versions.get(copy.version)
        out.note(
            Kind.COPY_DONE,
            version=version,
            peer=target,
            bytes=copy.size,
            cause=copy.cause,
            source=copy.source,
            copy=copy_id,
        )


def _give_up(
    state: MasterState, copy: Copy, now: float, out: Effects, reason: str, *, source_at_fault: bool | None = None
) -> None:
    _end_copy(state, copy.id)
    version = state.table.versions.get(copy.version)
    out.note(
        Kind.COPY_FAILED,
        version=version,
        peer=copy.target,
        cause=copy.cause,
        source=copy.source,
        copy=copy.id,
        reason=reason,
    )
    short = state.short.get(copy.version)
    if short is not None:
        state.pause(copy.version, now + short.retry_s)
        short.retry_s = min(2 * short.retry_s, state.options.replication_interval_s)
        if source_at_fault is not None:
            blamed = short.failed_sources if source_at_fault else short.failed_targets
            blamed[copy.source if source_at_fault else copy.target] = None


def on_copy_failed(state: MasterState, event: CopyFailed, now: float, out: Effects) -> None:
    """Note a copy that came to nothing; after a pause, it is tried again without the end that was at fault."""
    copy = state.copies.get(event.copy_id)
    if copy is not None:
        _give_up(state, copy, now, out, event.reason, source_at_fault=event.source_at_fault)
    out.reply(event.request, None)


def abandon_for_keeper(state: MasterState, keeper_id: str, now: float, out: Effects, *, reason: str) -> None:
    """Give up the copies from and to a keeper that died or started again; they need no pause."""
    keeper = state.keepers[keeper_id]
    if not keeper.copies_in and not keeper.copies_out:
        return
    for copy in [copy for copy in state.copies.values() if keeper_id in (copy.source, copy.target)]:
        _give_up(state, copy, now, out, reason)
        if copy.version in state.short:
            state.short[copy.version].not_before = now


def abandon_for_version(state: MasterState, version_id: str, now: float, out: Effects, *, reason: str) -> None:
    """Give up the copies of a version that is history."""
    state.short.pop(version_id, None)
    for copy_id in list(state.copying.get(version_id, ())):
        _give_up(state, state.copies[copy_id], now, out, reason)


def abandon_late(state: MasterState, now: float, out: Effects) -> None:
    """Give up the copies that have taken too long."""
    for copy in [copy for copy in state.copies.values() if copy.deadline <= now]:
        _give_up(state, copy, now, out, "it took too long", source_at_fault=True)
