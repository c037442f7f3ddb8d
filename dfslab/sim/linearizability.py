"""Did what clients saw of a name happen as if one at a time, each at some moment between its call and its answer?

A name is a register: an upload writes a version, a delete writes nothing, a look reads. The search is
Wing and Gong's ("Testing and Verifying Concurrent Objects", JPDC 1993) with Lowe's memory of what was tried
("Testing for Linearizability", 2017): take any operation that no other has ended before, apply it, go on.
A call whose outcome is unknown may have happened at any time after it began, or never.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NOTHING = ""
"""What a name means that no file has."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client did with one name.

    Attributes
    ----------
    kind : {"write", "read"}
    value : str
        The version written or read; `NOTHING` for a delete, or for a look that found no file.
    began_s, ended_s : float
        When it was called and answered; infinity where the outcome is unknown.
    client : str
    """

    kind: str
    value: str
    began_s: float
    ended_s: float
    client: str = ""

    @property
    def unknown(self) -> bool:
        """True when nobody knows whether it happened."""
        return math.isinf(self.ended_s)


def is_linearizable(operations: Sequence[Operation], initial: str = NOTHING) -> bool:
    """Return True when one order explains all of them.

    Parameters
    ----------
    operations : sequence of Operation
        All on one name, in any order. Unknown reads are of no interest and left out.
    initial : str
        What the name meant before.
    """
    told = (one for one in operations if not (one.unknown and one.kind == "read"))
    return _search(sorted(told, key=lambda one: (one.began_s, one.ended_s)), initial)


def _search(todo: list[Operation], initial: str) -> bool:
    """Walk through the orders, remembering which (done, value) pairs have led nowhere.

    `first` is the first operation that is not done, `ahead` the later ones that are, as bits.
    """
    seen: dict[tuple[int, int, str], None] = {}
    stack = [(0, 0, initial)]
    while stack:
        first, ahead, value = stack.pop()
        while ahead & 1:
            first, ahead = first + 1, ahead >> 1
        if all(one.unknown or ahead >> (i - first) & 1 for i, one in enumerate(todo[first:], first)):
            return True
        if (first, ahead, value) in seen:
            continue
        seen[first, ahead, value] = None
        stack.extend(_successors(todo, first, ahead, value))
    return False


def _successors(todo: list[Operation], first: int, ahead: int, value: str) -> list[tuple[int, int, str]]:
    """Return where one more operation leads: any that began before all the others that are not done ended."""
    left = [i for i in range(first, len(todo)) if not ahead >> (i - first) & 1]
    horizon = min(todo[i].ended_s for i in left)
    found = []
    for i in left:
        one = todo[i]
        if one.began_s > horizon:
            break
        if one.kind == "write":
            found.append((first, ahead | 1 << (i - first), one.value))
        elif one.value == value:
            found.append((first, ahead | 1 << (i - first), value))
            return found[-1:]  # a read that fits now may always go first
    return found
