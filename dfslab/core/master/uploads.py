"""Uploads: a slot, a record, an acknowledgement (steps 1, 2, 5 and 6)."""

from __future__ import annotations

import itertools

from dfslab.core.blocks import CHECKSUM_BYTES, block_count
from dfslab.core.errors import (
    InvalidOption,
    MasterStarting,
    NoLiveKeepers,
    NotEnoughKeepers,
    StaleIncarnation,
)
from dfslab.core.master import copies, limits, repair, replicas
from dfslab.core.master.events import AwaitUpload, BeginUpload, ReplicaStored
from dfslab.core.master.instructions import (
    ForgetUpload,
    PutUpload,
    PutVersion,
    Recorded,
    Slot,
    UploadState,
)
from dfslab.core.master.planning import place
from dfslab.core.master.state import Effects, Keeper, MasterState, Upload, Waiter
from dfslab.core.model import FileInfo, Version
from dfslab.core.names import check_name
from dfslab.core.trace import Kind


def on_begin_upload(state: MasterState, event: BeginUpload, now: float, out: Effects) -> None:
    """Grant a slot on a live keeper, or say that this very upload has succeeded already."""
    check_name(event.name)
    limits.check_upload(state, event)
    upload = state.uploads.get(event.upload_id)
    if upload is not None:
        _check_is_same(state, event, upload)
        if upload.committed:
            _reply_committed(state, event, upload, out)
            return
    if upload is None and limits.is_full(state, event.client):
        _forget_stalled(state, now)
    limits.check_room_for_upload(state, upload, event.client)
    keeper = _choose_keeper(state, event)
    version_id = state.new_version_id()
    if upload is None:
        upload = Upload(event.upload_id, event.name, event.size, event.ack_replicas, event.client, now, now)
        state.uploads[upload.id] = upload
        state.open_uploads[upload.id] = None
    upload.slot_at = now
    upload.attempts[version_id] = keeper.id
    state.upload_of[version_id] = upload.id
    cause = out.note(
        Kind.SLOT_GRANTED,
        peer=event.client,
        bytes=event.size,
        cause=event.cause,
        keeper=keeper.id,
        upload=upload.id,
        name=event.name,
        for_version=version_id,
        ack_replicas=event.ack_replicas,
    )
    ticket = state.signing.upload(version_id, event.size, keeper, now)
    out.reply(event.request, Slot(version_id, keeper.id, keeper.data_address, None, cause, ticket))


def _check_is_same(state: MasterState, event: BeginUpload, upload: Upload) -> None:
    name, size = upload.name, upload.size
    if not name:  # read back from the catalog, which does not say: the retry does
        version = state.table.versions.get(upload.committed)
        name, size = event.name, version.size if version else event.size
    if (name, size) != (event.name, event.size):
        reason = f"this upload id belongs to {name!r}"
        raise InvalidOption(option="upload_id", value=event.upload_id, reason=reason)
    upload.name, upload.size = name, size


def _reply_committed(state: MasterState, event: BeginUpload, upload: Upload, out: Effects) -> None:
    out.reply(event.request, Slot(upload.committed, "", None, _info_of(state, upload), ""))


def _info_of(state: MasterState, upload: Upload) -> FileInfo:
    version = state.table.versions.get(upload.committed)
    if version is None:
        return FileInfo(upload.name, upload.committed, upload.size, (), 0.0)
    return state.file_info(version)


def _choose_keeper(state: MasterState, event: BeginUpload) -> Keeper:
    alive = state.alive()
    loads = [load for load in state.loads().values() if state.keepers[load.keeper].free_bytes >= event.size]
    if event.exclude:
        loads = [load for load in loads if load.keeper not in event.exclude]
    if state.safe_until is not None and (len(alive) < event.ack_replicas or not loads):
        raise MasterStarting  # those who have not reported yet may take it
    if not alive:
        raise NoLiveKeepers(tried=event.exclude)
    if len(alive) < event.ack_replicas:
        raise NotEnoughKeepers(wanted=event.ack_replicas, live=len(alive))
    if not loads:
        raise NoLiveKeepers(tried=event.exclude)
    return place(state, loads, event.size)


