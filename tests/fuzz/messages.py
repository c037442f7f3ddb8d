"""Messages of proto/dfs.proto at random, made from their descriptors, so that a new field is fuzzed as it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

Known = Mapping[str, Sequence[Any]]
"""Values that mean something to whoever gets the message, by the name of the field."""

_F = FieldDescriptor
_BORDERS = [0, 1, 4, 65536, 2**31, 2**32 - 1]
_EXTREMES: dict[int, st.SearchStrategy[Any]] = {
    _F.TYPE_UINT64: st.sampled_from([*_BORDERS, 2**53, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1),
    _F.TYPE_UINT32: st.sampled_from(_BORDERS) | st.integers(0, 2**32 - 1),
    _F.TYPE_DOUBLE: st.floats(),
    _F.TYPE_BOOL: st.booleans(),
    _F.TYPE_BYTES: st.binary(max_size=64) | st.sampled_from([b"", bytes(4), bytes(4096)]),
    _F.TYPE_STRING: st.text(max_size=12)
    | st.sampled_from(["", "\0", "..", "../x", "v1-0123456789", "x" * 300, "\u6f22" * 3000, "127.0.0.1", "a b", "{"]),
}


def messages(kind: type[Message], known: Known | None = None) -> st.SearchStrategy[Any]:
    """Return a strategy for messages of a kind: every field may be missing, extreme, or one of the known values."""
    fields = {field.name: _values(field, known or {}) for field in kind.DESCRIPTOR.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: kind(**values))


def almost_right(kind: type[Message], known: Known) -> st.SearchStrategy[Any]:
    """Return a strategy for messages of known values all over, of which two are replaced by anything at most."""
    all_fields = kind.DESCRIPTOR.fields
    right = st.fixed_dictionaries({field.name: _right(field, known) for field in all_fields if _means(field, known)})
    fields = {field.name: _values(field, known) for field in all_fields}
    names = st.lists(st.sampled_from(sorted(fields)), max_size=2) if fields else st.just([])
    wrong = names.flatmap(lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen}))
    return st.builds(lambda values, others: kind(**{**values, **others}), right, wrong)


def _inner(field: Any) -> type[Message]:
    assert field.message_type is not None
    return GetMessageClass(field.message_type)


def _means(field: Any, known: Known) -> bool:
    return field.name in known or (field.message_type is not None and not field.is_repeated)


def _right(field: Any, known: Known) -> st.SearchStrategy[Any]:
    if field.name not in known:
        return almost_right(_inner(field), known)
    one = st.sampled_from(known[field.name])
    return st.lists(one, max_size=2) if field.is_repeated else one


def _values(field: Any, known: Known) -> st.SearchStrategy[Any]:
    one = messages(_inner(field), known) if field.message_type else _EXTREMES[field.type]
    if field.name in known:
        one = st.sampled_from(known[field.name]) | one
    return st.lists(one, max_size=3) if field.is_repeated else one
