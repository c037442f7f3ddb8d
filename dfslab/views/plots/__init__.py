"""The pictures, one file each; `Plots` draws them for a running cluster or a saved trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes

from dfslab.core.history import Table
from dfslab.core.trace import TraceEvent
from dfslab.views.plots.download_throughput import draw_download_throughput
from dfslab.views.plots.lookup_table import draw_lookup_table
from dfslab.views.plots.replication_timeline import draw_replication_timeline


class Plots:
    """The pictures of one trace, drawn from what it holds at the moment of the call.

    Each method takes Axes to draw on, or makes a figure with pyplot, and returns the Axes. Legends
    are beside the Axes: figures that a caller brings need room there, as with `layout="constrained"`.

    Parameters
    ----------
    events : callable
        Returns the events of the trace, oldest first.
    table : callable
        `table()` returns the table as it is, `table(at)` as it was `at` seconds after the start.
    now : callable
        Returns the seconds since the start.
    replicas : int
        Live copies that every file should have.
    """

    def __init__(
        self,
        events: Callable[[], Sequence[TraceEvent]],
        table: Callable[..., Table],
        now: Callable[[], float],
        replicas: int,
    ) -> None:
        self._events, self._table, self._now, self._replicas = events, table, now, replicas

    def lookup_table(self, ax: Axes | None = None) -> Axes:
        """Draw the lookup table: files down, keepers across, the state of each replica in its cell."""
        return draw_lookup_table(self._table(), self._replicas, self._now(), ax)

    def replication_timeline(self, ax: Axes | None = None, name: str | None = None) -> Axes:
        """Draw how many live copies each file had over time, beside what was done to the nodes.

        Up to eight files get a line each, drawn slightly apart; of more, the fewest, the median and
        the most are shown. Copies are counted as the master knew them.

        Parameters
        ----------
        ax : Axes, optional
        name : str, optional
            Only this file.

        Raises
        ------
        NoSuchFile
            The trace never had a file of that name.
        """
        base, events = self._history()
        return draw_replication_timeline(base, events, self._replicas, self._now(), ax, name)

    def download_throughput(self, ax: Axes | None = None, name: str | None = None) -> Axes:
        """Draw the rate of each finished download over the number of keepers that served it.

        Beside the points: their median for each number, the middle half as a thick bar, and the
        range from slowest to fastest as a thin one.

        Parameters
        ----------
        ax : Axes, optional
        name : str, optional
            Only downloads of this file; others differ in size, and so in rate.
        """
        return draw_download_throughput(self._events(), ax, name)

    def _history(self) -> tuple[Table, Sequence[TraceEvent]]:
        """Return the events and the table before the first of them, also when old events fall out meanwhile."""
        while True:
            events = self._events()
            base = self._table(-math.inf)
            if self._events()[:1] == events[:1]:
                return base, events


__all__ = ["Plots"]
