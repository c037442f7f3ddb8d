"""How the state of a replica is told, the same in every picture."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.history import ReplicaRow, Table
from dfslab.views.style import GREEN, INK, PAPER, VERMILLION


@dataclass(frozen=True)
class Look:
    """By a colour, by a sign or, where none has room, by a hatch, and in words."""

    face: str
    sign: str
    hatch: str
    ink: str
    words: str


NONE, VALID, COPYING, OUT_OF_REACH, CORRUPT, DROPPING = range(6)
LOOKS = (
    Look("#F3F3F3", "", "", INK, "no replica"),
    Look(GREEN, "✓", "", PAPER, "valid, on a live keeper"),
    Look("#9AD3F5", "→", "...", INK, "copy on its way"),
    Look("#BDBDBD", "○", "//", INK, "valid, keeper not alive"),
    Look(VERMILLION, "✗", "xx", PAPER, "corrupt"),
    Look("#F7D789", "–", "--", INK, "being dropped"),
)


def code_of(table: Table, replica: ReplicaRow) -> int:
    """Return which of `LOOKS` a replica that is there has."""
    if replica.state == "valid":
        return VALID if table.is_alive(replica.keeper) else OUT_OF_REACH
    return CORRUPT if replica.state == "corrupt" else DROPPING
