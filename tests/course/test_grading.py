"""A class hands in: nbgrader validates and grades right, partly right and wrong submissions.

What may become of a single answer is tried on a small notebook; a whole one of the course is graded as a class of three
hands it in.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import determine_grade

from dfslab.exercises.building import CHECKOUT, build_instructor, stripped
from tests.course import sample

pytestmark = pytest.mark.timeout(600)

RIGHT = sample.answer()
ANSWERS = {
    "ada": RIGHT,
    "ben": RIGHT.replace(">= self.timeout_s", ">= 2 * self.timeout_s"),
    "cem": "# YOUR CODE HERE\nraise NotImplementedError()",
    "dea": RIGHT.replace("return keeper in", "return 1 / 0 and keeper in"),
}
"""Right; late, which two of three checks mind; nothing written; one that raises."""
POINTS = {"ada": 4.0, "ben": 1.0, "cem": 0.0, "dea": 0.0}


def nbgrader(course: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # kernels on TCP choose their ports before they bind them, and another test's cluster may be sooner
    by_path = ["--KernelManager.transport=ipc", f"--KernelManager.ip={course / 'kernel'}"]
    command = [sys.executable, "-m", "nbgrader", *arguments, *by_path]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls alembic by its name
    environment = {**os.environ, "PATH": programs}
    return subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, check=False)


def hand_in(course: Path, stem: str, student: str, answers: dict[str, str]) -> None:
    """Hand a released notebook in, with a student's answers in the cells of these names."""
    handed_in = nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4)
    for cell in handed_in.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    target = course / "submitted" / student / stem / f"{stem}.ipynb"
    target.parent.mkdir(parents=True)
    nbformat.write(handed_in, target)


def released(folder: Path, stem: str, notebook: Any) -> Path:
    """Return a course folder of nbgrader in which a notebook has been handed out."""
    (folder / "checkout").mkdir()
    course = folder / "course"
    build_instructor(course, sample.checkout(folder / "checkout", notebook, stem))
    done = nbgrader(course, "generate_assignment", stem)
    assert done.returncode == 0, done.stderr
    return course


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a course folder of nbgrader in which the class has handed in."""
    course = released(tmp_path_factory.mktemp("class"), sample.STEM, sample.notebook())
    for student, answer in ANSWERS.items():
        hand_in(course, sample.STEM, student, {sample.NAME: answer})
    return course


def submitted(course: Path, student: str) -> str:
    return str(course / "submitted" / student / sample.STEM / f"{sample.STEM}.ipynb")


def test_the_handout_is_what_nbgrader_itself_releases(course: Path) -> None:
    source = course / "source" / sample.STEM / f"{sample.STEM}.ipynb"
    released = nbformat.read(course / "release" / sample.STEM / f"{sample.STEM}.ipynb", as_version=4)

    assert stripped(source) == released


def test_a_right_submission_validates(course: Path) -> None:
    done = nbgrader(course, "validate", submitted(course, "ada"))

    assert (done.returncode, done.stdout) == (0, "Success! Your notebook passes all the tests.\n"), done.stderr


@pytest.mark.parametrize(
    ("student", "words"), [("ben", "Partial credit"), ("cem", "NameError"), ("dea", "Partial credit")]
)
def test_a_wrong_submission_does_not(course: Path, student: str, words: str) -> None:
    done = nbgrader(course, "validate", submitted(course, student))

    assert "VALIDATION FAILED ON 1 CELL(S)" in done.stdout, done.stderr
    assert words in done.stdout


def test_the_class_is_graded_with_partial_credit(course: Path) -> None:
    done = nbgrader(course, "autograde", sample.STEM)

    assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        given = {
            student: gradebook.find_submission_notebook(sample.STEM, sample.STEM, student).score for student in ANSWERS
        }
        (most,) = (one.max_score for one in gradebook.find_assignment(sample.STEM).notebooks)
    assert given == POINTS
    assert most == 4.0
    graded = nbformat.read(course / "autograded" / "ben" / sample.STEM / f"{sample.STEM}.ipynb", as_version=4)
    shown = str(graded.cells[-1].outputs)
    assert "declared dead too late" in shown, "the student is told why"


WHOLE = "08_durability"
EXERCISES = ("loss-probability", "simulate-losses", "choose-replication")
REFERENCE = {name: sample.answer(name) for name in EXERCISES}
CLASS = {
    "ada": REFERENCE,
    "ben": {
        **REFERENCE,
        "loss-probability": REFERENCE["loss-probability"].replace("(copies - live) / repair_s", "1 / repair_s"),
        "choose-replication": REFERENCE["choose-replication"].replace("<= target", "<= 100 * target"),
    },
    "cem": dict.fromkeys(EXERCISES, "# YOUR CODE HERE\nraise NotImplementedError()"),
}
"""All right; one repair at a time, and a target that is a hundred times too easy; nothing written."""
CLASS_POINTS = {"ada": (5.0, 5.0, 5.0), "ben": (2.0, 5.0, 1.0), "cem": (0.0, 0.0, 0.0)}


def test_a_whole_notebook_of_the_course_is_graded_for_a_class_of_three(tmp_path: Path) -> None:
    course = released(tmp_path, WHOLE, nbformat.read(CHECKOUT / "notebooks" / f"{WHOLE}.ipynb", as_version=4))
    for student, answers in CLASS.items():
        hand_in(course, WHOLE, student, answers)

    done = nbgrader(course, "autograde", WHOLE)

    assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        given = {
            student: tuple(gradebook.find_grade(f"{name}-test", WHOLE, WHOLE, student).score for name in EXERCISES)
            for student in CLASS
        }
    assert given == CLASS_POINTS


def graded(*outputs: Any) -> Any:
    cell = nbformat.v4.new_code_cell("...", metadata=sample.metadata("some-test", points=4.0))
    cell.outputs = list(outputs)
    return cell


def result(text: str) -> Any:
    return nbformat.v4.new_output("execute_result", data={"text/plain": text}, execution_count=1)


@pytest.mark.parametrize(
    ("outputs", "points"),
    [
        pytest.param([result("2.5")], 2.5, id="a float is what it says"),
        pytest.param([result("0.0")], 0.0, id="0.0 is nothing"),
        pytest.param([nbformat.v4.new_output("display_data"), result("1.0")], 1.0, id="a picture before it is passed"),
        pytest.param([result("np.float64(1.0)")], 4.0, id="a numpy float would give everything"),
        pytest.param([], 4.0, id="no value gives everything"),
        pytest.param([nbformat.v4.new_output("stream", name="stderr"), result("4.0")], 0.0, id="stderr is nothing"),
    ],
)
def test_what_nbgrader_makes_of_the_value_of_a_graded_cell(outputs: list[Any], points: float) -> None:
    """`Verdict.grade` returns a plain float for this reason; the facts are nbgrader's own, and may change with it."""
    assert determine_grade(graded(*outputs)) == (points, 4.0)
