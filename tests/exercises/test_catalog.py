"""Every exercise: its reference solution gets all points, its planted wrong ones don't, and the verdict says why."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dfslab import exercises
from dfslab.exercises import checking, limits
from dfslab.exercises.judge import judge
from dfslab.exercises.taking import take
from tests.exercises import planted

pytestmark = pytest.mark.timeout(120)
ALL_PLANTED = bool(os.environ.get("DFSLAB_ALL_PLANTED"))
PLANTED_AT_A_TIME = 4
"""So many of an exercise's wrong solutions are judged by `make test`; all of them by `make planted`."""
PATIENCE = 3
"""What is judged here is the judge: a busy machine must not decide it."""


@pytest.fixture(autouse=True)
def _patient_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFSLAB_PATIENCE", str(PATIENCE))
    monkeypatch.setattr(checking, "DEADLINE_S", PATIENCE * limits.DEADLINE_S)


def of(package: str, name: str) -> Any:
    return importlib.import_module(f"{package}.{name.replace('-', '_')}")


def planted_wrong() -> Iterator[Any]:
    for name in exercises.names():
        some = list(of(planted.__name__, name).PLANTED.items())[: None if ALL_PLANTED else PLANTED_AT_A_TIME]
        for what, (submission, words) in some:
            yield pytest.param(name, submission, words, id=f"{name}: {what}")


@pytest.mark.parametrize("name", exercises.names())
def test_the_reference_solution_gets_every_point(name: str) -> None:
    exercises.check(name, of("dfslab.exercises.solutions", name).SOLUTION).require()


@pytest.mark.parametrize(("name", "submission", "words"), list(planted_wrong()))
def test_a_planted_wrong_solution_is_failed_for_the_right_reason(name: str, submission: Any, words: str) -> None:
    verdict = judge(name, take(submission))  # in this process, which spares the judge's: there are many
    failed = [finding for finding in verdict.findings if not finding.passed]
    assert failed, str(verdict)
    assert any(words in finding.what for finding in failed), str(verdict)
    assert verdict.points < verdict.max_points


@pytest.mark.parametrize("name", exercises.names())
def test_a_starter_runs_and_does_not_pass(name: str) -> None:
    made: dict[str, Any] = {}
    exec(exercises.starter(name), made)  # the project's own text
    wanted = of("dfslab.exercises.solutions", name).SOLUTION
    submission = (
        {kind: made[part.__name__] for kind, part in wanted.items()}
        if isinstance(wanted, dict)
        else made[wanted.__name__]
    )
    assert not judge(name, take(submission)).passed


@pytest.mark.parametrize("name", exercises.names())
def test_an_exercise_says_what_it_asks_for_and_is_wrong_in_three_ways_at_least(name: str) -> None:
    exercise = exercises.exercise(name)
    assert exercise.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert len(exercise.spec) > 100
    assert len({check.name for check in exercise.checks}) == len(exercise.checks)
    assert all(check.points > 0 for check in exercise.checks)
    assert len(of(planted.__name__, name).PLANTED) >= 3
