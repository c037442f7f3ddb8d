"""What one may do to the nodes: kill, restart, pause, resume, add, decommission, and the master's own death."""

from __future__ import annotations

import contextlib

from dfslab.core.checks import check_flag, check_positive, check_timeout
from dfslab.core.errors import InvalidOption, WrongState
from dfslab.core.history import Table
from dfslab.core.nodes import MASTER
from dfslab.lab.conditions import RECOVERY_TIMEOUT_S, Conditions
from dfslab.lab.nodes import NodeState
from dfslab.lab.undoing import Fault
from dfslab.lab.waits import wait_until
from dfslab.runtime.failpoints import POINTS
from dfslab.runtime.gate import NodeDown

REGISTRATION_TIMEOUT_S = 10.0
"""How long a restarted master is given to have its keepers back, unless it is said otherwise."""


class NodeFaults(Conditions):
    """The faults of whole nodes; `Nodes` does the work."""

    def kill(self, keeper: str | int, *, recovery_timeout_s: float = RECOVERY_TIMEOUT_S) -> Fault:
        """Crash a keeper: its links are cut, then its threads end; it says nothing to anybody.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            Its name; ``with cluster.kill(3): ...`` restarts it on leaving.

        Raises
        ------
        UnknownKeeper
        WrongState
            It is dead already.
        """
        check_positive("recovery_timeout_s", recovery_timeout_s)
        with self._changing():
            name, event = self._nodes.kill(keeper)
        return self._fault(name, event, lambda: self._restart_if_dead(name), recovery_timeout_s)

    def _restart_if_dead(self, name: str) -> None:
        with self._changing():  # so that nobody does it in between
            if self._nodes.states()[name] is NodeState.KILLED:
                self.restart(name)

    def restart(self, keeper: str | int, wipe: bool = False) -> str:
        """Start a killed keeper again with its name, ports and disk; return its name.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        wipe : bool
            Empty its disk first.

        Raises
        ------
        InvalidOption
            `wipe` is neither True nor False.
        UnknownKeeper
        WrongState
            It is not dead.
        """
        check_flag("wipe", wipe)
        with self._changing():
            return self._nodes.restart(keeper, wipe=wipe)[0]

    def pause(self, keeper: str | int, *, recovery_timeout_s: float = RECOVERY_TIMEOUT_S) -> Fault:
        """Freeze a keeper, as SIGSTOP would: connections stay open, nothing is answered.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            Its name; ``with cluster.pause(3): ...`` resumes it on leaving.

        Raises
        ------
        UnknownKeeper
        WrongState
            It is not running.
        """
        check_positive("recovery_timeout_s", recovery_timeout_s)
        with self._changing():
            name, event = self._nodes.pause(keeper)
        return self._fault(name, event, lambda: self._resume_if_paused(name), recovery_timeout_s)

    def _resume_if_paused(self, name: str) -> None:
        with self._changing():
            if self._nodes.states()[name] is NodeState.PAUSED:
                self.resume(name)

    def resume(self, keeper: str | int) -> str:
        """Let a paused keeper go on; if it was declared dead meanwhile, it registers anew. Return its name.

        Raises UnknownKeeper, or WrongState when it is not paused.
        """
        with self._changing():
            return self._nodes.resume(keeper)[0]

    def pid(self, node: str | int) -> int:
        """Return the id of the process that a keeper or the "master" runs in, or ran in before it died.

        With `isolation="process"` each has one of its own; as threads, all are in this one.
        Raises UnknownKeeper.
        """
        self._check_open()
        return self._nodes.node(node).pid

    def fail_at(self, node: str | int, point: str, action: str = "kill", at: int = 1) -> None:
        """Have a node fail at a named point of its work, once: the moments that nobody hits by hand.

        A dead node meets it after its next start. `wait_for_dead("master")` returns when the master has.

        Parameters
        ----------
        node : str or int
            A keeper, by its name or its number, or "master".
        point : str
            "keeper.receiving" (a part of an upload has come), "keeper.before.sync-data", "keeper.sync-data"
            and so on (before and after each step of `dfslab.core.keeper.shelf`), "keeper.before-report" (a
            replica is durable, the master not told yet); "master.before-commit", "master.in-commit",
            "master.after-commit" (the catalog has it, nobody is answered yet).
        action : {"kill", "stop", "EIO", "ENOSPC"}
            SIGKILL, SIGSTOP, or an error of the disk. Threads can meet the errors only.
        at : int
            At which passage, from 1 on.

        Raises
        ------
        InvalidOption
            There is no such point in such a node, or no such action, or not for threads.
        UnknownKeeper
        WrongState
            The keeper is paused, or was decommissioned.
        """
        kind = "master" if node == MASTER else "keeper"
        known = sorted(one for one in POINTS if one.startswith(f"{kind}."))
        if point not in known:
            raise InvalidOption(option="point", value=repr(point), reason=f"a {kind} has {', '.join(known)}")
        with self._changing():
            self._nodes.arm(node, point, action, at)

    def add_keeper(self) -> str:
        """Start one more keeper and return its name once it is registered."""
        with self._changing():
            name = self._nodes.add()
            self._nodes.note("add_keeper", name)
            return name

    def decommission(self, keeper: str | int, timeout_s: float = 60.0) -> str:
        """Empty a keeper and stop it: its files are copied elsewhere first, then it leaves the table. Return its name.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        timeout_s : float
            How long to wait until it is empty, seconds.

        Raises
        ------
        UnknownKeeper
        WrongState
            It is not running.
        NotEnoughKeepers
            The others could not hold every file; nothing was changed.
        WaitTimedOut
            It is still being emptied, and goes on; call again to wait longer.
        """
        self._check_open()
        check_timeout("timeout_s", timeout_s)
        name = self._nodes.name_of(keeper)
        self._nodes.running(name, "be decommissioned")
        if _not_yet_drained(self._recorder.table(), name):
            self._client.decommission(name)

        def missing(table: Table) -> list[str]:
            self._check_open()
            return _not_yet_drained(table, name)

        wait_until(self._recorder, missing, timeout_s)
        with self._changing():
            self._nodes.retire(name)
        return name

    def kill_master(self, *, recovery_timeout_s: float = RECOVERY_TIMEOUT_S) -> Fault:
        """Crash the master tracker. Keepers go on and keep trying to reach it.

        Parameters
        ----------
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            "master"; ``with cluster.kill_master(): ...`` restarts it on leaving.

        Raises
        ------
        WrongState
            It is dead already.
        """
        check_positive("recovery_timeout_s", recovery_timeout_s)
        with self._changing():
            event = self._nodes.kill_master()
        return self._fault(MASTER, event, self._restart_master_if_dead, recovery_timeout_s)

    def _restart_master_if_dead(self) -> None:
        with self._changing():
            if self._nodes.master_state is not NodeState.KILLED:
                return
            self._nodes.restart_master()
        self._wait_for_registrations(REGISTRATION_TIMEOUT_S)

    def restart_master(self, timeout_s: float = REGISTRATION_TIMEOUT_S) -> None:
        """Start the master again on its port and catalog; return when the running keepers have registered with it.

        Those that it can't hear, being cut off or with their heartbeats dropped, are not waited for.

        Parameters
        ----------
        timeout_s : float
            How long to wait for them, seconds.

        Raises
        ------
        WrongState
            The master runs.
        WaitTimedOut
            One of them has not registered; the master runs all the same.
        """
        check_timeout("timeout_s", timeout_s)
        with self._changing():
            self._nodes.restart_master()
        self._wait_for_registrations(timeout_s)

    def _wait_for_registrations(self, timeout_s: float) -> None:
        for name in self._heard_keepers():
            with contextlib.suppress(WrongState, NodeDown):  # killed or paused meanwhile: it is not waited for either
                self._nodes.running(name, "register").beat_now()
        wait_until(self._recorder, self._not_registered, timeout_s)

    def _heard_keepers(self) -> list[str]:
        standing = self._standing()
        return [
            name
            for name in self._running_keepers()
            if name not in standing.muted and not standing.separated(name, MASTER)
        ]

    def _not_registered(self, table: Table) -> list[str]:
        self._check_open()
        return [f"{name} has not registered" for name in self._heard_keepers() if not table.is_alive(name)]


def _not_yet_drained(table: Table, name: str) -> list[str]:
    row = table.keepers.get(name)
    if row is not None and row.state == "decommissioned":
        return []
    left = sum(1 for rows in table.replicas.values() if name in rows)
    return [f"{name} is {row.state if row else 'unknown'} and holds {left} replicas"]
