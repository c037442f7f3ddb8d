"""Checks take turns, so that a full class does not make right submissions look slow."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid

import pytest

from dfslab.exercises import turns
from dfslab.exercises.turns import places, turn


@pytest.fixture
def group() -> str:
    return f"test-{uuid.uuid4().hex}"


def test_as_many_have_a_turn_as_there_are_places_and_the_next_when_one_has_ended(group: str) -> None:
    with contextlib.ExitStack() as stack:
        first = contextlib.ExitStack()
        first.enter_context(turn(group, 0))
        assert [stack.enter_context(turn(group, 0)) for _ in range(places() - 1)] == [True] * (places() - 1)
        with turn(group, 0) as taken:
            assert not taken, "all places are held"
        first.close()
        with turn(group, 0) as taken:
            assert taken


def test_a_place_is_free_again_when_its_process_was_killed(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "places", lambda: 1)
    code = (
        "import sys; from dfslab.exercises import turns; turns.places = lambda: 1\n"
        f"with turns.turn({group!r}, 0) as taken: print(taken, flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with turn(group, 0) as taken:
            assert not taken
        holder.kill()
        holder.wait()
        with turn(group, 0) as taken:
            assert taken


def test_who_waits_too_long_goes_on_without_a_place(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "places", lambda: 0)
    with turn(group, 0.1) as taken:
        assert not taken


def test_a_crowded_server_may_be_given_more_patience_and_never_less() -> None:
    code = "from dfslab.exercises import limits; print(limits.ALL_S, limits.DEADLINE_S)"
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "DFSLAB_PATIENCE": patience},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for patience in ("", "4", "0.1")
    ]

    assert said == [["24.0", "29.0"], ["96.0", "116.0"], ["24.0", "29.0"]]
