"""Settings as plain JSON values and back: what a dataclass says of its fields is all that is believed."""

from __future__ import annotations

import base64
import dataclasses
import types
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def plain(value: Any, leave_out: Collection[str] = ()) -> Any:
    """Return a value as JSON has it: dataclasses as objects of their fields, paths as text, bytes in base64.

    Parameters
    ----------
    value : object
    leave_out : collection of str
        Fields of the outermost dataclass that travel in another way.

    Raises
    ------
    TypeError
        For what has no such form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [one.name for one in dataclasses.fields(value) if one.name not in leave_out]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a {type(value).__name__} has no plain form")


def made(kind: type[T], values: dict[str, Any], **others: Any) -> T:
    """Return the dataclass that `plain` wrote, with those fields that travelled in another way."""
    hints = typing.get_type_hints(kind)
    return kind(**{name: _as(hints[name], value) for name, value in values.items()}, **others)


def _as(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(hint, types.UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not types.NoneType)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return made(hint, value)
    if hint is Path:
        return Path(value)
    if hint is bytes:
        return base64.b64decode(value)
    if typing.get_origin(hint) is tuple:
        return tuple(value)
    return value
