"""What the nodes are called: the names that links, faults, the trace and the pictures share."""

from __future__ import annotations

from dfslab.core.checks import is_whole

MASTER, CLIENT = "master", "client"
LAB = "lab"
"""Who writes what was done to the others into the trace."""

_KEEPER = "keeper-"


def keeper_name(keeper: object) -> str:
    """Return the name of a keeper that is given by its name or its number; whether there is one is for others to say.

    >>> keeper_name(3), keeper_name("keeper-3"), keeper_name(True)
    ('keeper-3', 'keeper-3', 'True')
    """
    return f"{_KEEPER}{keeper}" if is_whole(keeper) else str(keeper)


def is_keeper(node: str) -> bool:
    """Return True for the name of a data keeper."""
    return node.startswith(_KEEPER)


def short_name(node: str) -> str:
    """Return what tells a keeper from the others, "3" for "keeper-3"; the name of any other node."""
    return node.removeprefix(_KEEPER)
