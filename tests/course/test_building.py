"""`dfslab course build`: what students are handed has no solution in it, and works without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner

from dfslab import exercises
from dfslab.cli.commands import dfs
from dfslab.exercises import building
from dfslab.exercises.building import CHECKOUT, CannotBuild, build_instructor, build_student, stripped
from tests.course import sample


@pytest.fixture(scope="module")
def handout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project's own course, as students get it."""
    out = tmp_path_factory.mktemp("built") / "handout"
    done = CliRunner().invoke(dfs, ["course", "build", "--student", str(out)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{out}: ")
    return out


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return sample.checkout(folder, sample.notebook())


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_notebook_is_handed_out_without_solutions_and_outputs(handout: Path) -> None:
    names = left_in(handout / "notebooks")
    assert names == sorted(path.name for path in (CHECKOUT / "notebooks").glob("*.ipynb"))
    for name in names:
        text = (handout / "notebooks" / name).read_text("utf-8")
        assert "BEGIN SOLUTION" not in text
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        assert "widgets" not in notebook.metadata
        assert [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_no_line_of_a_reference_solution_is_in_the_handout_except_what_the_starter_says(handout: Path) -> None:
    cells = [
        cell.source
        for path in (handout / "notebooks").glob("*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    ]
    for name in exercises.names():
        solution = (CHECKOUT / building.SOLUTIONS / f"{name.replace('-', '_')}.py").read_text("utf-8")
        for cell in cells:
            kept = [line for line in cell.splitlines() if len(line.strip()) > 60 and line in solution.splitlines()]
            starters = exercises.starter(name) + exercises.spec(name)
            assert [line for line in kept if line not in starters] == []


def test_the_package_that_students_install_has_the_checks_and_no_solutions(handout: Path, tmp_path: Path) -> None:
    (wheel,) = handout.glob("dfslab-*.whl")
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True, capture_output=True)
    (tmp_path / "tries.py").write_text(
        "import importlib.util\n"
        "from dfslab import exercises\n"
        "made = {}\n"
        f"exec(exercises.starter({sample.NAME!r}), made)\n"
        f"verdict = exercises.check({sample.NAME!r}, made['MyDetector'])\n"
        "print(exercises.__file__)\n"
        "print(verdict.points, importlib.util.find_spec('dfslab.exercises.solutions'))\n",
        "utf-8",
    )

    done = subprocess.run(
        [sys.executable, str(tmp_path / "tries.py")],
        env={"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    where, said = done.stdout.splitlines()
    assert Path(where).is_relative_to(target)
    assert said == "1 None", "the starter's one point, and no solutions to import"


def test_an_answer_becomes_a_stub_and_a_graded_cell_is_locked(checkout: Path, tmp_path: Path) -> None:
    built = build_student(tmp_path / "out", checkout)

    assert (built.notebooks, built.exercises, built.points) == ((f"{sample.STEM}.ipynb",), 1, 4.0)
    _, imports, answer, graded = nbformat.read(tmp_path / "out/notebooks" / built.notebooks[0], as_version=4).cells
    assert imports.outputs == []
    assert imports.execution_count is None
    assert answer.source == "# YOUR CODE HERE\nraise NotImplementedError()"
    assert (answer.metadata.deletable, answer.metadata.get("editable", True)) == (False, True)
    assert (graded.metadata.deletable, graded.metadata.editable) == (False, False)
    assert graded.metadata.nbgrader.checksum
    assert left_in(tmp_path / "out") == ["README.md", "data", "dfslab-0.1.0-py3-none-any.whl", "notebooks"]
    assert left_in(tmp_path / "out" / "data") == ["figure.svg"], "what the notebook links to, and nothing else"


def test_a_folder_that_is_there_and_empty_is_filled(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    build_student(tmp_path / "out", checkout)

    assert "notebooks" in left_in(tmp_path / "out")


@pytest.mark.parametrize("option", ["--student", "--instructor"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("full", "it exists, and is not empty; name a new folder"),
        ("file", "it exists, and is not a folder"),
        ("link", "it exists, and is not a folder"),
        ("missing/out", "there is no folder"),
        ("file/out", "there is no folder"),
    ],
)
def test_a_folder_that_cannot_be_made_is_refused_and_stays_as_it_was(
    option: str, name: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", "utf-8")
    (tmp_path / "file").write_text("mine", "utf-8")
    (tmp_path / "link").symlink_to("nowhere")

    done = CliRunner().invoke(dfs, ["course", "build", option, str(tmp_path / name)])

    assert done.exit_code == 2
    assert words in done.output
    assert left_in(tmp_path) == ["file", "full", "link"]
    assert left_in(tmp_path / "full") == ["mine.txt"]


def test_building_nothing_is_a_wrong_usage() -> None:
    done = CliRunner().invoke(dfs, ["course", "build"])

    assert done.exit_code == 2
    assert "pass --student DIR, --instructor DIR, or both" in done.output


def _open_region(made: Any) -> None:
    made.cells[2].source = "### BEGIN SOLUTION\nx = 1"


def _unmarked_region(made: Any) -> None:
    del made.cells[2].metadata["nbgrader"]


def _twice(made: Any) -> None:
    made.cells[3].metadata.nbgrader.grade_id = sample.NAME


def _no_points(made: Any) -> None:
    del made.cells[3].metadata.nbgrader["points"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(_open_region, "no end solution statement", id="a solution without an end"),
        pytest.param(_unmarked_region, "within solution cells", id="a solution in a cell that is not marked"),
        pytest.param(_twice, "Duplicate grade id", id="a grade_id that is there twice"),
        pytest.param(_no_points, "points", id="a graded cell without points"),
    ],
)
def test_a_notebook_that_is_not_valid_is_named_and_nothing_is_written(spoil: Any, words: str, tmp_path: Path) -> None:
    made = nbformat.from_dict(sample.notebook())
    spoil(made)
    (tmp_path / "checkout").mkdir()
    checkout = sample.checkout(tmp_path / "checkout", made)

    with pytest.raises(CannotBuild, match=rf"{sample.STEM}.ipynb: .*{words}"):
        build_student(tmp_path / "out", checkout)

    assert left_in(tmp_path) == ["checkout"]


def test_a_wheel_that_would_carry_solutions_is_not_handed_out(checkout: Path, tmp_path: Path) -> None:
    pyproject = checkout / "pyproject.toml"
    pyproject.write_text(pyproject.read_text("utf-8").replace('exclude = ["dfslab/exercises/solutions"]', ""), "utf-8")

    with pytest.raises(CannotBuild, match="must exclude it"):
        build_student(tmp_path / "out", checkout)

    assert left_in(tmp_path) == ["checkout"]


def test_an_installed_package_says_that_it_takes_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match="build from the source"):
        build_instructor(tmp_path / "out", tmp_path)


def test_without_nbgrader_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "nbgrader.nbgraderformat", None)

    done = CliRunner().invoke(dfs, ["course", "build", "--student", str(tmp_path / "out")])

    assert done.exit_code == 1
    assert "pip install 'dfslab[course]'" in done.output
    assert left_in(tmp_path) == []


def test_nothing_of_dfslab_needs_nbgrader_until_a_course_is_built() -> None:
    code = "import sys, dfslab.cli.commands, dfslab.exercises.building; print('nbgrader' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "False"


def test_a_notebook_that_is_stripped_twice_is_the_same(checkout: Path, tmp_path: Path) -> None:
    once = stripped(checkout / "notebooks" / f"{sample.STEM}.ipynb")
    nbformat.write(once, tmp_path / "once.ipynb")

    assert stripped(tmp_path / "once.ipynb") == once


def test_the_exercises_are_listed_with_their_points_and_notebooks() -> None:
    listed = json.loads(CliRunner().invoke(dfs, ["exercises", "--json"]).output)
    shown = CliRunner().invoke(dfs, ["exercises"]).output

    assert sorted(row["name"] for row in listed) == exercises.names()
    for row in listed:
        assert row["points"] == exercises.exercise(row["name"]).points
        assert row["name"] in shown
        assert row["title"] in shown
