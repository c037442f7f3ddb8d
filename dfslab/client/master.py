"""The master as a client sees it: calls, repeated where that can do no harm, that end within a time."""

from __future__ import annotations

import time
from typing import Any

from dfslab.core.errors import MasterUnavailable
from dfslab.core.model import Address
from dfslab.core.patience import Patience
from dfslab.runtime.dfs_pb2_grpc import MasterTrackerStub
from dfslab.runtime.network import Nic
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.rpc import RpcClient

CALL_TIMEOUT_S = 5.0


class MasterLink:
    """Calls to the master tracker.

    Parameters
    ----------
    address : Address
    token : str
    patience_s : float
        How long a call is repeated while the master does not answer.
    nic : Nic
        The client's network card.
    """

    def __init__(self, address: Address, token: str, patience_s: float, nic: Nic, ca: bytes | None = None) -> None:
        self.address, self.patience_s = address, patience_s
        self._rpc = RpcClient(MasterTrackerStub, address, token, nic, ca=ca)
        self.closed = False

    def once(self, method: str, request: Any, *, changes: bool, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Call once."""
        with PROCESSOR.together():
            return self._rpc.call(method, request, timeout_s, changes=changes)

    def call(self, method: str, request: Any, *, changes: bool = False) -> Any:
        """Call until answered, for `patience_s` at most; a call that may have taken effect is not repeated."""
        started = time.monotonic()
        patience, deadline = Patience(self.patience_s, since=started), started + self.patience_s
        while True:
            try:
                return self.once(method, request, changes=changes, timeout_s=max(0.1, deadline - time.monotonic()))
            except MasterUnavailable as error:
                pause_s = patience.next_pause(time.monotonic())
                if self.closed or not error.definite or pause_s is None:
                    raise
            time.sleep(pause_s)

    def close(self) -> None:
        """Close the channel; calls under way end, and none is repeated."""
        self.closed = True
        self._rpc.close()
