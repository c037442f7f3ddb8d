"""Nodes that are real processes, and die or fail at a chosen point of their work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dfslab import DfsError
from dfslab.core.nodes import MASTER
from dfslab.lab.nodes import NodeState
from tests.faults.case import Case
from tests.faults.ledger import Ledger
from tests.faults.waiting import until

DEATH_LIMIT_S = 15.0


def emptiest(files: Ledger) -> str:
    """Return the keeper that placement chooses next: the one with the fewest bytes, which there must be."""
    loads = sorted((one.stored_bytes, one.keeper) for one in files.cluster._client.keeper_infos() if one.is_alive)
    assert loads[0][0] < loads[1][0], f"several keepers are as empty: {loads}"
    return str(loads[0][1])


def arm(files: Ledger, node: str, point: str, action: str = "kill", at: int = 1) -> None:
    """Have something happen to a node at the `at`-th time that it passes a failpoint."""
    files.cluster._nodes.arm(node, point, action, at=at)


def state_of(files: Ledger, node: str) -> NodeState:
    """Return how a node is found to be."""
    nodes = files.cluster._nodes
    return nodes.master_state if node == MASTER else nodes.states()[node]


def wait_for_death(case: Case, files: Ledger, node: str, what: str) -> None:
    """Return when a node's process has died at its failpoint, which is a strike."""
    until(f"{node} to die: {what}", lambda: state_of(files, node) is NodeState.KILLED, DEATH_LIMIT_S)
    case.strike(f"{node.rstrip('0123456789-')} killed: {what}")


class Meanwhile:
    """A call on a thread of its own, whose outcome is asked for later.

    Parameters
    ----------
    call : callable
        What it returns is the `result`; a DfsError that it raises is the `error`.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self.result: Any = None
        self.error: DfsError | None = None
        self._bug: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="meanwhile")
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except DfsError as error:
            self.error = error
        except BaseException as error:  # noqa: BLE001 - raised by `join`
            self._bug = error

    @property
    def is_over(self) -> bool:
        """True when it has returned or raised."""
        return not self._thread.is_alive()

    def join(self, timeout_s: float = 60.0) -> Any:
        """Wait for its end; return its result, None after a DfsError. Whatever else it raised is raised here."""
        self._thread.join(timeout_s)
        assert self.is_over, f"a call has not ended within {timeout_s:.0f} s"
        if self._bug is not None:
            raise self._bug
        return self.result
