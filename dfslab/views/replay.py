"""A saved trace, looked at as if its cluster were there."""

from __future__ import annotations

import os
from pathlib import Path

from dfslab.core.checks import check_path
from dfslab.core.errors import TraceUnreadable
from dfslab.core.pretty import count_text
from dfslab.core.saved import SavedTrace, read_trace
from dfslab.views.html import cluster_html
from dfslab.views.looking import Looking
from dfslab.views.source import Source


def replay(path: str | os.PathLike[str], *, partial: bool = False) -> Replay:
    """Read a saved trace and return it with the same tables and pictures as a cluster has.

    Parameters
    ----------
    path : path
        What `cluster.trace.to_jsonl(path)` wrote, or the `trace.jsonl` in a cluster's own root.
    partial : bool
        Read also a file that was cut short, as a cluster's own is after a `kill -9`, as far as it is
        whole.

    Returns
    -------
    Replay

    Raises
    ------
    TraceMissing, TraceForbidden
        There is no such file, or it may not be read.
    TraceUnreadable
        It is no trace, from another version, cut short or damaged; the error names the line and the field.

    Examples
    --------
    >>> import dfslab, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with dfslab.cluster.start(n=3, name="replay-example") as cluster:
    ...     info = cluster.upload(b"some bytes", name="a.bin")
    ...     saved = cluster.trace.to_jsonl(f"{folder.name}/trace.jsonl")
    >>> list(dfslab.replay(saved).files().file_name)
    ['a.bin']
    >>> folder.cleanup()
    """
    path = Path(os.path.expanduser(check_path("path", path)))
    try:
        with path.open("rb") as file:
            return Replay(read_trace(file, str(path), partial=partial), path)
    except TraceUnreadable:
        raise
    except OSError as error:
        raise TraceUnreadable.because(path, error) from None


class Replay(Looking):
    """A saved trace: the tables and pictures of a cluster, and no cluster. Made by `dfslab.replay`.

    Attributes
    ----------
    path : Path
        Where it was read.
    setup : Setup
        The settings of the cluster that left it.
    torn : bool
        True when the file was cut short and read as far as it was whole.
    """

    def __init__(self, saved: SavedTrace, path: Path) -> None:
        self.path, self.setup, self.torn = path, saved.setup, saved.torn
        self._now_s = saved.now_s
        trace = saved.trace
        super().__init__(
            Source(trace.events, trace.table, lambda: saved.now_s, saved.setup, begin=lambda: trace.begin_s)
        )

    @property
    def name(self) -> str:
        """The name of the cluster that left the trace."""
        return self.setup.name

    @property
    def now_s(self) -> float:
        """The time of the last event, seconds since the cluster started."""
        return self._now_s

    def __repr__(self) -> str:
        events, files = len(self.source.events()), len(self.source.table().files)
        cut = ", cut short" if self.torn else ""
        return (
            f"<dfslab replay of cluster {self.name!r}: {events} events over {self.now_s:.1f} s{cut}, "
            f"{count_text(files, 'file')}, from {self.path}>"
        )

    def _repr_html_(self) -> str:
        cut = ", cut short" if self.torn else ""
        where = f"a trace of {self.now_s:.1f} s{cut}, from {self.path}; its end:"
        return cluster_html(self.name, where, self.source.table(), self.node_states(), self.setup.options.replicas)
