"""The checker of histories: what one order explains, and what none does."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.sim.linearizability import NOTHING, Operation, is_linearizable

UNKNOWN = math.inf


def write(value: str, began_s: float, ended_s: float) -> Operation:
    return Operation("write", value, began_s, ended_s)


def read(value: str, began_s: float, ended_s: float) -> Operation:
    return Operation("read", value, began_s, ended_s)


EXPLAINED = {
    "nothing at all": [],
    "one after another": [write("a", 0, 1), read("a", 2, 3), write("b", 4, 5), read("b", 6, 7)],
    "a look during a write may see the old": [write("a", 0, 1), write("b", 2, 9), read("a", 3, 4)],
    "or the new": [write("a", 0, 1), write("b", 2, 9), read("b", 3, 4), read("b", 5, 6)],
    "two writes at a time, the first to begin last": [write("a", 0, 9), write("b", 1, 8), read("a", 10, 11)],
    "a delete": [write("a", 0, 1), write(NOTHING, 2, 3), read(NOTHING, 4, 5)],
    "an unknown write that happened later": [write("a", 0, UNKNOWN), read(NOTHING, 1, 2), read("a", 5, 6)],
    "an unknown write that never happened": [write("a", 0, UNKNOWN), read(NOTHING, 1, 2), read(NOTHING, 5, 6)],
    "an unknown look": [read("never written", 0, UNKNOWN)],
}
UNEXPLAINED = {
    "a look back": [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)],
    "new, then old, during a write": [write("a", 0, 1), write("b", 2, 9), read("b", 3, 4), read("a", 5, 6)],
    "a write that nobody did": [read("a", 0, 1)],
    "a resurrection": [write("a", 0, 1), write(NOTHING, 2, 3), read("a", 4, 5)],
    "an acknowledged write that is gone": [write("a", 0, 1), read(NOTHING, 2, 3)],
    "a write seen before it began": [read("a", 0, 1), write("a", 2, 3)],
    "an unknown write that happened twice": [
        write("a", 0, UNKNOWN),
        read("a", 1, 2),
        write("b", 3, 4),
        read("b", 5, 6),
        read("a", 7, 8),
    ],
}


@pytest.mark.parametrize("history", EXPLAINED.values(), ids=EXPLAINED)
def test_a_history_that_one_order_explains_is_accepted(history: list[Operation]) -> None:
    assert is_linearizable(history)
    assert is_linearizable(history[::-1])


@pytest.mark.parametrize("history", UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_a_history_that_no_order_explains_is_refused(history: list[Operation]) -> None:
    assert not is_linearizable(history)


def explains(order: tuple[Operation, ...]) -> bool:
    value = NOTHING
    for i, one in enumerate(order):
        if any(later.ended_s < one.began_s for later in order[i + 1 :]):
            return False
        if one.kind == "write":
            value = one.value
        elif one.value != value:
            return False
    return True


def by_trying_everything(history: list[Operation]) -> bool:
    """Every order of every choice of unknown writes that did happen."""
    known = [one for one in history if not one.unknown]
    unknown = [one for one in history if one.unknown and one.kind == "write"]
    return any(
        explains(order)
        for count in range(len(unknown) + 1)
        for some in itertools.combinations(unknown, count)
        for order in itertools.permutations([*known, *some])
    )


operations = st.builds(
    lambda kind, value, began, lasts, lost: Operation(kind, value, began, UNKNOWN if lost else began + lasts),
    st.sampled_from(["write", "read"]),
    st.sampled_from(["a", "b", NOTHING]),
    st.integers(0, 6),
    st.integers(1, 4),
    st.booleans(),
)


@given(st.lists(operations, max_size=5))
def test_it_agrees_with_trying_every_order(history: list[Operation]) -> None:
    assert is_linearizable(history) == by_trying_everything(history)


def test_a_long_history_of_many_at_a_time_is_searched_quickly() -> None:
    history = [write(f"v{i}", i, i + 3.5) for i in range(400)]
    history += [read(f"v{i}", i + 3.6, i + 3.7) for i in range(0, 400, 8)]

    assert is_linearizable(history)
    assert not is_linearizable([*history, read("v0", 300, 301)])
