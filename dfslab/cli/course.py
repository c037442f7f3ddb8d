"""The commands for the course: what it asks for, and what is handed out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dfslab import exercises as course_exercises
from dfslab.cli.failures import CommandFailed
from dfslab.cli.text import columns, plural
from dfslab.exercises.building import Built, CannotBuild, build_instructor, build_student

_FOLDER = click.Path(path_type=Path)


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
