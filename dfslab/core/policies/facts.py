"""What a policy wants to be told: the interfaces grow, and policies that were written before go on as they are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any


def asked_for(function: Callable[..., Any], facts: Collection[str]) -> frozenset[str]:
    """Return those of the `facts` for which a function has a parameter of that name."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # made in C, say
        return frozenset()
    return frozenset(parameters) & frozenset(facts)
