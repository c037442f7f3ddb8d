"""A master whose catalog takes nothing, because its disk is full: what goes on, and what is refused.

Reading needs no record, so it goes on: stat, locate, the tables, downloads; so do heartbeats and the
detection of deaths. What would need a record is refused before it changes anything, and no copy is ordered
that could not be recorded.
"""

from __future__ import annotations

from dataclasses import replace

from dfslab.core.liveness import Liveness
from dfslab.core.master import copies, registration, uploads
from dfslab.core.master.events import (
    BadReplica,
    BeginUpload,
    Decommission,
    Delete,
    Event,
    Register,
    Rename,
    ReplicaDropped,
    ReplicaStored,
    Scan,
    Tick,
    WritesFailed,
    WritesWork,
)
from dfslab.core.master.state import Effects, Keeper, MasterState, Upload
from dfslab.core.trace import Kind

NEED_THE_CATALOG = (
    Register,
    ReplicaStored,
    ReplicaDropped,
    BadReplica,
    BeginUpload,
    Delete,
    Rename,
    Scan,
    Decommission,
)


def refuses(state: MasterState, event: Event) -> bool:
    """Return True for what can't be done now; what is known already is said again, and a dry run is free."""
    if state.read_only is None or not isinstance(event, NEED_THE_CATALOG):
        return False
    if isinstance(event, ReplicaStored):
        return state.table.replica(event.version, event.keeper) is None
    return not (isinstance(event, Scan) and event.dry_run)


def refuse(state: MasterState, event: Event, out: Effects) -> None:
    """Refuse an event; a replica that is turned away is deleted by its keeper, so its report never counts again."""
    assert state.read_only is not None, "there is room"
    assert not isinstance(event, Tick | WritesFailed | WritesWork), event
    if isinstance(event, ReplicaStored):
        state.turned_away[event.keeper, event.version, event.copy_id] = None
    out.refuse(event.request, state.read_only)


def on_writes_failed(state: MasterState, event: WritesFailed, now: float, out: Effects) -> None:
    """Refuse from now on what needs the catalog."""
    if state.read_only is None:
        out.note(Kind.MASTER_READ_ONLY, reason=str(event.error))
    state.read_only = event.error


def on_writes_work(state: MasterState, event: WritesWork, now: float, out: Effects) -> None:
    """Do everything again, what was left undone at once."""
    if state.read_only is not None:
        state.read_only = None
        state.replan = True
        out.note(Kind.MASTER_WRITABLE)


def on_tick(state: MasterState, now: float, out: Effects) -> None:
    """Do of a tick what needs no record."""
    registration.declare_the_dead(state, now, out)
    registration.leave_safe_mode(state, now, out)
    copies.abandon_late(state, now, out)
    uploads.release_waiters(state, now, out)


def take_over(state: MasterState, before: MasterState, now: float, out: Effects, cause: str) -> None:
    """Take from a core whose last changes did not become durable what no catalog has: who is alive, who waits.

    A keeper whose registration was among these changes is not taken over; it registers again. The clock is
    the same, and keepers know it: tickets go on as they were, under numbers that were not given yet.
    """
    state.signing, state.turned_away = before.signing, before.turned_away
    for keeper in before.keepers.values():
        mine = state.keepers.get(keeper.id)
        if mine is not None and mine.liveness is Liveness.UNSEEN and mine.incarnation == keeper.incarnation:
            _take_keeper(state, keeper, now, out, cause)
    if all(keeper.liveness is not Liveness.UNSEEN for keeper in state.keepers.values()):
        state.safe_until = None
    for upload in before.uploads.values():
        _take_upload(state, upload)
    state.open_uploads = {upload.id: None for upload in state.uploads.values() if not upload.committed}
    for (keeper_id, version_id), since in before.orphans.items():
        taken = keeper_id in state.keepers and state.keepers[keeper_id].liveness is not Liveness.UNSEEN
        if taken and version_id not in state.table.versions:
            state.orphans[keeper_id, version_id] = since


def _take_keeper(state: MasterState, keeper: Keeper, now: float, out: Effects, cause: str) -> None:
    if keeper.liveness is Liveness.DECOMMISSIONED:  # that it was let go did not become durable
        keeper = replace(keeper, liveness=Liveness.DRAINING)
    taken = replace(keeper, copies_in=0, copies_out=0, incoming_bytes=0)
    state.add_keeper(taken)
    if taken.serves:
        registration.note_heard_before(state, taken, out)
    elif taken.liveness is Liveness.DEAD:
        out.note(Kind.KEEPER_DEAD, peer=keeper.id, cause=cause, incarnation=keeper.incarnation)


def _take_upload(state: MasterState, upload: Upload) -> None:
    durable = state.uploads.get(upload.id)
    if durable is None and upload.committed:  # its commit is what did not become durable
        upload.committed = ""
    upload.acknowledged = False  # what settled it may not have become durable either: its copies are counted anew
    state.uploads[upload.id] = upload
    if not upload.committed:
        state.upload_of.update(dict.fromkeys(upload.attempts, upload.id))
    if upload.waiters:
        state.waiting[upload.id] = None
        if upload.committed:
            state.awaited[upload.committed] = upload.id
