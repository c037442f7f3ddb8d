"""A small course for tests: one notebook around one exercise, in a checkout of its own, and submissions of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat

from dfslab import exercises
from dfslab.exercises.building import CHECKOUT, SOLUTIONS

NAME = "timeout-detector"
STEM = "04_sample"
ANSWER = 2
"""Which cell holds the answer."""


def metadata(grade_id: str, *, points: float | None = None) -> dict[str, Any]:
    """Return nbgrader's metadata of an answer cell, or of a graded one when it gives points."""
    graded = points is not None
    meta: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": grade_id,
        "solution": not graded,
        "grade": graded,
        "locked": graded,
        "task": False,
    }
    return {"nbgrader": {**meta, "points": points} if graded else meta}


def answer(name: str = NAME) -> str:
    """Return the reference solution, as it stands in a cell."""
    solution = (CHECKOUT / SOLUTIONS / f"{name.replace('-', '_')}.py").read_text("utf-8")
    return solution.split('"""\n', 1)[1].split("SOLUTION =")[0].strip()


def notebook() -> Any:
    """Return the notebook as an author writes it."""
    points = exercises.exercise(NAME).points
    v4: Any = nbformat.v4
    made = v4.new_notebook(metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python"}})
    made.cells = [
        v4.new_markdown_cell("# A detector\n\n![a link](../data/figure.svg)"),
        v4.new_code_cell(
            "import dfslab\nfrom dfslab import exercises",
            execution_count=1,
            outputs=[v4.new_output("stream", name="stdout", text="what the author saw")],
        ),
        v4.new_code_cell(f"### BEGIN SOLUTION\n{answer()}\n### END SOLUTION", metadata=metadata(NAME)),
        v4.new_code_cell(
            f'dfslab.exercises.check("{NAME}", MyDetector).grade()', metadata=metadata(f"{NAME}-test", points=points)
        ),
    ]
    return made


def checkout(folder: Path, made: Any, stem: str = STEM) -> Path:
    """Write a checkout with one notebook: the rest of it is the project's own."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(CHECKOUT / name, folder / name)
    (folder / "data").mkdir()
    (folder / "data" / "figure.svg").write_text("<svg/>", "utf-8")
    for linked in ("dfslab", "data/sample_videos"):
        shutil.copytree(CHECKOUT / linked, folder / linked, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "notebooks").mkdir()
    nbformat.write(made, folder / "notebooks" / f"{stem}.ipynb")
    return folder
