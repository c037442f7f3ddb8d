"""Saved traces with something wrong in them: read whole, or refused by line and field."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.test_saved import EVENTS, exported, trace_of, written
from tests.fuzz.targets import fuzz_traces

LINES = written(EVENTS)
EXPORT = exported(trace_of(EVENTS, 12))

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**400, 2**63]) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.integers(0, 10**6), st.binary(max_size=4), st.integers(0, 4))
def test_bytes_overwritten_anywhere_are_found_or_harmless(place: int, put: bytes, lost: int) -> None:
    data = b"".join(EXPORT)
    at = place % len(data)

    fuzz_traces(data[:at] + put + data[at + lost :])


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, one in inner for path in _paths(one, (*here, key)))]


@settings(max_examples=300)
@given(st.data(), st.sampled_from([LINES, EXPORT]))
def test_any_value_in_any_place_is_named_or_harmless(data: st.DataObject, lines: list[bytes]) -> None:
    """Also deep in the first line, where the settings and the table are."""
    number = data.draw(st.integers(0, len(lines) - 1) | st.just(0))
    values = json.loads(lines[number])
    path = data.draw(st.sampled_from(_paths(values)[1:]))
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(junk)

    fuzz_traces(b"".join([*lines[:number], json.dumps(values).encode() + b"\n", *lines[number + 1 :]]))


@given(st.permutations(range(len(EVENTS))))
def test_lines_in_another_order_are_refused_or_harmless(order: list[int]) -> None:
    fuzz_traces(b"".join([LINES[0], *(LINES[number] for number in order if number)]))
