"""Downloads chunk by chunk, put together from the lines that each left in the trace."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dfslab.core.blocks import BLOCK_SIZE, split_into_chunks
from dfslab.core.errors import InvalidOption
from dfslab.core.trace import Kind, TraceEvent


@dataclass(frozen=True)
class ChunkRequest:
    """One request for a chunk that has ended.

    `outcome` is "ok", "duplicate" (a hedge that came second), "failed" or "cancelled" (the chunk was
    whole before this copy was); `again` is True when the chunk had been asked for before, and failed.
    """

    keeper: str
    offset: int
    bytes: int
    start_s: float
    end_s: float
    outcome: str
    reason: str
    again: bool = False


@dataclass
class DownloadStory:
    """One download, as far as the trace tells.

    Attributes
    ----------
    transfer : str
        Its id, as in `dfslab.views.tables.transfers`.
    client, file_name : str
    size : int
        Bytes of the file; 0 while it is not known.
    start_s, end_s : float
        When it was asked for, and when it ended; NaN while that is not known.
    state : str
        "running", "done" or "failed".
    holders : list of str
        Keepers that it was to fetch from, in all its tries.
    requests : list of ChunkRequest
        In the order in which they ended.
    """

    transfer: str
    client: str
    file_name: str
    size: int = 0
    start_s: float = math.nan
    end_s: float = math.nan
    state: str = "running"
    holders: list[str] = field(default_factory=list)
    requests: list[ChunkRequest] = field(default_factory=list)

    def numbers(self, block_size: int = BLOCK_SIZE) -> dict[int, int]:
        """Return each chunk's place in the file, from 0, by its offset in bytes."""
        chunks = split_into_chunks(self.size, block_size, max(1, len(self.holders)))
        places = {chunk.offset: chunk.index for chunk in chunks}
        offsets = sorted({request.offset for request in self.requests})
        if all(offset in places for offset in offsets):
            return places
        return {offset: place for place, offset in enumerate(offsets)}  # of several tries, cut in several ways

    def done_bytes(self) -> list[tuple[float, int]]:
        """Return how many bytes had arrived, and when that changed."""
        steps, total = [], 0
        for request in sorted(self.requests, key=lambda request: request.end_s):
            if request.outcome == "ok":
                total += request.bytes
                steps.append((request.end_s, total))
        return steps


def fold_downloads(events: Iterable[TraceEvent]) -> list[DownloadStory]:
    """Return the downloads of a trace in the order in which they were asked for."""
    stories: dict[str, DownloadStory] = {}
    request_of: dict[str, str] = {}  # id of a DOWNLOAD_STARTED -> id of its DOWNLOAD_REQUESTED
    for event in events:
        if event.kind is Kind.DOWNLOAD_REQUESTED:
            stories[event.id] = DownloadStory(event.id, event.node, event.file_name, start_s=event.time_s)
        elif event.kind is Kind.DOWNLOAD_STARTED:
            request_of[event.id] = event.cause
            _start(stories.setdefault(event.cause, DownloadStory(event.cause, event.node, event.file_name)), event)
        elif event.kind in (Kind.CHUNK_FETCHED, Kind.CHUNK_FAILED) and event.cause in request_of:
            stories[request_of[event.cause]].requests.append(_request(event))
        elif event.kind in (Kind.DOWNLOAD_DONE, Kind.DOWNLOAD_FAILED) and event.cause in stories:
            story = stories[event.cause]
            story.state = "done" if event.kind is Kind.DOWNLOAD_DONE else "failed"
            story.end_s, story.size = event.time_s, event.bytes or story.size
    for story in stories.values():
        story.requests = _marked(story.requests)
    return list(stories.values())


def choose(stories: Sequence[DownloadStory], download: str | int | None) -> DownloadStory:
    """Return a download by its id or its place in the list, the newest by default.

    Raises
    ------
    InvalidOption
        There is none such, or none at all.
    """
    if isinstance(download, str):
        found = [story for story in stories if story.transfer == download]
        if found:
            return found[0]
        raise _refused(download, "the trace has no download of that id; transfers() lists them")
    index = -1 if download is None else download
    if isinstance(index, bool) or not isinstance(index, int):
        raise _refused(download, "it is the id of a download, or its number")
    if not -len(stories) <= index < len(stories):
        raise _refused(download, f"the trace has {len(stories)} downloads; the first is 0, the newest -1")
    return stories[index]


def _refused(download: object, reason: str) -> InvalidOption:
    return InvalidOption(option="download", value=repr(download), reason=reason)


def _start(story: DownloadStory, event: TraceEvent) -> None:
    story.size = event.bytes
    story.holders += [keeper for keeper in event.detail["holders"] if keeper not in story.holders]


def _request(event: TraceEvent) -> ChunkRequest:
    detail = event.detail
    times = detail["start_s"], detail["end_s"]
    return ChunkRequest(event.peer, detail["offset"], event.bytes, *times, detail["outcome"], detail.get("reason", ""))


def _marked(requests: Sequence[ChunkRequest]) -> list[ChunkRequest]:
    """Mark the requests for chunks that had failed before."""
    failed: dict[int, float] = {}
    for request in requests:
        if request.outcome == "failed":
            failed[request.offset] = min(request.end_s, failed.get(request.offset, math.inf))
    return [replace(one, again=one.start_s >= failed.get(one.offset, math.inf)) for one in requests]
