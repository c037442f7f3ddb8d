"""What an argument may be: each check returns the value, as Python's own, or raises InvalidOption naming it."""

from __future__ import annotations

import math
import numbers
from typing import TypeGuard, TypeVar

from dfslab.core.errors import InvalidOption

P = TypeVar("P")


def is_number(value: object) -> TypeGuard[float]:
    """Return True for a finite number; those of NumPy are numbers too, True and False are none."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def is_whole(value: object) -> TypeGuard[int]:
    """Return True for a whole number; those of NumPy are numbers too, True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def plain(value: float) -> float:
    """Return a number as Python's own, which JSON and a trace can hold."""
    return int(value) if is_whole(value) else float(value)


def check_positive(name: str, value: float) -> float:
    """Return `value` if it is a finite number above zero; raise InvalidOption otherwise."""
    if not is_number(value) or value <= 0:
        raise InvalidOption(option=name, value=repr(value), reason="it must be a number above 0")
    return plain(value)


def check_count(name: str, value: int) -> int:
    """Return `value` if it is a whole number of at least 1; raise InvalidOption otherwise."""
    if not is_whole(value) or value < 1:
        raise InvalidOption(option=name, value=repr(value), reason="it must be a whole number of at least 1")
    return int(value)


def check_timeout(name: str, value: float) -> float:
    """Return `value` if it is a finite number of seconds, 0 or more; raise InvalidOption otherwise."""
    if not is_number(value) or value < 0:
        raise InvalidOption(option=name, value=repr(value), reason="it must be a number of seconds, 0 or more")
    return plain(value)


def check_flag(name: str, value: bool) -> bool:
    """Return `value` if it is True or False; raise InvalidOption otherwise: the text "no" would be a yes."""
    if not isinstance(value, bool):
        raise InvalidOption(option=name, value=repr(value), reason="it must be True or False")
    return value


def check_path(name: str, path: P) -> P:
    """Return `path` if it is a text or a path object; raise InvalidOption otherwise."""
    if not isinstance(path, str) and not hasattr(path, "__fspath__"):
        raise InvalidOption(option=name, value=repr(path), reason="it must be a path")
    return path


def check_moment(name: str, time_s: float, now: float, begin: float = 0.0) -> float:
    """Return `time_s` if it is a time of a trace that goes from `begin` to `now`; raise InvalidOption otherwise."""
    if not is_number(time_s) or not begin <= time_s <= now:
        raise InvalidOption(option=name, value=repr(time_s), reason=f"the trace covers {begin:g} to {now:.1f} s")
    return time_s
