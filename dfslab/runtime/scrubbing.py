"""Reading a replica again, slowly and quietly, to see whether it still is what was stored."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from dfslab.core.blocks import CHECKSUM_BYTES, MAX_BLOCK_BYTES, block_count, digest, first_difference
from dfslab.core.errors import BadReplica, NoSuchReplica, StorageFailed
from dfslab.core.keeper import events, instructions
from dfslab.core.model import StoredReplica
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import failpoints, frames
from dfslab.runtime.checksum import block_crcs
from dfslab.runtime.storage import OpenReplica, Storage, reason_of

STEP_BYTES = 1 << 18
"""How much is read at a time, in whole blocks: at 16 MB/s, some sixty pauses a second."""


SHORTAGE_PAUSE_S = 1.0


class _Damaged(Exception):
    """A replica is not what was stored; the text says in which way."""


class Scrubbing:
    """Carries out a keeper's wish to have a replica read again, on the thread that asks.

    Parameters
    ----------
    storage : Storage
    pause : callable
        Waits for so many seconds; raises when the keeper ends meanwhile.
    """

    def __init__(self, storage: Storage, pause: Callable[[float], None]) -> None:
        self._storage, self._pause = storage, pause

    def scrub(self, order: instructions.Scrub) -> events.ScrubDone | events.ScrubFailed:
        """Compare every block, and the checksums file itself, with what was stored.

        While the process is short of descriptors or memory it waits: nothing of that is the replica's fault.
        """
        while True:
            try:
                return self._judge(order)
            except StorageFailed:
                self._pause(SHORTAGE_PAUSE_S)

    def _judge(self, order: instructions.Scrub) -> events.ScrubDone | events.ScrubFailed:
        try:
            self._check(order.stored, order.rate_mb_s * 1e6)
        except _Damaged as damage:
            return events.ScrubFailed(order.number, str(damage))
        except NoSuchReplica:
            return events.ScrubFailed(order.number, "its data are missing")
        except BadReplica as error:
            return events.ScrubFailed(order.number, f"it can't be read: {error.fields['reason']}")
        except OSError as error:
            self._storage.check_is_the_disk(error)
            return events.ScrubFailed(order.number, f"it can't be read: {reason_of(error)}")
        return events.ScrubDone(order.number)

    def _check(self, stored: StoredReplica, bytes_s: float) -> None:
        replica = self._storage.open(stored.version)
        try:
            if replica.size != stored.size:
                raise _Damaged(f"its data are {replica.size} bytes long, {stored.size} were stored")
            with frames.buffer() as buffer:
                self._check_blocks(replica, self._checksums(stored), bytes_s, buffer)
        finally:
            replica.close()

    def _checksums(self, stored: StoredReplica) -> pb.ReplicaChecksums:
        """Return the checksums beside a replica: those that the master has matched, or it is damaged."""
        noted = self._storage.checksums(stored.version)
        if noted is None:
            raise _Damaged("its checksums file is missing or damaged")
        is_its_own = (noted.version, noted.size) == (stored.version, stored.size)
        if not is_its_own or not _covers(noted) or digest(noted.checksums) != stored.digest:
            raise _Damaged("its checksums are not those that it was stored with")
        return noted

    def _check_blocks(
        self, replica: OpenReplica, noted: pb.ReplicaChecksums, bytes_s: float, buffer: memoryview
    ) -> None:
        step = max(1, STEP_BYTES // noted.block_size) * noted.block_size
        offset = 0
        while offset < replica.size:
            began = time.monotonic()
            view = buffer[: min(step, replica.size - offset)]
            failpoints.hit("keeper.scrubbing")
            _read(replica.fd, view, offset)
            first = offset // noted.block_size
            got = block_crcs(view, noted.block_size)
            bad = first_difference(got, noted.checksums[first * CHECKSUM_BYTES : first * CHECKSUM_BYTES + len(got)])
            if bad is not None:
                blocks = block_count(replica.size, noted.block_size)
                raise _Damaged(f"block {first + bad} of {blocks} (counted from 0) fails its checksum")
            offset += len(view)
            self._pause(max(0.0, began + len(view) / bytes_s - time.monotonic()))


def _covers(noted: pb.ReplicaChecksums) -> bool:
    """Return True when there is one checksum a block, and a block can be read at once."""
    if not 1 <= noted.block_size <= MAX_BLOCK_BYTES:
        return False
    return len(noted.checksums) == block_count(noted.size, noted.block_size) * CHECKSUM_BYTES


def _read(fd: int, view: memoryview, offset: int) -> None:
    done = 0
    while done < len(view):
        count = os.preadv(fd, [view[done:]], offset + done)
        if count == 0:
            raise _Damaged(f"its data end at byte {offset + done}")
        done += count
