"""How a cluster looks: its tables, its pictures, its representations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dfslab.lab.nodes import NodeState
from dfslab.lab.running import Running

if TYPE_CHECKING:
    import pandas as pd

    from dfslab.views.dashboard import Dashboard
    from dfslab.views.explanation import Explanation
    from dfslab.views.exports import Events
    from dfslab.views.looking import Looking
    from dfslab.views.plots import Plots
    from dfslab.views.story import Story


class Looks(Running):
    """The views of a cluster; `dfslab.views` makes them, and is imported when the first is asked for."""

    _dashboard: Dashboard | None = None

    def lookup_table(self, at: float | None = None) -> pd.DataFrame:
        """Return the lookup table, one row a replica; see `dfslab.views.tables.lookup_table` for its columns.

        `at` asks for a past moment, in seconds since the cluster started.
        """
        return self._looking().lookup_table(at)

    def keepers(self, at: float | None = None) -> pd.DataFrame:
        """Return one row a keeper, now or `at` seconds after the start; see `dfslab.views.tables.keepers`."""
        return self._looking().keepers(at)

    def files(self, at: float | None = None) -> pd.DataFrame:
        """Return one row a file, now or `at` seconds after the start; see `dfslab.views.tables.files`."""
        return self._looking().files(at)

    def events(self, at: float | None = None) -> pd.DataFrame:
        """Return the trace, one row an event, up to now or to `at` seconds; see `dfslab.views.tables.events`."""
        return self._looking().events(at)

    def transfers(self, at: float | None = None) -> pd.DataFrame:
        """Return one row an upload, download or copy, as of `at` seconds; see `dfslab.views.tables.transfers`."""
        return self._looking().transfers(at)

    @property
    def trace(self) -> Events:
        """The events themselves: a sequence, with `.to_pandas()`, `.to_jsonl(path)` and `.to_perfetto(path)`."""
        return self._looking().trace

    def compare(self, machine_mb_s: float | None = None) -> pd.DataFrame:
        """Return what took how long, predicted and observed; see `dfslab.views.compare.compare` for its columns.

        `machine_mb_s` is the rate in MB/s (10^6 bytes) of a node whose link sets no limit; without it,
        transfers over such links are not predicted. Raises InvalidOption when it is no number above 0.
        """
        return self._looking().compare(machine_mb_s)

    def diff(self, t1: float, t2: float | None = None) -> pd.DataFrame:
        """Return what changed from `t1` to `t2` seconds (by default now); see `dfslab.views.diff.diff` for its columns.

        Raises InvalidOption, naming the one that is not within the trace, or `t2` when it is before `t1`.
        """
        return self._looking().diff(t1, t2)

    def explain(self, keeper: str | int, file_name: str, at: float | None = None) -> Explanation:
        """Return why a keeper holds a copy of a file or does not, now or `at` seconds: the chain of causes.

        Its `.answer` is one sentence, its `.steps` the events that led to it, oldest first.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        file_name : str
            A file that is or was there.
        at : float, optional
            A past moment, seconds since the cluster started.

        Raises
        ------
        UnknownKeeper, NoSuchFile
            The trace tells of no such keeper, or of no such file, present or past.
        InvalidOption
            `at` is not within the trace.
        """
        return self._looking().explain(keeper, file_name, at)

    def story(self, file_name: str | None = None, since_s: float = 0.0) -> Story:
        """Return what happened to a file and to the nodes meanwhile, or to everything, in sentences.

        It prints as text and shows as a table in a notebook; its `.steps` are the events, oldest first.

        Parameters
        ----------
        file_name : str, optional
            A file that is or was there; by default all of them.
        since_s : float
            Only from this moment on, seconds since the cluster started (`now_s`).

        Raises
        ------
        NoSuchFile
            The trace tells of no such file, present or past.
        InvalidOption
            `since_s` is not within the trace.
        """
        return self._looking().story(file_name, since_s)

    @property
    def plot(self) -> Plots:
        """The pictures, from `plot.lookup_table()` to `plot.topology()`; docs/gallery.md shows them all."""
        return self._looking().plot

    def dashboard(self) -> Dashboard:
        """Return the live dashboard: the cell's last line shows it.

        It shows topology, lookup table, copies, throughput, transfers and events as they are, or as
        they were at the moment that its slider is at, and has a button for everything that may be done
        to the cluster, each of which shows the line of Python that it ran. It goes on while cells run.
        A second call replaces the first dashboard, and `close()` ends it.

        Returns
        -------
        Dashboard
            A widget. `refresh()` updates it where the page does not hear of updates by itself (Colab);
            `snapshot()` is a picture of it for a saved notebook.
        """
        from dfslab.lab.controls import ClusterControls
        from dfslab.views.dashboard import Dashboard

        with self._close_lock:
            source = self._looking().source
            if self._dashboard is not None:
                self._dashboard.replace()
            self._dashboard = Dashboard(source, ClusterControls(self))  # type: ignore[arg-type]  # a part of Cluster
            return self._dashboard

    def close(self) -> None:
        """Close the cluster, and leave a dashboard that says so."""
        super().close()
        if self._dashboard is not None:
            self._dashboard.end(f"This cluster is closed: dfslab.cluster.start(name={self.name!r}) makes a new one.")

    def _looking(self) -> Looking:
        self._check_open()
        from dfslab.views.looking import Looking
        from dfslab.views.source import Source

        recorder = self._recorder
        return Looking(
            Source(recorder.events, recorder.table, self._clock.now, self.setup, recorder.since, recorder.begin_s)
        )

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
