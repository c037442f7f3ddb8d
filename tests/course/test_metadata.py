"""Every notebook of the course is one that nbgrader takes: its metadata, its grade ids, its points."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from dfslab import exercises
from dfslab.exercises.building import CHECKOUT, stripped

NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
CHECKED = re.compile(r"""exercises\.check\(\s*["']([a-z0-9-]+)["'].*\)\.grade\(\)\Z""", re.DOTALL)


def read(stem: str) -> Any:
    return nbformat.read(CHECKOUT / "notebooks" / f"{stem}.ipynb", as_version=4)


def marked(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


def graded_by(notebook: Any) -> dict[str, Any]:
    """Return the graded code cells, by the exercise that each of them checks."""
    found = {}
    for cell in marked(notebook):
        if cell.metadata.nbgrader.grade and cell.cell_type == "code":
            checked = CHECKED.search(cell.source.strip())
            assert checked, f"the last line of a graded cell gives points: {cell.source}"
            found[checked[1]] = cell
    return found


@pytest.mark.parametrize("stem", [path.stem for path in NOTEBOOKS])
def test_the_metadata_of_every_cell_is_what_nbgrader_takes(stem: str) -> None:
    notebook = read(stem)
    MetadataValidator().validate_nb(notebook)  # its schema, unique grade ids, points where there must be some
    for cell in marked(notebook):
        meta = cell.metadata.nbgrader
        assert meta.schema_version == 3
        if cell.cell_type == "code":
            assert meta.solution != meta.grade, "a cell holds an answer or judges one"
            assert meta.locked == meta.grade
            assert meta.grade_id
        if meta.solution and cell.cell_type == "code":
            assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") == 1


def test_no_two_notebooks_share_a_grade_id() -> None:
    ids = [cell.metadata.nbgrader.grade_id for path in NOTEBOOKS for cell in marked(read(path.stem))]

    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("stem", [path.stem for path in NOTEBOOKS])
def test_a_graded_cell_gives_as_many_points_as_its_exercise(stem: str) -> None:
    for name, cell in graded_by(read(stem)).items():
        assert cell.metadata.nbgrader.points == exercises.exercise(name).points, name


@pytest.mark.parametrize("name", exercises.names())
def test_an_exercise_stands_in_the_notebook_that_it_names(name: str) -> None:
    stem = exercises.exercise(name).notebook
    if not (CHECKOUT / "notebooks" / f"{stem}.ipynb").exists():
        pytest.skip(f"{stem} is not written yet")
    assert name in graded_by(read(stem))


@pytest.mark.parametrize("stem", [path.stem for path in NOTEBOOKS])
def test_a_student_gets_the_graded_cells_as_they_are_and_every_answer_is_a_stub(stem: str) -> None:
    before, after = read(stem), stripped(CHECKOUT / "notebooks" / f"{stem}.ipynb")
    assert [cell.cell_type for cell in before.cells] == [cell.cell_type for cell in after.cells]
    for given, handed in zip(before.cells, after.cells, strict=True):
        meta = given.metadata.get("nbgrader")
        if meta and meta.solution and given.cell_type == "code":
            assert "# YOUR CODE HERE" in handed.source
        elif given.cell_type == "code":
            assert handed.source == given.source
