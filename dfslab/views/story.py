"""What happened, told in sentences: to one file step by step, or to the whole cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfslab.core.errors import NoSuchFile
from dfslab.core.trace import NAMING, Kind, TraceEvent
from dfslab.views.explanation import Step, steps_html, steps_text
from dfslab.views.sentences import SPOKEN, sentence
from dfslab.views.source import Source

NODES = frozenset(
    {
        Kind.FAULT,
        Kind.MASTER_STARTED,
        Kind.SAFE_MODE_ENDED,
        Kind.MASTER_READ_ONLY,
        Kind.MASTER_WRITABLE,
        Kind.KEEPER_REGISTERED,
        Kind.KEEPER_DEAD,
        Kind.KEEPER_FENCED,
        Kind.REGISTRATION_LAPSED,
        Kind.KEEPER_DECOMMISSIONED,
        Kind.DISK_FAILED,
        Kind.NODE_ERROR,
    }
)
"""What happens to nodes: it is part of the story of every file."""
_SILENT = frozenset({Kind.HEARTBEAT, Kind.SCAN, Kind.SCRUB_DONE, Kind.COPY_DONE, Kind.REPLICA_RESTORED})
"""What would only fill the page: it comes all the time, or says again what another line says."""


@dataclass(frozen=True, repr=False)
class Story:
    """What happened; prints as text, shows as HTML in a notebook.

    Attributes
    ----------
    steps : tuple of Step
        The events, oldest first; empty when nothing was to be told.
    """

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join(steps_text(self.steps)) or "nothing happened"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = steps_html(self.steps) if self.steps else "nothing happened"
        return f"<div class='dfs-story' style='font-size:90%;line-height:1.4'>{body}</div>"


def story(source: Source, file_name: str | None, since_s: float) -> Story:
    """Return what happened to a file and to the nodes meanwhile, or to everything, from a moment on.

    Parameters
    ----------
    source : Source
    file_name : str or None
        A file, present or past; None for all of them.
    since_s : float
        Seconds since the cluster started.

    Raises
    ------
    NoSuchFile
        The trace tells of no file of that name, present or past.
    """
    base, events = source.history()
    names = {version: row.file_name for version, row in base.files.items()}
    names |= {event.version: event.file_name for event in events if event.kind in NAMING}
    names |= {str(event.detail["for_version"]): str(event.detail["name"]) for event in events if _is_slot(event)}
    if file_name is not None and file_name not in names.values():
        raise NoSuchFile(name=file_name)
    told = ((event, _name_of(event, names)) for event in events if event.time_s >= since_s and _is_told(event))
    mine = ((event, name) for event, name in told if file_name in (None, name) or (event.kind in NODES and not name))
    steps = (Step(event.time_s, event.id, sentence(event, name)) for event, name in mine)
    return Story(tuple(sorted(steps, key=lambda step: step.time_s)))


def _is_slot(event: TraceEvent) -> bool:
    return event.kind is Kind.SLOT_GRANTED


def _is_told(event: TraceEvent) -> bool:
    return event.kind in SPOKEN and event.kind not in _SILENT


def _name_of(event: TraceEvent, names: Mapping[str, str]) -> str:
    if event.file_name:
        return event.file_name
    return names.get(str(event.detail.get("for_version", event.version)), "")
