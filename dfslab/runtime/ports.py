"""The ports of dead nodes, held for their return.

A port that nobody listens on is anybody's: another user of the machine could take it, and be asked
what the dead node was asked. A socket that is bound and does not listen keeps it: whoever connects
is refused, as at a dead node's port, and nobody else can have it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from dfslab.core.model import Address


class ReservedPorts:
    """Holds ports under the names of the nodes they belong to; whoever uses it provides mutual exclusion."""

    def __init__(self) -> None:
        self._held: dict[str, list[socket.socket]] = {}

    def hold(self, node: str, addresses: Iterable[Address]) -> None:
        """Take a node's ports, now that it has closed them; one that somebody was quicker to take is left alone."""
        for address in addresses:
            held = _bound(address)
            if held is not None:
                self._held.setdefault(node, []).append(held)

    def release(self, node: str) -> None:
        """Let a node have its ports again."""
        for held in self._held.pop(node, []):
            held.close()

    def close(self) -> None:
        """Let every port go."""
        for node in list(self._held):
            self.release(node)


def _bound(address: Address) -> socket.socket | None:
    held = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the dead may linger
        held.bind((address.host, address.port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # else another socket could share the port
    except OSError:
        held.close()
        return None
    return held
