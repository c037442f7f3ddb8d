"""The master's side of the tickets: who gets leave for what, and until when."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from dfslab.core.model import Version
from dfslab.core.tickets import UPLOAD_START_S, MasterClock, Purpose, Ticket, TicketKey, read_expiry

if TYPE_CHECKING:
    from dfslab.core.master.state import Keeper


class Signing:
    """Signs the tickets of one master's life.

    No two tickets of the cluster are the same: the master's boot is drawn at random at each start,
    and `serial` counts on from there. So it needs no chance of its own, and a seed replays.

    Parameters
    ----------
    key : bytes
        The cluster's.
    boot : str
        The master's; it stands for the clock by which tickets end.
    """

    def __init__(self, key: bytes, boot: str) -> None:
        self._key, self._boot = TicketKey(key), boot
        self._serials = itertools.count(1)

    def clock(self, now: float) -> MasterClock:
        """Return what keepers are told of the time, for the tickets that they will be shown."""
        return MasterClock(self._boot, now)

    def upload(self, version_id: str, size: int, keeper: Keeper, now: float) -> bytes:
        """Return leave to send a new version to a keeper (step 2)."""
        return self._sign(Purpose.UPLOAD, version_id, size, keeper, now + UPLOAD_START_S)

    def download(self, version: Version, keeper: Keeper, now: float) -> bytes:
        """Return leave to read a version from a keeper, in as many requests as it takes."""
        return self._sign(Purpose.DOWNLOAD, version.id, version.size, keeper, read_expiry(version.size, now))

    def copy(self, version: Version, source: Keeper, deadline: float) -> bytes:
        """Return leave for another keeper to read a version from its source, until the copy is given up."""
        return self._sign(Purpose.COPY, version.id, version.size, source, deadline)

    def _sign(self, purpose: Purpose, version_id: str, size: int, keeper: Keeper, expires_s: float) -> bytes:
        serial = next(self._serials)
        return self._key.sign(Ticket(purpose, version_id, keeper.id, keeper.boot, size, self._boot, expires_s, serial))
