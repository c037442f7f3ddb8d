"""Steering time: act now instead of at the next beat, and wait on conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dfslab.core.checks import check_count, check_flag, check_timeout
from dfslab.core.errors import WaitTimedOut, WrongState
from dfslab.core.history import Table
from dfslab.core.model import CheckedReplica
from dfslab.core.nodes import MASTER
from dfslab.core.recovery import above_replicas, short_of_replicas
from dfslab.lab.nodes import NodeState
from dfslab.lab.running import Running
from dfslab.lab.waits import wait_until
from dfslab.runtime.gate import NodeDown

if TYPE_CHECKING:
    import pandas as pd

SCRUB_ROOM_S = 30.0
"""How long a scrub may take beyond three times what its bytes take at its rate."""
HEARTBEAT_ROOM_S = 5.0
"""How long a heartbeat may take beyond its own timeouts: it is held up by a pause only."""


class Steering(Running):
    """Heartbeats and scans at will, and the waits."""

    def heartbeat_now(self, keeper: str | int) -> None:
        """Have a running keeper send a heartbeat at once; return when the master has heard it, or does not answer.

        Raises
        ------
        UnknownKeeper
        WrongState
            It does not run, or was killed meanwhile.
        WaitTimedOut
            It was paused meanwhile.
        """
        self._check_open()
        name = self._nodes.name_of(keeper)
        limit_s = HEARTBEAT_ROOM_S + 2 * self._options.heartbeat_timeout_s
        try:
            self._nodes.running(name, "send a heartbeat").beat_now().result(limit_s)
        except NodeDown:
            self._check_open()
            raise WrongState(node=name, state="dead", advice="it was killed in the middle of its heartbeat") from None
        except TimeoutError:
            raise WaitTimedOut(waited_s=limit_s, missing=[f"{name} has not sent a heartbeat"]) from None

    def scan_now(self, dry_run: bool = False) -> pd.DataFrame:
        """Run the replication scan at once, or with `dry_run` only say what it would do.

        Returns
        -------
        DataFrame
            One row an action: `action` ("copy" or "drop"), `file_name`, `version`, `source`,
            `target`, `reason` (all string).
        """
        self._check_open()
        check_flag("dry_run", dry_run)
        from dfslab.views import tables

        return tables.planned_actions(self._client.scan(dry_run=dry_run))

    def scrub_now(self, keeper: str | int, timeout_s: float | None = None) -> pd.DataFrame:
        """Have a running keeper read all its replicas again at once, at its scrubber's rate; return what it found.

        The keeper tells the master of each bad one, which is replaced from a good copy before it is deleted.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        timeout_s : float, optional
            How long to wait at most, seconds; by default three times what its bytes take, and 30 s more.

        Returns
        -------
        DataFrame
            One row a replica: `keeper`, `file_name`, `version` (string), `size_bytes` (int64), `problem`
            (string): what is wrong with it, empty for a good one.

        Raises
        ------
        UnknownKeeper
        NotReady
            It is not registered with the master at the moment.
        WrongState
            It does not run, or was killed meanwhile.
        WaitTimedOut
        """
        self._check_open()
        name = self._nodes.name_of(keeper)
        limit_s = self._usual_scrub_s(name) if timeout_s is None else check_timeout("timeout_s", timeout_s)
        try:
            checked = self._nodes.running(name, "read its replicas again").scrub_now().result(limit_s)
        except NodeDown:
            self._check_open()
            raise WrongState(node=name, state="dead", advice="it was killed in the middle of its scrub") from None
        except TimeoutError:
            raise WaitTimedOut(waited_s=limit_s, missing=[f"{name} has not read all its replicas again"]) from None
        from dfslab.views import tables

        return tables.checked_replicas(name, [CheckedReplica(**one) for one in checked], self._recorder.table())

    def _usual_scrub_s(self, keeper: str) -> float:
        table = self._recorder.table()
        held = [version for version, rows in table.replicas.items() if keeper in rows and version in table.files]
        size = sum(table.files[version].size for version in held)
        return SCRUB_ROOM_S + 3 * size / 1e6 / self._options.scrub_rate_mb_s

    def wait_for_replicas(
        self, name: str | None = None, count: int | None = None, timeout_s: float = 30.0, *, exactly: bool = False
    ) -> float:
        """Wait until a file, or every file, has `count` live copies; return the seconds it took.

        A copy on a keeper that was killed or paused does not count, also while the master has not
        noticed yet.

        Parameters
        ----------
        name : str, optional
            By default all files.
        count : int, optional
            By default the cluster's `replicas`.
        timeout_s : float
            How long to wait at most, seconds.
        exactly : bool
            Wait also until what is more than that has been trimmed: no row of the lookup table is left over.

        Raises
        ------
        InvalidOption
            `count` or `timeout_s` is out of its range.
        NoSuchFile
            There is no file of that name.
        WaitTimedOut
            Naming each file that is short, and where its copies are.
        """
        self._check_open()
        check_timeout("timeout_s", timeout_s)
        check_flag("exactly", exactly)
        wanted = self._options.replicas if count is None else check_count("count", count)
        if name is not None:
            self._client.stat(name)

        def missing(table: Table) -> list[str]:
            self._check_open()
            short = short_of_replicas(table, self._running_keepers(), name, wanted)
            return short or (above_replicas(table, name, wanted) if exactly else [])

        return wait_until(self._recorder, missing, timeout_s)

    def wait_for_dead(self, keeper: str | int, timeout_s: float | None = None) -> float:
        """Wait until the master has declared a keeper dead; return the seconds it took.

        Parameters
        ----------
        keeper : str or int
            Its name or its number. Nobody declares the master dead: with "master", wait until it is.
        timeout_s : float, optional
            How long to wait at most, seconds; by default 10 s more than the heartbeat timeout.

        Raises
        ------
        UnknownKeeper
        WaitTimedOut
            Naming what the master has it as.
        """
        if keeper == MASTER:
            return self._wait_for_dead_master(timeout_s)
        return self._wait_for_liveness(keeper, timeout_s, alive=False)

    def wait_for_alive(self, keeper: str | int, timeout_s: float | None = None) -> float:
        """Wait until the master counts a keeper as alive; return the seconds it took.

        The parameters and errors are those of `wait_for_dead`.
        """
        return self._wait_for_liveness(keeper, timeout_s, alive=True)

    def _wait_for_liveness(self, keeper: str | int, timeout_s: float | None, *, alive: bool) -> float:
        self._check_open()
        name = self._nodes.name_of(keeper)
        limit_s = self._liveness_limit_s(timeout_s)

        def missing(table: Table) -> list[str]:
            self._check_open()
            self._nodes.states()  # so that a node that a failpoint has struck is in the trace before its death is
            if table.is_alive(name) == alive:
                return []
            row = table.keepers.get(name)
            return [f"the master has {name} as {row.state if row else 'unknown'}"]

        return wait_until(self._recorder, missing, limit_s)

    def _wait_for_dead_master(self, timeout_s: float | None) -> float:
        def missing(table: Table) -> list[str]:
            self._check_open()
            state = self._nodes.master_state
            return [] if state is NodeState.KILLED else [f"the master is {state}"]

        return wait_until(self._recorder, missing, self._liveness_limit_s(timeout_s))

    def _liveness_limit_s(self, timeout_s: float | None) -> float:
        usual_s = self._options.heartbeat_timeout_s + 10.0
        return usual_s if timeout_s is None else check_timeout("timeout_s", timeout_s)
