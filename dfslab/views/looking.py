"""Everything that can be seen of a trace, live or saved: what `Cluster` and `dfslab.replay` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dfslab.core.errors import InvalidOption
from dfslab.core.fault_periods import fault_periods, lasting_by_node, state_of
from dfslab.core.history import Table
from dfslab.views import tables
from dfslab.views.diff import diff
from dfslab.views.explain import explain
from dfslab.views.explanation import Explanation
from dfslab.views.exports import Events
from dfslab.views.plots import Plots
from dfslab.views.source import Source
from dfslab.views.story import Story, story

if TYPE_CHECKING:
    from dfslab.views.dashboard import Dashboard


class Looking:
    """The tables and pictures of one trace.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    def lookup_table(self, at: float | None = None) -> pd.DataFrame:
        """Return the lookup table, one row a replica; see `dfslab.views.tables.lookup_table` for its columns.

        `at` asks for a past moment, in seconds since the cluster started.
        """
        return tables.lookup_table(self._table(at))

    def keepers(self, at: float | None = None) -> pd.DataFrame:
        """Return one row a keeper, now or `at` seconds after the start; see `dfslab.views.tables.keepers`."""
        return tables.keepers(self._table(at))

    def files(self, at: float | None = None) -> pd.DataFrame:
        """Return one row a file, now or `at` seconds after the start; see `dfslab.views.tables.files`."""
        return tables.files(self._table(at), self.source.setup.options.replicas)

    def events(self, at: float | None = None) -> pd.DataFrame:
        """Return the trace, one row an event, up to now or to `at` seconds; see `dfslab.views.tables.events`."""
        return tables.events(self._source(at).events())

    def transfers(self, at: float | None = None) -> pd.DataFrame:
        """Return one row an upload, download or copy, as of `at` seconds; see `dfslab.views.tables.transfers`."""
        return tables.transfers(self._source(at).events())

    @property
    def trace(self) -> Events:
        """The events themselves: a sequence, with `.to_pandas()`, `.to_jsonl(path)` and `.to_perfetto(path)`."""
        return Events(self.source)

    def diff(self, t1: float, t2: float | None = None) -> pd.DataFrame:
        """Return what changed between two moments, one row a change; see `dfslab.views.diff.diff` for its columns.

        Parameters
        ----------
        t1, t2 : float
            Moments, seconds since the cluster started; `t2` is now, unless it is given.

        Raises
        ------
        InvalidOption
            Naming the one that is not within the trace, or `t2` when it is before `t1`.
        """
        later = self.source.now() if t2 is None else self.moment("t2", t2)
        if self.moment("t1", t1) > later:
            raise InvalidOption(option="t2", value=repr(t2), reason=f"it is before t1={t1!r}")
        return diff(self.source.table(t1), self.source.table(None if t2 is None else t2))

    def explain(self, keeper: str | int, file_name: str, at: float | None = None) -> Explanation:
        """Return why a keeper holds a copy of a file or does not, now or at a past moment: the chain of causes.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        file_name : str
            A file that is or was there.
        at : float, optional
            A past moment, seconds since the cluster started.

        Returns
        -------
        Explanation
            `.answer` is one sentence, `.steps` the events that led to it, oldest first (`time_s`, `event`,
            `sentence`); it prints as text and shows as a table in a notebook.

        Raises
        ------
        UnknownKeeper, NoSuchFile
            The trace tells of no such keeper, or of no such file, present or past.
        InvalidOption
            `at` is not within the trace.
        """
        return explain(self._source(at), keeper, file_name)

    def story(self, file_name: str | None = None, since_s: float = 0.0) -> Story:
        """Return what happened to a file and to the nodes meanwhile, or to everything, in sentences.

        Parameters
        ----------
        file_name : str, optional
            A file that is or was there; by default all of them.
        since_s : float
            Only from this moment on, seconds since the cluster started.

        Returns
        -------
        Story
            `.steps` are its events, oldest first (`time_s`, `event`, `sentence`); it prints as text and
            shows as a table in a notebook.

        Raises
        ------
        NoSuchFile
            The trace tells of no such file, present or past.
        InvalidOption
            `since_s` is not within the trace.
        """
        return story(self.source, file_name, self.moment("since_s", since_s))

    def node_states(self, at: float | None = None) -> dict[str, str]:
        """Return what the laboratory had done to each keeper: "running", "paused", "dead" or "decommissioned"."""
        source = self._source(at)
        lasting = lasting_by_node(fault_periods(source.events()))
        return {
            keeper: state_of((fault.what for fault in lasting.get(keeper, ())), row.state)
            for keeper, row in source.table().keepers.items()
        }

    def compare(self, machine_mb_s: float | None = None) -> pd.DataFrame:
        """Return what took how long, predicted and observed; see `dfslab.views.compare.compare` for its columns.

        `machine_mb_s` is the rate of a node whose link sets no limit; without it, transfers over such
        links are not predicted.
        """
        from dfslab.views.compare import compare

        return compare(*self.source.history(), self.source.setup, machine_mb_s)

    @property
    def plot(self) -> Plots:
        """The pictures."""
        return Plots(self.source)

    def _source(self, at: float | None) -> Source:
        return self.source if at is None else self.source.at(self.moment("at", at))

    def dashboard(self) -> Dashboard:
        """Return the views and the time slider as a widget; a saved trace has nothing to act on."""
        from dfslab.views.dashboard import Dashboard  # ipywidgets, when it is asked for

        return Dashboard(self.source)

    def _table(self, at: float | None) -> Table:
        return self.source.table(None if at is None else self.moment("at", at))

    def moment(self, option: str, time_s: float) -> float:
        """Return a time within the trace, or raise InvalidOption."""
        return self.source.moment(option, time_s)
