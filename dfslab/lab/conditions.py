"""What is wrong with a cluster at the moment, and what it takes to have recovered."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator

from dfslab.core.checks import check_positive
from dfslab.core.guard import Cut, Standing
from dfslab.core.history import Table
from dfslab.core.links import Link
from dfslab.core.nodes import MASTER
from dfslab.core.recovery import not_recovered
from dfslab.lab.damage import Damage
from dfslab.lab.nodes import NodeState
from dfslab.lab.plan import Plan
from dfslab.lab.running import Running
from dfslab.lab.undoing import Fault
from dfslab.lab.waits import wait_until

RECOVERY_TIMEOUT_S = 30.0
"""How long leaving a `with` block of a fault waits for recovery, unless it is told otherwise."""


class Conditions(Running):
    """What the fault methods share: the books that are kept of what they did, and the waits after it."""

    def __init__(self, plan: Plan) -> None:
        self._cuts: list[Cut] = []
        self._pairs: dict[tuple[str, str], None] = {}
        self._damages: list[Damage] = []
        self._rng = random.Random(plan.seed)
        super().__init__(plan)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the nodes while something is done: `close` waits for it, and nothing is done after that."""
        with self._nodes.held():
            self._check_open()
            yield

    def _fault(self, name: str, event: str, undo: Callable[[], object], recovery_timeout_s: float) -> Fault:
        """Return a fault that was just begun; a cluster that is closed needs no mending."""
        return Fault(
            name,
            event=event,
            undo=lambda: None if self._closing else undo(),
            wait=lambda timeout_s: None if self._closing else self.wait_for_recovery(timeout_s),
            recovery_timeout_s=recovery_timeout_s,
        )

    def wait_for_recovery(self, timeout_s: float = RECOVERY_TIMEOUT_S) -> float:
        """Wait until all that is not broken is well; return the seconds it took.

        Every keeper that no fault holds down is alive in the master's table, and every file has its
        `replicas` live copies, or as many as there are keepers that can take one. While the master is
        dead there is nothing to wait for.

        Parameters
        ----------
        timeout_s : float
            How long to wait at most, seconds.

        Raises
        ------
        WaitTimedOut
            Naming each keeper and file that is not back.
        """
        self._check_open()

        def missing(table: Table) -> list[str]:
            self._check_open()
            return not_recovered(table, self._standing(), self._options.replicas)

        return wait_until(self._recorder, missing, check_positive("timeout_s", timeout_s))

    # -- the books ----------------------------------------------------------------------------

    def _standing(self) -> Standing:
        """Return what is wrong at the moment."""
        states = self._nodes.states()
        keepers = tuple(name for name, state in states.items() if state is not NodeState.DECOMMISSIONED)
        dead = [name for name in keepers if states[name] is NodeState.KILLED]
        if self._nodes.master_state is NodeState.KILLED:
            dead.append(MASTER)
        nodes = (*self._clients, *keepers, MASTER)
        links = [(node, "") for node in nodes if self._network.link(node) != self._first_link(node)]
        return Standing(
            keepers=keepers,
            dead=tuple(dead),
            paused=tuple(name for name in keepers if states[name] is NodeState.PAUSED),
            muted=tuple(name for name in keepers if self._network.is_muted(name)),
            full=self._nodes.full_disks(),
            lossy=tuple(name for name in keepers if self._network.link(name).loss == 1),
            corrupt=self._corrupt_keepers(),
            cuts=tuple(self._cuts),
            links=(*links, *self._pairs),
        )

    def _first_link(self, node: str) -> Link:
        """Return the link that a node had at the start."""
        return Link() if node == MASTER or node in self._clients else self.setup.link

    def _corrupt_keepers(self) -> tuple[str, ...]:
        """Return who has a damaged replica that matters: its file is there, and short of good copies."""
        table, replicas = self._recorder.table(), self._options.replicas
        with self._nodes.held():
            self._damages = [damage for damage in self._damages if damage.matters(table, replicas)]
            return tuple(dict.fromkeys(damage.keeper for damage in self._damages))
