"""What is on its way between nodes at the moment that a trace ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dfslab.core.trace import TraceEvent
from dfslab.views.downloads import fold_downloads
from dfslab.views.transfers import fold_transfers


@dataclass(frozen=True)
class UnderWay:
    """File bytes on their way from one node to another.

    Attributes
    ----------
    kind : str
        "upload", "download" or "copy".
    source, target, file_name : str
    done_bytes, total_bytes : int
        How many have arrived, of how many; a download has one such a holder, of the same total.
    """

    kind: str
    source: str
    target: str
    file_name: str
    done_bytes: int
    total_bytes: int


def fold_under_way(events: Iterable[TraceEvent]) -> list[UnderWay]:
    """Return the transfers that have begun and not ended, in the order in which they began, downloads last."""
    events = list(events)
    found = [
        UnderWay(row.kind, row.source, row.target, row.file_name, row.done_bytes, row.bytes)
        for row in fold_transfers(events)
        if row.state == "running" and row.kind != "download" and row.target
    ]
    for story in fold_downloads(events):
        if story.state == "running":
            for holder in story.holders:
                served = sum(one.bytes for one in story.requests if one.keeper == holder and one.outcome == "ok")
                found.append(UnderWay("download", holder, story.client, story.file_name, served, story.size))
    return found
