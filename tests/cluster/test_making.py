"""What is made side by side is taken in order, and nothing is left of what nobody took."""

from __future__ import annotations

import threading

import pytest

from dfslab.lab.making import Making

DEADLINE_S = 10.0


def test_things_are_made_side_by_side_and_taken_in_order() -> None:
    both = threading.Barrier(2)

    def make(key: int) -> str:
        both.wait(DEADLINE_S)  # nobody gets by alone
        return f"made {key}"

    with Making(make, [1, 2, 3, 4], throw_away=lambda thing: None) as making:
        assert [making.take() for _ in range(4)] == ["made 1", "made 2", "made 3", "made 4"]


def test_what_a_making_meets_is_raised_in_its_turn_and_the_rest_is_thrown_away() -> None:
    thrown: list[int] = []

    def make(key: int) -> int:
        if key == 2:
            raise OSError("no disk")
        return key

    def take_two() -> None:
        with Making(make, range(1, 9), throw_away=thrown.append) as making:
            assert making.take() == 1
            making.take()

    with pytest.raises(OSError, match="no disk"):
        take_two()

    assert 1 not in thrown
    assert 2 not in thrown
    assert thrown == sorted(thrown)


def test_an_interrupt_leaves_no_thread_and_nothing_that_was_made() -> None:
    made: list[int] = []
    thrown: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key

    def be_interrupted() -> None:
        with Making(make, range(100), throw_away=thrown.append) as making:
            making.take()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()

    assert sorted([0, *thrown]) == sorted(made)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("making")]
