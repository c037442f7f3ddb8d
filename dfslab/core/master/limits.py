"""How much a master takes of what clients and keepers send: its tables are in memory, and all of them are bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dfslab.core.blocks import CHECKSUM_BYTES, MAX_CHECKSUMS_BYTES, block_count
from dfslab.core.errors import InvalidOption, LimitReached
from dfslab.core.nodes import MASTER
from dfslab.core.tickets import UPLOAD_START_S, read_expiry

if TYPE_CHECKING:
    from dfslab.core.master.events import BeginUpload, Register
    from dfslab.core.master.state import MasterState, Upload

MAX_OPEN_UPLOADS = 10_000
"""Uploads that were begun and are neither committed nor forgotten."""
MAX_OPEN_PER_CLIENT = 1000
"""Of one client's name. It keeps one client's mistake from the others; a name can be chosen at will."""
MAX_ATTEMPTS = 64
"""Slots of one upload. A client gives up after 8."""
MAX_ID_CHARS = 128
MAX_EXCLUDED = 1000
MAX_REPORTED = 250_000
"""Replicas in a keeper's report, so that it fits into a message."""


def check_upload(state: MasterState, event: BeginUpload) -> None:
    """Raise InvalidOption for an upload whose numbers no file can have."""
    checksums = CHECKSUM_BYTES * block_count(event.size, state.options.block_size)
    if event.size < 0 or checksums > MAX_CHECKSUMS_BYTES:
        most = MAX_CHECKSUMS_BYTES // CHECKSUM_BYTES * state.options.block_size
        raise InvalidOption(option="size", value=str(event.size), reason=f"a file has 0 to {most} bytes")
    if not 1 <= event.ack_replicas <= state.options.replicas:
        reason = f"it must be 1 to {state.options.replicas}"
        raise InvalidOption(option="ack_replicas", value=str(event.ack_replicas), reason=reason)
    if not 1 <= len(event.upload_id) <= MAX_ID_CHARS:
        reason = f"it must have 1 to {MAX_ID_CHARS} characters"
        raise InvalidOption(option="upload_id", value=repr(event.upload_id[:MAX_ID_CHARS]), reason=reason)
    if len(event.exclude) > MAX_EXCLUDED:
        reason = f"it must have {MAX_EXCLUDED} entries at most"
        raise InvalidOption(option="exclude", value=f"{len(event.exclude)} keepers", reason=reason)


def is_stalled(slot_at: float, size: int, now: float) -> bool:
    """Return True when an upload could have been sent since its last slot, as slowly as a reader may read it."""
    return now > read_expiry(size, slot_at + UPLOAD_START_S)


def is_full(state: MasterState, client: str) -> bool:
    """Return True when no new upload is taken from a client."""
    if len(state.open_uploads) < min(MAX_OPEN_UPLOADS, MAX_OPEN_PER_CLIENT):
        return False
    return len(state.open_uploads) >= MAX_OPEN_UPLOADS or _open_of(state, client) >= MAX_OPEN_PER_CLIENT


def _open_of(state: MasterState, client: str) -> int:
    return sum(1 for upload_id in state.open_uploads if state.uploads[upload_id].client == client)


def check_room_for_upload(state: MasterState, upload: Upload | None, client: str) -> None:
    """Raise LimitReached when the table of uploads takes no new one, or this one no new attempt."""
    if upload is not None:
        _check("attempts of one upload", len(upload.attempts), MAX_ATTEMPTS)
        return
    _check("open uploads", len(state.open_uploads), MAX_OPEN_UPLOADS)
    if len(state.open_uploads) >= MAX_OPEN_PER_CLIENT:
        _check("open uploads of one client", _open_of(state, client), MAX_OPEN_PER_CLIENT)


def check_report(event: Register) -> None:
    """Raise LimitReached for a report that is too long."""
    _check("replicas of one keeper", len(event.report) - 1, MAX_REPORTED)


def _check(what: str, there_are: int, limit: int) -> None:
    if there_are >= limit:
        raise LimitReached(node=MASTER, what=what, limit=limit)
