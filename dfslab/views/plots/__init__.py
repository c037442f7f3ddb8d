"""The pictures, one file each; `Plots` draws them for a running cluster or a saved trace."""

from __future__ import annotations

from matplotlib.axes import Axes

from dfslab.views.plots.download_throughput import draw_download_throughput
from dfslab.views.plots.lookup_table import draw_lookup_table
from dfslab.views.plots.replication_timeline import draw_replication_timeline
from dfslab.views.source import Source


class Plots:
    """The pictures of one trace, drawn from what it holds at the moment of the call.

    Each method takes Axes to draw on, or makes a figure with pyplot, and returns the Axes. Legends
    are beside the Axes: figures that a caller brings need room there, as with `layout="constrained"`.

    Parameters
    ----------
    source : Source
        The trace, or what it was at a past moment.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._replicas = source.setup.options.replicas

    def lookup_table(self, ax: Axes | None = None, at: float | None = None) -> Axes:
        """Draw the lookup table: files down, keepers across, the state of each replica in its cell.

        A cell is valid on a live keeper, a copy on its way to the keeper, valid on a keeper that is not
        alive, corrupt, or being dropped.

        Parameters
        ----------
        ax : Axes, optional
        at : float, optional
            A past moment, seconds since the cluster started.

        Raises
        ------
        InvalidOption
            `at` is not within the trace.
        """
        source = self._source_at(at)
        return draw_lookup_table(source.table(), source.events(), self._replicas, source.now(), ax)

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
        base, events = self._source.history()
        return draw_replication_timeline(base, events, self._replicas, self._source.now(), ax, name)

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
        return draw_download_throughput(self._source.events(), ax, name)

    def _source_at(self, at: float | None) -> Source:
        return self._source if at is None else self._source.at(self._source.moment("at", at))


__all__ = ["Plots"]
