"""Values on their way between the judge and a submission: JSON, with tags for what JSON has no form for.

Nothing but values passes, in neither direction: no code, and no reference to anything of the other process.
"""

from __future__ import annotations

import dataclasses
import json
import numbers
import random
from collections.abc import Callable, Mapping
from typing import Any

from dfslab.core.blocks import Chunk
from dfslab.core.policies.chunk_scheduler import InFlight
from dfslab.core.policies.placement import KeeperLoad
from dfslab.core.policies.repair_order import Shortage

RECORDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Chunk, InFlight, KeeperLoad, Shortage)}
"""The records that policies are asked about."""


class NotPlain(ValueError):
    """A value that can't be handed over."""


def dumps(value: object) -> bytes:
    """Return a value's form on the way; raise NotPlain for what has none."""
    return json.dumps(_plain(value)).encode()


def loads(form: bytes) -> Any:
    """Return the value again; raise NotPlain when it is none that `dumps` makes."""
    try:
        return _value(json.loads(form))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotPlain(f"not a value: {error}") from error


_AS_IT_IS = frozenset({type(None), bool, int, float, str})


def _plain(value: object) -> object:
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Mapping):
        return {"$": "dict", "of": [[_plain(key), _plain(one)] for key, one in value.items()]}
    if isinstance(value, random.Random):
        return {"$": "random", "of": value.getrandbits(64)}
    for kind, (known, form) in _TAGGED.items():
        if isinstance(value, known):
            return {"$": kind, "of": form(value)}
    if type(value).__name__ in RECORDS and dataclasses.is_dataclass(value):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"$": type(value).__name__, "of": fields}
    raise NotPlain(f"a {type(value).__name__} is not a plain value (a number, a string, a list, a dict ...)")


_TAGGED: dict[str, tuple[type[Any] | tuple[type[Any], ...], Callable[[Any], object]]] = {
    "tuple": (tuple, lambda value: [_plain(one) for one in value]),
    "set": ((set, frozenset), lambda value: [_plain(one) for one in sorted(value, key=repr)]),
    "bytes": ((bytes, bytearray), lambda value: bytes(value).hex()),
}


def _value(form: Any) -> Any:
    if isinstance(form, list):
        return [_value(one) for one in form]
    if not isinstance(form, dict):
        return form
    kind, of = form["$"], form["of"]
    if kind in RECORDS:
        return RECORDS[kind](**{name: _value(one) for name, one in of.items()})
    return _MADE[kind](of)


_MADE: dict[str, Callable[[Any], object]] = {
    "dict": lambda of: {_value(key): _value(one) for key, one in of},
    "tuple": lambda of: tuple(_value(one) for one in of),
    "set": lambda of: {_value(one) for one in of},
    "bytes": bytes.fromhex,
    "random": random.Random,
}
