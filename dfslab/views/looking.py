"""Everything that can be seen of a trace, live or saved: what `Cluster` and `dfslab.replay` have in common."""

from __future__ import annotations

import pandas as pd

from dfslab.core.history import Table
from dfslab.core.options import check_moment
from dfslab.views import tables
from dfslab.views.plots import Plots
from dfslab.views.source import Source


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
        """Return one row a keeper; see `dfslab.views.tables.keepers`."""
        return tables.keepers(self._table(at))

    def files(self, at: float | None = None) -> pd.DataFrame:
        """Return one row a file; see `dfslab.views.tables.files`."""
        return tables.files(self._table(at), self.source.setup.options.replicas)

    def events(self) -> pd.DataFrame:
        """Return the trace, one row an event; see `dfslab.views.tables.events`."""
        return tables.events(self.source.events())

    def transfers(self) -> pd.DataFrame:
        """Return one row an upload, download or copy; see `dfslab.views.tables.transfers`."""
        return tables.transfers(self.source.events())

    @property
    def plot(self) -> Plots:
        """The pictures."""
        return Plots(self.source)

    def _table(self, at: float | None) -> Table:
        return self.source.table(None if at is None else self.moment("at", at))

    def moment(self, option: str, time_s: float) -> float:
        """Return a time within the trace, or raise InvalidOption."""
        return check_moment(option, time_s, self.source.now())
