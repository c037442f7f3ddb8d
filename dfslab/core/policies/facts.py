"""What a policy wants to be told: the interfaces grow, and policies that were written before go on as they are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any


def asked_for(function: Callable[..., Any], facts: Collection[str]) -> frozenset[str]:
    """Return those of the `facts` for which a function has a parameter of that name."""
    plain = getattr(function, "__func__", function)
    names = _known_parameters(plain) if isinstance(plain, FunctionType) else _parameters(function)
    return names & frozenset(facts)


def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # made in C, say
        return frozenset()


_known_parameters = functools.lru_cache(maxsize=64)(_parameters)
"""Looked at once: each download asks its scheduler."""