def on_replica_stored(state: MasterState, event: ReplicaStored, now: float, out: Effects) -> None:
    """Add the record to the lookup table (step 5), or have the keeper delete what nobody waits for."""
    keeper = state.keepers.get(event.keeper)
    if keeper is None or not keeper.serves or keeper.incarnation != event.incarnation:
        raise StaleIncarnation(keeper=event.keeper, incarnation=event.incarnation)
    if (keeper.id, event.version, event.copy_id) in state.turned_away:  # this was said before, and came late
        out.reply(event.request, Recorded(keep=False, reason="there was no room for its record"))
        return
    if event.copy_id:
        copies.arrived(state, event.copy_id, keeper.id, now, out)
    version = state.table.versions.get(event.version)
    if version is None:
        answer = _commit(state, event, now, out)
    elif version.deleted:
        answer = Recorded(keep=False, reason="the file was deleted or overwritten meanwhile")
    else:
        answer = _record(state, version, event, out)
    out.reply(event.request, answer)
    repair.reassess(state, event.version, now)
    settle(state, event.version, out)


def _record(state: MasterState, version: Version, event: ReplicaStored, out: Effects) -> Recorded:
    if state.table.replica(version.id, event.keeper) is not None:
        return Recorded(keep=True)  # told again; meanwhile it may have been found bad, or be on its way out
    told = (event.size, event.block_size, event.checksums)
    if told != (version.size, version.block_size, version.checksums):
        return Recorded(keep=False, reason="its size or checksums are not the version's")
    state.keepers[event.keeper].found.pop(version.id, None)
    replicas.put(state, version, event.keeper, event.path, out, event.cause)
    return Recorded(keep=True)


def _commit(state: MasterState, event: ReplicaStored, now: float, out: Effects) -> Recorded:
    upload = state.uploads.get(state.upload_of.get(event.version, ""))
    if upload is None:
        return Recorded(keep=False, reason="the master knows no such upload")
    if upload.committed:
        return Recorded(keep=False, reason="another attempt of the same upload has succeeded")
    if event.size != upload.size or event.block_size < 1:
        return Recorded(keep=False, reason="it is not as long as the upload said")
    if len(event.checksums) != CHECKSUM_BYTES * block_count(event.size, event.block_size):
        return Recorded(keep=False, reason="it is not as long as the upload said")
    version = Version(event.version, upload.name, event.size, event.block_size, event.checksums, event.unix_s)
    previous = state.table.commit(version)
    upload.committed = version.id
    if upload.id in state.waiting:
        state.awaited[version.id] = upload.id
    state.open_uploads.pop(upload.id, None)
    for attempt in upload.attempts:
        del state.upload_of[attempt]
    if previous is not None:
        out.record(PutVersion(previous))
    out.record(PutVersion(version), PutUpload(upload.id, version.id, upload.ack_replicas, event.unix_s))
    cause = out.note(
        Kind.FILE_COMMITTED,
        version=version,
        peer=event.keeper,
        bytes=version.size,
        cause=event.cause,
        created_at=version.created_at,
        upload=upload.id,
    )
    replicas.put(state, version, event.keeper, event.path, out, cause)
    repair.reassess(state, version.id, now, cause)
    if version.id in state.short:
        state.short[version.id].ack_replicas = upload.ack_replicas
    if previous is not None:
        retire(state, previous, now, out, cause, reason="overwritten")
    return Recorded(keep=True)


def retire(state: MasterState, version: Version, now: float, out: Effects, cause: str, *, reason: str) -> None:
    """Drop every replica of a version that no name means any more, and end its copies."""
    cause = out.note(Kind.FILE_DELETED, version=version, cause=cause, reason=reason)
    copies.abandon_for_version(state, version.id, now, out, reason=reason)
    for keeper_id in list(state.table.replicas(version.id)):
        replicas.order_drop(state, version, keeper_id, out, cause, reason=reason)
    repair.reassess(state, version.id, now)
    settle(state, version.id, out)
    replicas.forget_if_gone(state, version, out)


