"""One upload, download or repair as the messages that went between nodes, each a line of the trace or two.

The numbers are the seven steps of an upload (see ARCHITECTURE.md); a download, which has none of its
own there, counts in letters.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dfslab.core.errors import InvalidOption
from dfslab.core.fault_periods import fault_periods
from dfslab.core.nodes import MASTER, short_name
from dfslab.core.pretty import count_text, size_text
from dfslab.core.trace import NAMING, Kind, TraceEvent
from dfslab.views.downloads import DownloadStory, fold_downloads
from dfslab.views.faults import done_to
from dfslab.views.snapshot import in_natural_order

MOST_MESSAGES = 60
MOST_FAILURES = 6


class Wire(enum.Enum):
    """How something goes from one node to another."""

    CONTROL = "control message (gRPC)"
    DATA = "file bytes (TCP)"
    FAILED = "failed (✗)"
    NOTE = "what happens on a node"


@dataclass(frozen=True)
class Message:
    """One arrow of a sequence diagram, or a note on a node where `source` is `target`."""

    time_s: float
    source: str
    target: str
    words: str
    step: str = ""
    wire: Wire = Wire.CONTROL


def messages_of(events: Sequence[TraceEvent], name: str, what: str, replicas: int) -> list[Message]:
    """Return the newest upload, download or repair of a file, by time; empty when there was none.

    Raises
    ------
    InvalidOption
        `what` is something else.
    """
    if what not in _TELLERS:
        choices = ", ".join(map(repr, _TELLERS))
        raise InvalidOption(option="what", value=repr(what), reason=f"it is one of {choices}")
    told = list(_TELLERS[what](events, _names(events, name), replicas))
    return sorted(told, key=lambda message: message.time_s)[:MOST_MESSAGES]


def _names(events: Iterable[TraceEvent], name: str) -> dict[str, None]:
    """Return the names that a file has had, from its latest back."""
    names = {name: None}
    for event in reversed([event for event in events if event.kind is Kind.FILE_RENAMED]):
        if event.file_name in names:
            names[event.detail["old"]] = None
    return names


# -- uploads ------------------------------------------------------------------------------------


def _upload(events: Sequence[TraceEvent], names: Mapping[str, None], replicas: int) -> Iterator[Message]:
    """Tell an upload until it is acknowledged and first has all its replicas, or one of them is lost."""
    upload = _newest_upload(events, names)
    versions: dict[str, None] = {}
    holders: dict[str, None] = {}
    acknowledged = upload == ""
    for event in events:
        if event.kind is Kind.KEEPER_DEAD and event.peer in holders:
            return
        if _upload_id(event) == upload:
            versions[event.detail.get("for_version") or event.version] = None
            yield from _of_upload(event)
            acknowledged = acknowledged or event.kind in (Kind.UPLOAD_ACKNOWLEDGED, Kind.UPLOAD_FAILED)
        elif event.version in versions and event.version:
            yield from _of_copy(event)
            if event.kind is Kind.REPLICA_RECORDED:
                holders[event.peer] = None
        if acknowledged and len(holders) >= replicas:
            return


def _newest_upload(events: Sequence[TraceEvent], names: Mapping[str, None]) -> str:
    for event in reversed(events):
        if event.kind is Kind.UPLOAD_REQUESTED and event.file_name in names:
            return str(event.detail["transfer"])
        if event.kind is Kind.SLOT_GRANTED and event.detail["name"] in names:
            return str(event.detail["upload"])
    return ""


def _upload_id(event: TraceEvent) -> str | None:
    if event.kind in _OF_UPLOADS:
        return str(event.detail.get("transfer") or event.detail.get("upload"))
    return None


_OF_UPLOADS = frozenset(
    {
        Kind.UPLOAD_REQUESTED,
        Kind.SLOT_GRANTED,
        Kind.UPLOAD_STARTED,
        Kind.UPLOAD_RETRIED,
        Kind.UPLOAD_ACKNOWLEDGED,
        Kind.UPLOAD_FAILED,
    }
)


def _of_upload(event: TraceEvent) -> Iterator[Message]:
    at, size = event.time_s, size_text(event.bytes)
    if event.kind is Kind.UPLOAD_REQUESTED:
        yield Message(at, event.node, MASTER, f"a slot for {size}?", "1")
    elif event.kind is Kind.SLOT_GRANTED:
        yield Message(at, MASTER, event.peer, f"send it to {event.detail['keeper']}", "2")
    elif event.kind is Kind.UPLOAD_STARTED:
        yield Message(at, event.node, event.peer, size, "3", Wire.DATA)
    elif event.kind is Kind.UPLOAD_RETRIED:
        yield Message(at, event.peer, event.node, f"✗ {event.detail['reason']}", "", Wire.FAILED)
    elif event.kind is Kind.UPLOAD_ACKNOWLEDGED:
        yield Message(at, MASTER, event.peer, "success", "6")
    elif event.kind is Kind.UPLOAD_FAILED:
        yield Message(at, event.node, event.node, f"✗ {event.detail['reason']}", "", Wire.FAILED)


# -- copies -------------------------------------------------------------------------------------


def _of_copy(event: TraceEvent) -> Iterator[Message]:
    """Tell what an event says of one replica: ordered, on its way, held, recorded."""
    at = event.time_s
    if event.kind is Kind.COPY_ORDERED:
        source = event.detail["source"]
        yield Message(at, MASTER, source, f"serve {event.peer}", "7")
        yield Message(at, MASTER, event.peer, f"fetch from {source}", "7")
    elif event.kind is Kind.COPY_STARTED:
        yield Message(at, event.peer, event.node, size_text(event.bytes), "7", Wire.DATA)
    elif event.kind is Kind.COPY_FAILED:
        yield Message(at, event.peer, MASTER, f"✗ {event.detail['reason']}", "", Wire.FAILED)
    elif event.kind is Kind.REPLICA_STORED:
        yield Message(at, event.node, MASTER, "I hold it", "4")
    elif event.kind is Kind.REPLICA_RECORDED:
        yield Message(at, MASTER, MASTER, f"table: + {event.peer}", "5", Wire.NOTE)


def _repair(events: Sequence[TraceEvent], names: Mapping[str, None], replicas: int) -> Iterator[Message]:
    """Tell the newest copies that were ordered at once, and what they were ordered for."""
    versions = {event.version: None for event in events if event.kind in NAMING and event.file_name in names}
    orders = [event for event in events if event.kind is Kind.COPY_ORDERED and event.version in versions]
    if not orders:
        return
    orders = [order for order in orders if (order.time_s, order.version) == (orders[-1].time_s, orders[-1].version)]
    yield from _occasion(events, orders[0])
    copies = {order.detail["copy"]: order.peer for order in orders}
    awaited: dict[str, None] = {}
    for event in events:
        if event.detail.get("copy") in copies:
            yield from _of_copy(event)
            if event.kind is Kind.REPLICA_STORED:
                awaited[event.node] = None
        elif event.kind is Kind.REPLICA_RECORDED and event.version == orders[0].version and event.peer in awaited:
            del awaited[event.peer]
            yield from _of_copy(event)


def _occasion(events: Sequence[TraceEvent], order: TraceEvent) -> Iterator[Message]:
    """Tell what led to a copy: a death and what was done to the keeper before, a bad replica, a scan."""
    cause = next((event for event in events if event.id == order.cause), None)
    if cause is None:
        yield Message(order.time_s, MASTER, MASTER, order.detail.get("reason", "a copy is missing"), "", Wire.NOTE)
    elif cause.kind is Kind.KEEPER_DEAD:
        yield from _killing(events, cause)
        yield Message(cause.time_s, MASTER, MASTER, f"{cause.peer} is dead", "", Wire.NOTE)
    elif cause.kind is Kind.REPLICA_CORRUPT:
        yield Message(cause.time_s, MASTER, MASTER, f"the copy on {cause.peer} is bad", "", Wire.NOTE)
    else:
        yield Message(cause.time_s, MASTER, MASTER, str(cause.kind).replace("_", " "), "", Wire.NOTE)


def _killing(events: Sequence[TraceEvent], death: TraceEvent) -> Iterator[Message]:
    before = [one for one in fault_periods(events) if one.covers(death.time_s) and one.silences(death.peer)]
    if before:
        yield Message(before[0].start_s, death.peer, death.peer, f"✗ {done_to(before[0].what)}", "", Wire.FAILED)


# -- downloads ----------------------------------------------------------------------------------


def _download(events: Sequence[TraceEvent], names: Mapping[str, None], replicas: int) -> Iterator[Message]:
    stories = [story for story in fold_downloads(events) if story.file_name in names]
    if not stories:
        return
    story = stories[-1]
    yield Message(story.start_s, story.client, MASTER, f"who holds {story.file_name}?", "a")
    for event in events:
        if event.kind is Kind.DOWNLOAD_STARTED and event.cause == story.transfer:
            first, *others = in_natural_order(event.detail["holders"])
            holders = [first, *map(short_name, others)]
            yield Message(event.time_s, MASTER, story.client, ", ".join(holders), "b")
        elif event.kind is Kind.DOWNLOAD_FAILED and event.cause == story.transfer:
            yield Message(event.time_s, story.client, story.client, f"✗ {event.detail['reason']}", "", Wire.FAILED)
    for keeper in in_natural_order(story.holders):
        yield from _served(story, keeper)
    if story.state == "done":
        yield Message(story.end_s, story.client, story.client, "whole and checked", "e", Wire.NOTE)


def _served(story: DownloadStory, keeper: str) -> Iterator[Message]:
    """Tell what one keeper was asked for, and what came of it."""
    requests = [request for request in story.requests if request.keeper == keeper]
    if not requests:
        return
    yield Message(min(request.start_s for request in requests), story.client, keeper, "chunks?", "c")
    whole = [request for request in requests if request.outcome == "ok"]
    if whole:
        words = f"{count_text(len(whole), 'chunk')}, {size_text(sum(request.bytes for request in whole))}"
        yield Message(max(request.end_s for request in whole), keeper, story.client, words, "d", Wire.DATA)
    numbers = story.numbers()
    for request in [request for request in requests if request.outcome == "failed"][:MOST_FAILURES]:
        words = f"✗ chunk {numbers[request.offset]}: {request.reason}"
        yield Message(request.end_s, keeper, story.client, words, "", Wire.FAILED)


_TELLERS = {"upload": _upload, "download": _download, "repair": _repair}
