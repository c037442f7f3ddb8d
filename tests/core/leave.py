"""Tickets as a master signs them, with any claim changed that a test wants changed."""

from __future__ import annotations

import itertools
from typing import Any

from dfslab.core.tickets import MasterClock, Purpose, Ticket, TicketKey

BOOT = "master-boot"
CLOCK = MasterClock(BOOT, 1000.0)
"""What the master's clock says at 0 s of the keeper's."""
_serials = itertools.count(1)


def ticket(
    purpose: Purpose = Purpose.UPLOAD, version: str = "v-new", length: int = 25, *, key: bytes = b"", **claims: Any
) -> bytes:
    """Return a signed ticket for this process of keeper-1, which ends after 100 s and was never used."""
    usual = {
        "keeper": "keeper-1",
        "keeper_boot": "boot",
        "master_boot": BOOT,
        "expires_s": CLOCK.time_s + 100.0,
        "serial": next(_serials),
    }
    return TicketKey(key).sign(Ticket(purpose, version, length=length, **{**usual, **claims}))
