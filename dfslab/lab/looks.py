"""How a cluster looks: its tables, its pictures, its representations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dfslab.core.errors import InvalidOption
from dfslab.core.history import Table
from dfslab.lab.nodes import NodeState
from dfslab.lab.running import Running

if TYPE_CHECKING:
    import pandas as pd

    from dfslab.views.plots import Plots


class Looks(Running):
    """The views of a cluster; `dfslab.views` makes them, and is imported when the first is asked for."""

    def lookup_table(self, at: float | None = None) -> pd.DataFrame:
        """Return the lookup table, one row a replica; see `dfslab.views.tables.lookup_table` for its columns.

        `at` asks for a past moment, in seconds since the cluster started.
        """
        self._check_open()
        from dfslab.views import tables

        return tables.lookup_table(self._table(at))

    def keepers(self, at: float | None = None) -> pd.DataFrame:
        """Return one row a keeper; see `dfslab.views.tables.keepers`."""
        self._check_open()
        from dfslab.views import tables

        return tables.keepers(self._table(at))

    def files(self) -> pd.DataFrame:
        """Return one row a file; see `dfslab.views.tables.files`."""
        self._check_open()
        from dfslab.views import tables

        return tables.files(self._recorder.table(), self._options.replicas)

    def events(self) -> pd.DataFrame:
        """Return the trace, one row an event; see `dfslab.views.tables.events`."""
        self._check_open()
        from dfslab.views import tables

        return tables.events(self._recorder.events())

    def transfers(self) -> pd.DataFrame:
        """Return one row an upload, download or copy; see `dfslab.views.tables.transfers`."""
        self._check_open()
        from dfslab.views import tables

        return tables.transfers(self._recorder.events())

    def _table(self, at: float | None) -> Table:
        if at is not None and not 0 <= at <= self._clock.now():
            raise InvalidOption(option="at", value=str(at), reason=f"the cluster has run {self._clock.now():.1f} s")
        return self._recorder.table(at)

    @property
    def plot(self) -> Plots:
        """The pictures: `plot.lookup_table()`, `plot.replication_timeline()`, `plot.download_throughput()`."""
        self._check_open()
        from dfslab.views.plots import Plots

        return Plots(self._recorder.events, self._recorder.table, self._clock.now, self._options.replicas)

    def __repr__(self) -> str:
        if self._closed:
            return f"<dfslab cluster {self.name!r}: closed>"
        table, states = self._recorder.table(), self._nodes.states()
        alive = sum(1 for row in table.keepers.values() if row.is_alive)
        master = f"master at {self.address}" if self._nodes.master_state is NodeState.RUNNING else "master dead"
        short = sum(1 for file in table.files if table.live_copies(file) < self._options.replicas)
        health = f", {short} short of {self._options.replicas} copies" if short else ""
        return (
            f"<dfslab cluster {self.name!r}: {master}, {alive} of {len(states)} keepers alive, "
            f"{len(table.files)} files{health}>"
        )

    def _repr_html_(self) -> str:
        from dfslab.views.html import cluster_html

        if self._closed:
            return cluster_html(self.name, "closed", None, {}, self._options.replicas)
        running = self._nodes.master_state is NodeState.RUNNING
        where = f"master tracker at {self.address}" if running else "master tracker dead"
        return cluster_html(self.name, where, self._recorder.table(), self._nodes.states(), self._options.replicas)
