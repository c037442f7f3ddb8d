"""Policies by name, so that a process of its own can be told which to use: a registered name, or "module:Class"."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any

from dfslab.core.errors import InvalidOption
from dfslab.core.policies import POLICIES, Policies

OF_THE_MASTER = ("placement", "failure_detector", "repair_order")
"""Kinds that the master consults; chunks are scheduled by the clients, which stay in the parent."""


def loaded(kind: str, policy: object) -> object:
    """Return what "module:Class" or "module:object" names, imported; a registered name, a class or an object as it is.

    Raises
    ------
    InvalidOption
        There is no such module, or nothing of that name in it.
    """
    if not isinstance(policy, str) or ":" not in policy:
        return policy
    module, _, name = policy.partition(":")
    try:
        return functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidOption(option=kind, value=repr(policy), reason=f"it can't be imported ({error})") from None


def names_of(policies: Mapping[str, object]) -> dict[str, str]:
    """Return how a process that shares nothing with this one may find the master's policies.

    Parameters
    ----------
    policies : mapping
        What was given, by kind.

    Raises
    ------
    InvalidOption
        For one that only this process has: an object, a class of the notebook or of a function.
    """
    return {kind: _name_of(kind, policies[kind]) for kind in OF_THE_MASTER}


def _name_of(kind: str, policy: object) -> str:
    if isinstance(policy, str):
        registered = POLICIES[kind].get(policy)
        if registered is not None and registered.__module__.partition(".")[0] != "dfslab":
            _place_of(kind, registered)  # the other process must be able to import it, and does not register it
            raise _refused(kind, policy, "it is registered in this process only; pass 'module:Class' instead")
        if ":" in policy and policy.partition(":")[0] == "__main__":
            raise _refused(kind, policy, _HERE_ONLY)
        return policy
    if isinstance(policy, type):
        return _place_of(kind, policy)
    reason = f"a {type(policy).__name__} object can't be handed to another process; pass its class, or 'module:name'"
    raise _refused(kind, policy, reason)


_HERE_ONLY = "it was defined in this notebook or script, which the master's process can't import"


def _place_of(kind: str, policy: type[Any]) -> str:
    """Return "module:Class" of a class that can be found again under it."""
    place = f"{policy.__module__}:{policy.__qualname__}"
    if policy.__module__ == "__main__":
        raise _refused(kind, policy, _HERE_ONLY)
    if "<locals>" in policy.__qualname__:
        raise _refused(kind, policy, "it was defined inside a function, where no other process can find it")
    if loaded(kind, place) is not policy:
        raise _refused(kind, policy, f"{place} is another class by now")
    return place


def _refused(kind: str, policy: object, reason: str) -> InvalidOption:
    advice = f"{reason}: put it into a module of its own, or use isolation='thread'"
    return InvalidOption(option=kind, value=repr(policy), reason=advice)


def policies_by_name(names: Mapping[str, str], heartbeat_timeout_s: float, replicas: int) -> Policies:
    """Return the policies of such names; raise InvalidOption for one that this process can't import."""
    found: dict[str, Any] = {kind: loaded(kind, name) for kind, name in names.items()}
    return Policies.of(**found, heartbeat_timeout_s=heartbeat_timeout_s, replicas=replicas)
