"""Leave to move bytes: tickets that the master signs, and proofs that their bearer belongs to the cluster.

A ticket is for one purpose, one version and one process of one keeper, ends at a time, and carries
an HMAC-SHA256 (RFC 2104) under a key that is derived from the cluster's token. A proof is another
one, over a ticket and the request that it is shown with: it shows that the caller knows the token,
without sending it. A keeper's answer to a proof shows the same of the keeper, before a byte of a
file is sent to it or believed of it.
"""

from __future__ import annotations

import enum
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass

from dfslab.core.errors import TicketRefused

FORMAT = 1
MAC_BYTES = 32
UPLOAD_START_S = 60.0
"""How long a granted slot may wait for its upload to begin; how long that takes then is another matter."""
READ_FLOOR_S = 300.0
READ_FLOOR_BYTES_S = 100_000
"""A ticket to read is good for 5 min plus the file's size at 100 KB/s; whoever is slower asks for another."""

_HEAD = struct.Struct(">BBQdQ")
_LENGTH = struct.Struct(">H")


class Purpose(enum.IntEnum):
    """What a ticket is for."""

    UPLOAD = 1
    DOWNLOAD = 2
    COPY = 3


TO_WRITE = (Purpose.UPLOAD,)
TO_READ = (Purpose.DOWNLOAD, Purpose.COPY)


@dataclass(frozen=True, slots=True)
class MasterClock:
    """What a master's clock said: each start of a master (`boot`) has a clock of its own."""

    boot: str
    time_s: float


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave of the master.

    Attributes
    ----------
    purpose : Purpose
    version : str
    keeper, keeper_boot : str
        Who serves it: this process of this keeper, and no later one.
    length : int
        The version's size, bytes.
    master_boot : str
        By which master's clock it ends.
    expires_s : float
        When, by that clock.
    serial : int
        No other ticket of that master has it.
    """

    purpose: Purpose
    version: str
    keeper: str
    keeper_boot: str
    length: int
    master_boot: str
    expires_s: float
    serial: int


def derived(key: bytes, purpose: str) -> bytes:
    """Return a key for one purpose only, from the cluster's (its token)."""
    return hmac.digest(key, f"dfslab/1 {purpose}".encode(), "sha256")


def _macs(key: bytes) -> Callable[[bytes], bytes]:
    """Return what makes HMAC-SHA256 under a key.

    Not by `hmac.digest`, which gives the interpreter lock away for the microsecond that it takes: among many threads
    it takes a hundred to get it back.
    """
    empty = hmac.new(key, digestmod="sha256")

    def mac(data: bytes) -> bytes:
        mine = empty.copy()
        mine.update(data)
        return mine.digest()

    return mac


def read_expiry(size: int, now: float) -> float:
    """Return until when a version of `size` bytes may be read by a ticket that is made now."""
    return now + READ_FLOOR_S + size / READ_FLOOR_BYTES_S


class TicketKey:
    """Makes tickets, and tells the true ones from all others.

    Parameters
    ----------
    key : bytes
        The cluster's.
    """

    def __init__(self, key: bytes) -> None:
        self._mac = _macs(derived(key, "ticket"))

    def sign(self, ticket: Ticket) -> bytes:
        """Return a ticket as it travels."""
        head = _HEAD.pack(FORMAT, ticket.purpose, ticket.length, ticket.expires_s, ticket.serial)
        names = (ticket.version, ticket.keeper, ticket.keeper_boot, ticket.master_boot)
        body = head + b"".join(map(_packed, names))
        return body + self._mac(body)

    def read(self, signed: bytes, reader: str) -> Ticket:
        """Return the ticket, or raise TicketRefused in the name of `reader` when the master did not sign it."""
        body, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        if not hmac.compare_digest(self._mac(body), mac):
            reason = "this cluster's master has not signed it" if signed else "none was shown"
            raise TicketRefused(keeper=reader, reason=reason)
        return _unpacked(body)


def _packed(text: str) -> bytes:
    data = text.encode()
    return _LENGTH.pack(len(data)) + data


def _unpacked(body: bytes) -> Ticket:
    """Return what a signed body says; it is the master's own, so it is well made."""
    _, purpose, length, expires_s, serial = _HEAD.unpack_from(body)
    names, at = [], _HEAD.size
    while at < len(body):
        (size,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        names.append(body[at : at + size].decode())
        at += size
    version, keeper, keeper_boot, master_boot = names
    return Ticket(Purpose(purpose), version, keeper, keeper_boot, length, master_boot, expires_s, serial)


class ProofKey:
    """Makes and checks the proofs of requests on the data port, and of the answers to them.

    Parameters
    ----------
    key : bytes
        The cluster's.
    """

    def __init__(self, key: bytes) -> None:
        self._asking, self._answering = _macs(derived(key, "request")), _macs(derived(key, "reply"))

    def of_request(self, ticket: bytes, operation: bytes) -> bytes:
        """Return the proof of a request: `operation` is all that it asks for, in one form only."""
        return self._asking(struct.pack(">I", len(ticket)) + ticket + operation)

    def of_reply(self, request_proof: bytes) -> bytes:
        """Return what only somebody with the token can answer a request with."""
        return self._answering(request_proof)


def get_bytes(version: str, offset: int, length: int) -> bytes:
    """Return a GET in the form that proofs are made over."""
    return b"get" + struct.pack(">QQ", offset, length) + _packed(version)


def put_bytes(version: str, size: int, block_size: int, cause: str) -> bytes:
    """Return a PUT in the form that proofs are made over."""
    return b"put" + struct.pack(">QI", size, block_size) + _packed(version) + _packed(cause)
