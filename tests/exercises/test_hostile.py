"""Whatever a submission does, its verdict comes within half a minute, says what happened, and harms nobody."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfslab import exercises
from dfslab.core.errors import InvalidOption
from dfslab.exercises import Verdict
from dfslab.exercises.solutions.timeout_detector import MyDetector
from tests.exercises import hostile

pytestmark = pytest.mark.timeout(90)
NAME = "timeout-detector"
DEADLINE_S = 30.0


MARK = "DFSLAB_TEST_OF"


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a check starts inherits a mark in its environment; when the verdict is there, nothing has it."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield
    until = time.monotonic() + 5.0  # what was killed may still be ending
    while left := list(marked(f"{MARK}={mark}".encode())):
        assert time.monotonic() < until, f"{len(left)} processes were left behind"
        time.sleep(0.02)


def marked(mark: bytes) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if mark in (process / "environ").read_bytes():
                yield process


def checked(submission: object) -> Verdict:
    """Judge a submission that fails, and hold the verdict to its deadline."""
    began_s = time.monotonic()
    verdict = exercises.check(NAME, submission)
    assert time.monotonic() - began_s < DEADLINE_S
    assert not verdict.passed
    return verdict


@pytest.mark.parametrize(
    ("submission", "words"),
    [
        pytest.param(hostile.Endless, "no answer within 2.0 s", id="is endless"),
        pytest.param(hostile.Sleepy, "over", id="is slow"),
        pytest.param(hostile.Raising, "KeyError: 'keeper-1'", id="raises"),
        pytest.param(hostile.Exiting, "SystemExit: 0", id="calls sys.exit"),
        pytest.param(hostile.Ending, "exit code 7", id="ends its process"),
        pytest.param(hostile.Recursive, "RecursionError", id="calls itself"),
        pytest.param(hostile.Greedy, "MemoryError", id="wants all memory"),
        pytest.param(hostile.Forking, "never declared dead", id="leaves a daemon"),
        pytest.param(hostile.ReadsTheJudge, "never declared dead", id="reads the interpreter's state"),
        pytest.param(hostile.PatchesTheChecks, "never declared dead", id="patches the checks"),
        pytest.param(hostile.ForgesAnswers, "pipe of the answers", id="writes into the pipe of the answers"),
        pytest.param(hostile.KillsTheJudge, "ended by signal 9", id="kills the judge"),
        pytest.param(hostile.AnswersAnObject, "is not a plain value", id="answers what is no value"),
        pytest.param(hostile.HoldsALock, "can't be handed to another process", id="holds what can't be handed over"),
        pytest.param(42, "a class or a function is asked for", id="is a number"),
        pytest.param(None, "a class or a function is asked for", id="is nothing"),
    ],
)
def test_a_submission_that(submission: object, words: str) -> None:
    verdict = checked(submission)
    assert words in str(verdict), str(verdict)


def test_what_a_submission_prints_is_shown_and_disturbs_nothing() -> None:
    verdict = exercises.check(NAME, hostile.Chatty)
    assert verdict.passed
    assert "heard of keeper-1" in verdict.printed
    assert len(verdict.printed) <= 2_000


def test_a_submission_may_use_what_other_cells_have_defined() -> None:
    exercises.check(NAME, hostile.Helped).require()


def test_what_one_submission_leaves_lying_about_the_next_one_does_not_find(tmp_path: Path) -> None:
    before = Path.cwd().joinpath("litter").exists()
    exercises.check(NAME, hostile.Litters).require()
    exercises.check(NAME, hostile.Looks).require()
    assert Path.cwd().joinpath("litter").exists() == before


def test_an_unknown_exercise_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidOption, match="did you mean 'timeout-detector'"):
        exercises.check("timeout-detektor", MyDetector)


def test_a_verdict_says_the_same_in_text_and_html_and_gives_partial_credit() -> None:
    verdict = exercises.check(NAME, hostile.Late)
    assert 0 < verdict.points < verdict.max_points
    failed = next(finding for finding in verdict.findings if not finding.passed)
    assert failed.picture.startswith("<svg")
    assert failed.at_s is not None
    for said in (str(verdict), verdict._repr_html_()):
        assert "declared dead too late" in said
        assert f"with seed {failed.seed}" in said
    with pytest.raises(AssertionError, match="declared dead too late"):
        verdict.require()
    again = exercises.check(NAME, hostile.Late, seed=failed.seed)
    assert failed.what in str(again)
