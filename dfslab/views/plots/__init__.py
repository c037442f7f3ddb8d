"""The pictures, one file each; `Plots` draws them for a running cluster or a saved trace."""

from __future__ import annotations

from matplotlib.axes import Axes

from dfslab.views.plots.copies_made import draw_copies
from dfslab.views.plots.download_chunks import draw_download_chunks
from dfslab.views.plots.download_throughput import draw_download_throughput
from dfslab.views.plots.heartbeats import draw_heartbeats
from dfslab.views.plots.lookup_table import draw_lookup_table
from dfslab.views.plots.replication_timeline import draw_replication_timeline
from dfslab.views.plots.sequence import draw_sequence
from dfslab.views.plots.storage_balance import draw_storage_balance
from dfslab.views.plots.throughput import draw_throughput
from dfslab.views.plots.topology import draw_topology
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

    def replication_timeline(self, ax: Axes | None = None, name: str | None = None, predict: bool = False) -> Axes:
        """Draw how many live copies each file had over time, beside what was done to the nodes.

        Up to eight files get a line each, drawn slightly apart; of more, the fewest, the median and
        the most are shown. Copies are counted as the master knew them.

        Parameters
        ----------
        ax : Axes, optional
        name : str, optional
            Only this file.
        predict : bool
            Shade below the data when each keeper that fell silent was to be declared dead and, where
            links set a rate, when its files were to be whole again (`dfslab.predict.detection_s`,
            `recovery_s`), with a mark at the typical moment.

        Raises
        ------
        NoSuchFile
            The trace never had a file of that name.
        """
        base, events = self._source.history()
        return draw_replication_timeline(
            base, events, self._source.setup, self._source.now(), ax, name, predict=predict
        )

    def copies(self, ax: Axes | None = None, name: str | None = None) -> Axes:
        """Draw the copies that were made between keepers, as bars from order to arrival.

        Up to 24 copies have a lane each, named by source and target; of more, each target has one.

        Parameters
        ----------
        ax : Axes, optional
        name : str, optional
            Only copies of this file.

        Raises
        ------
        NoSuchFile
            The trace never had a file of that name.
        """
        base, events = self._source.history()
        return draw_copies(base, events, self._source.now(), ax, name)

    def download_chunks(self, ax: Axes | None = None, download: str | int | None = None) -> Axes:
        """Draw a download chunk by chunk: a lane a keeper, a bar a request, and the rate so far above them.

        The rate is what had arrived by a moment over the time since the download was asked for. Where
        links are limited, its ceiling is what all its holders' links carry together, or the client's
        if that is less (the bound of a flow network with one source a holder and one sink).

        Parameters
        ----------
        ax : Axes, optional
        download : str or int, optional
            The id of the transfer, or its number among the downloads of the trace, from 0; the newest
            by default.

        Raises
        ------
        InvalidOption
            The trace has no such download.
        """
        source = self._source
        return draw_download_chunks(source.events(), source.setup, source.now(), ax, download)

    def download_throughput(self, ax: Axes | None = None, name: str | None = None, predict: bool = False) -> Axes:
        """Draw the rate of each finished download over the number of keepers that served it.

        Beside the points: their median for each number, the middle half as a thick bar, and the
        range from slowest to fastest as a thin one.

        Parameters
        ----------
        ax : Axes, optional
        name : str, optional
            Only downloads of this file; others differ in size, and so in rate.
        predict : bool
            Draw what the links in force allow (`dfslab.predict.download_rate_mb_s`), where they set a rate.
        """
        return draw_download_throughput(self._source.events(), self._source.setup, ax, name, predict=predict)

    def heartbeats(self, ax: Axes | None = None, predict: bool = False) -> Axes:
        """Draw the heartbeat raster: a line a keeper, a tick a heartbeat that arrived.

        A heartbeat that should have come and did not is a cross; a keeper that has been silent for 1.5
        intervals is suspected, and from the moment at which the master declared it dead until it
        registers again it is held for dead. Of ticks that are too close to be told apart, one is drawn.

        Parameters
        ----------
        ax : Axes, optional
        predict : bool
            Shade when each keeper that fell silent was to be declared dead (`dfslab.predict.detection_s`),
            with a mark at the typical moment.
        """
        base, events = self._source.history()
        options = self._source.setup.options
        return draw_heartbeats(base, events, options, self._source.now(), ax, predict=predict)

    def storage_balance(self, ax: Axes | None = None) -> Axes:
        """Draw how many bytes each keeper stores, by the state of the replicas, and how even that is.

        The imbalance is what the fullest live keeper stores over the mean of the live ones: 1 is even
        (the "peak-to-average" measure of load balancing).

        Parameters
        ----------
        ax : Axes, optional
        """
        return draw_storage_balance(self._source.table(), self._source.now(), ax)

    def throughput(self, ax: Axes | None = None) -> Axes:
        """Draw how many MB a second (10^6 bytes) all uploads, downloads and copies moved over time.

        Between two signs of progress, a transfer counts as even.

        Parameters
        ----------
        ax : Axes, optional
        """
        return draw_throughput(self._source.events(), self._source.now(), ax)

    def sequence(self, name: str, ax: Axes | None = None, what: str = "upload") -> Axes:
        """Draw the newest upload, download or repair of a file as messages between nodes.

        Time runs down, one row a message; the true times are on the left. Uploads and repairs carry the
        numbers of the protocol's seven steps (see ARCHITECTURE.md); a download counts in letters, with
        all chunks from one keeper as one arrow.

        Parameters
        ----------
        name : str
        ax : Axes, optional
        what : {"upload", "download", "repair"}
            A repair is the newest copies that were ordered at once, with what they were ordered for.

        Raises
        ------
        NoSuchFile
            The trace never had a file of that name.
        InvalidOption
            `what` is something else.
        """
        base, events = self._source.history()
        return draw_sequence(base, events, self._replicas, ax, name, what)

    def topology(self, ax: Axes | None = None, at: float | None = None) -> Axes:
        """Draw who is there: master and client in the middle, keepers around, arrows for transfers under way.

        A keeper's mark is the larger the more it stores. Its state is the master's belief; what the
        laboratory did to it stands beside that, and a bar lies across the way to who is cut off from
        the master. An arrow says how far an upload or a copy is, or how much of a download this holder
        has served.

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
        return draw_topology(source.table(), source.events(), source.now(), ax)

    def _source_at(self, at: float | None) -> Source:
        return self._source if at is None else self._source.at(self._source.moment("at", at))


__all__ = ["Plots"]
