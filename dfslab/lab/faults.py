"""What one may do to the nodes: kill, restart, pause, resume, add, decommission, and the master's own death."""

from __future__ import annotations

from dfslab.core.history import Table
from dfslab.lab.running import Running
from dfslab.lab.waits import wait_until


class Faults(Running):
    """The faults; `Nodes` does the work."""

    def kill(self, keeper: str | int) -> str:
        """Crash a keeper: its links are cut, then its threads end; it says nothing to anybody. Return its name.

        Raises UnknownKeeper, or WrongState when it is dead already.
        """
        self._check_open()
        return self._nodes.kill(keeper)

    def restart(self, keeper: str | int, wipe: bool = False) -> str:
        """Start a killed keeper again with its name, ports and disk (`wipe`: an empty one). Return its name."""
        self._check_open()
        return self._nodes.restart(keeper, wipe=wipe)

    def pause(self, keeper: str | int) -> str:
        """Freeze a keeper, as SIGSTOP would: connections stay open, nothing is answered. Return its name."""
        self._check_open()
        return self._nodes.pause(keeper)

    def resume(self, keeper: str | int) -> str:
        """Let a paused keeper go on; if it was declared dead meanwhile, it registers anew. Return its name."""
        self._check_open()
        return self._nodes.resume(keeper)

    def add_keeper(self) -> str:
        """Start one more keeper and return its name once it is registered."""
        self._check_open()
        name = self._nodes.add()
        self._nodes.note("add", name)
        return name

    def decommission(self, keeper: str | int, timeout_s: float = 60.0) -> str:
        """Empty a keeper and stop it: its files are copied elsewhere first, then it leaves the table. Return its name.

        Raises
        ------
        NotEnoughKeepers
            The others could not hold every file; nothing was changed.
        WaitTimedOut
            It is still being emptied, and goes on; call again to wait longer.
        """
        self._check_open()
        name = self._nodes.name_of(keeper)
        self._nodes.running(name, "be decommissioned")
        if _not_yet_drained(self._recorder.table(), name):
            self._client.decommission(name)

        def missing(table: Table) -> list[str]:
            self._check_open()
            return _not_yet_drained(table, name)

        wait_until(self._recorder, missing, timeout_s)
        self._nodes.retire(name)
        return name

    def kill_master(self) -> None:
        """Crash the master tracker. Keepers go on and keep trying to reach it."""
        self._check_open()
        self._nodes.kill_master()

    def restart_master(self, timeout_s: float = 10.0) -> None:
        """Start the master again on its port and catalog; return when the running keepers have registered with it.

        Raises WaitTimedOut when one of them has not within `timeout_s`; the master runs all the same.
        """
        self._check_open()
        self._nodes.restart_master()
        for name in self._running_keepers():
            self._nodes.running(name, "register").beat_now()
        wait_until(self._recorder, self._not_registered, timeout_s)

    def _not_registered(self, table: Table) -> list[str]:
        rows = table.keepers
        return [
            f"{name} has not registered"
            for name in self._running_keepers()
            if name not in rows or not rows[name].is_alive
        ]


def _not_yet_drained(table: Table, name: str) -> list[str]:
    row = table.keepers.get(name)
    if row is not None and row.state == "decommissioned":
        return []
    left = sum(1 for rows in table.replicas.values() if name in rows)
    return [f"{name} is {row.state if row else 'unknown'} and holds {left} replicas"]