def on_await_upload(state: MasterState, event: AwaitUpload, now: float, out: Effects) -> None:
    """Answer at once if the upload is settled or unknown; else hold the request for a while."""
    upload = state.uploads.get(event.upload_id)
    if upload is None:
        out.reply(event.request, UploadState(known=False, copies=0, acknowledged=None))
        return
    upload.waiters.append(Waiter(event.request, now + event.hold_s))
    state.waiting[upload.id] = None
    if upload.committed:
        state.awaited[upload.committed] = upload.id
    state.replan = True
    _settle_upload(state, upload, out)
    _release_waiters(state, upload, now, out)


def settle(state: MasterState, version_id: str, out: Effects) -> None:
    """Acknowledge the upload of this version if it has its copies."""
    if version_id in state.awaited:
        _settle_upload(state, state.uploads[state.awaited[version_id]], out)


def _settle_upload(state: MasterState, upload: Upload, out: Effects) -> None:
    if not _is_settled(state, upload):
        return
    info = _info_of(state, upload)
    if not upload.acknowledged:
        upload.acknowledged = True
        version = state.table.versions.get(upload.committed)
        out.note(Kind.UPLOAD_ACKNOWLEDGED, version=version, peer=upload.client, bytes=upload.size, upload=upload.id)
    for waiter in upload.waiters:
        out.reply(waiter.request, UploadState(True, len(info.holders), info))
    upload.waiters.clear()
    _nobody_waits(state, upload)


def _is_settled(state: MasterState, upload: Upload) -> bool:
    """Committed, and on enough keepers, or already replaced or deleted by somebody else."""
    version = state.table.versions.get(upload.committed)
    if not upload.committed or upload.acknowledged or version is None or version.deleted:
        return bool(upload.committed)
    return state.live_copies(version.id) >= upload.ack_replicas


def _release_waiters(state: MasterState, upload: Upload, now: float, out: Effects) -> None:
    known = state.live_copies(upload.committed) if upload.committed else 0
    for waiter in [waiter for waiter in upload.waiters if waiter.deadline <= now]:
        upload.waiters.remove(waiter)
        out.reply(waiter.request, UploadState(known=True, copies=known, acknowledged=None))
    if not upload.waiters:
        _nobody_waits(state, upload)


def _nobody_waits(state: MasterState, upload: Upload) -> None:
    state.waiting.pop(upload.id, None)
    state.awaited.pop(upload.committed, None)


def release_waiters(state: MasterState, now: float, out: Effects) -> None:
    """Answer waiters whose time is up."""
    for upload_id in list(state.waiting):
        _release_waiters(state, state.uploads[upload_id], now, out)


def expire(state: MasterState, now: float, out: Effects) -> None:
    """Forget uploads that nobody retries any more (the oldest come first)."""
    old = itertools.takewhile(lambda one: now - one.since > state.options.upload_memory_s, state.uploads.values())
    for upload in [upload for upload in old if upload.id not in state.waiting]:
        _forget(state, upload)
        if upload.committed:
            out.record(ForgetUpload(upload.id))


def _forget_stalled(state: MasterState, now: float) -> None:
    """Make room for a new upload: what nobody sends any more, as far as can be told, is not kept for hours then.

    If one of them arrives after all, its keeper is told to delete it, and its client begins again.
    """
    opened = (state.uploads[upload_id] for upload_id in state.open_uploads)
    old = itertools.takewhile(lambda one: limits.is_stalled(one.since, 0, now), opened)
    for upload in [upload for upload in old if limits.is_stalled(upload.slot_at, upload.size, now)]:
        if upload.id not in state.waiting:
            _forget(state, upload)


def _forget(state: MasterState, upload: Upload) -> None:
    del state.uploads[upload.id]
    state.open_uploads.pop(upload.id, None)
    for attempt in upload.attempts:
        state.upload_of.pop(attempt, None)
