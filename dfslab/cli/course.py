"""The commands for the course: what it asks for, and what is handed out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dfslab import exercises as course_exercises
from dfslab.cli.failures import CommandFailed
from dfslab.cli.text import columns, plural
from dfslab.exercises.building import Built, CannotBuild, build_instructor, build_student
from dfslab.exercises.regrading import NotANotebook
from dfslab.exercises.regrading import regrade as judge_again

_FOLDER = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def course() -> None:
    """Hand the course out, and prepare its grading; see docs/instructors.md."""


@course.command()
@click.option("--student", type=_FOLDER, metavar="DIR", help="Write what students get to this new folder.")
@click.option("--instructor", type=_FOLDER, metavar="DIR", help="Write a course folder for nbgrader, with solutions.")
def build(student: Path | None, instructor: Path | None) -> None:
    """Build the course from this checkout.

    The students' folder has every notebook without solutions and outputs, and the package without
    dfslab.exercises.solutions. The instructor's is for nbgrader: source/NOTEBOOK/NOTEBOOK.ipynb for every
    notebook with graded cells. Each appears whole or not at all. It takes dfslab[course].

    \b
    Examples:
      dfslab course build --student handout
      dfslab course build --instructor grading
    """
    if student is None and instructor is None:
        raise click.UsageError("pass --student DIR, --instructor DIR, or both")
    try:
        if student is not None:
            _tell(build_student(student))
        if instructor is not None:
            _tell(build_instructor(instructor))
    except CannotBuild as error:
        raise CommandFailed(str(error)) from error


@course.command()
@click.argument("notebooks", nargs=-1, required=True, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def regrade(notebooks: tuple[Path, ...], as_json: bool) -> None:
    """Judge the answers of submitted NOTEBOOKS from their source alone.

    Only the cells that hold answers run, and the imports of all cells: whatever else a notebook does to its
    kernel has no effect. A cell's answer belongs to the exercise that its grade_id names.

    \b
    Examples:
      dfslab course regrade submitted/*/04_heartbeats_and_failure_detection/*.ipynb
    """
    rows: list[tuple[str, str, float, float]] = []
    for notebook in notebooks:
        try:
            verdicts = judge_again(notebook)
        except NotANotebook as error:
            raise CommandFailed(str(error)) from error
        rows += [(str(notebook), one.exercise, one.points, one.max_points) for one in verdicts]
    if as_json:
        keys = ("notebook", "exercise", "points", "max_points")
        click.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows]))
        return
    table = [(notebook, name, f"{points:g}", f"{most:g}") for notebook, name, points, most in rows]
    for line in columns(("notebook", "exercise", "points", "of"), table, right=("points", "of")):
        click.echo(line)


def _tell(built: Built) -> None:
    what = f"{plural(len(built.notebooks), 'notebook')}, {plural(built.exercises, 'graded cell')}"
    click.echo(f"{built.folder}: {what}, {built.points:g} points")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def exercises(as_json: bool) -> None:
    """List the exercises: name, points, the notebook that asks for it, title."""
    found = [course_exercises.exercise(name) for name in course_exercises.names()]
    found.sort(key=lambda one: one.notebook)
    if as_json:
        rows = [{"name": one.name, "points": one.points, "notebook": one.notebook, "title": one.title} for one in found]
        click.echo(json.dumps(rows))
        return
    table = [(one.name, f"{one.points:g}", one.notebook, one.title) for one in found]
    for line in columns(("exercise", "points", "notebook", "title"), table, right=("points",)):
        click.echo(line)
