"""A submission is judged from its answers' source, whatever the notebook around them does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner

from dfslab import exercises
from dfslab.cli.commands import dfs
from dfslab.exercises.regrading import regrade, submitted_name
from tests.course import sample

pytestmark = pytest.mark.timeout(180)


def handed_in(folder: Path, answer: str, *more: str) -> Path:
    notebook = sample.notebook()
    notebook.cells[sample.ANSWER].source = answer
    notebook.cells[1:1] = [nbformat.v4.new_code_cell(source) for source in more]
    path = folder / "submission.ipynb"
    nbformat.write(notebook, path)
    return path


def regraded(path: Path) -> Any:
    done = CliRunner().invoke(dfs, ["course", "regrade", "--json", str(path)])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.output)
    assert (row["notebook"], row["exercise"], row["max_points"]) == (str(path), sample.NAME, 4)
    return row["points"]


LATE = sample.answer().replace(">= self.timeout_s", ">= 2 * self.timeout_s")
FORGES = "import dfslab\ndfslab.exercises.check = lambda *a: type('V', (), {'grade': lambda self: 4.0})()"
FORGES_IN_THE_ANSWER = f"{LATE}\nimport dfslab.exercises.verdict as v\nv.Verdict.points = v.Verdict.max_points"


@pytest.mark.parametrize(
    ("answer", "more", "points"),
    [
        pytest.param(sample.answer(), (), 4, id="is right"),
        pytest.param(LATE, (), 1, id="is right in part"),
        pytest.param(LATE, (FORGES,), 1, id="replaces the check"),
        pytest.param(FORGES_IN_THE_ANSWER, (), 1, id="patches the verdict from its answer"),
        pytest.param("from collections import nothing_like_it", (), 0, id="can't be imported"),
        pytest.param("# YOUR CODE HERE\nraise NotImplementedError()", (), 0, id="is not written"),
        pytest.param("import os\nos._exit(0)", (), 0, id="ends its process"),
        pytest.param(
            "print('x' * 100_000)\n" + sample.answer(), ("%matplotlib inline", "while True: pass"), 4, id="prints"
        ),
        pytest.param("@dataclass\n" + sample.answer(), ("from dataclasses import dataclass",), 4, id="needs an import"),
    ],
)
def test_a_submission_that(answer: str, more: tuple[str, ...], points: float, tmp_path: Path) -> None:
    assert regraded(handed_in(tmp_path, answer, *more)) == points


def test_an_import_that_fails_is_told_with_the_answer_that_needed_it(tmp_path: Path) -> None:
    answer = "class MyDetector(nowhere_at_all.Base):\n    pass"
    (verdict,) = regrade(handed_in(tmp_path, answer, "import nowhere_at_all"))
    assert "No module named 'nowhere_at_all'" in str(verdict)


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "essay.ipynb").write_text("dear teacher", "utf-8")

    done = CliRunner().invoke(dfs, ["course", "regrade", str(tmp_path / "essay.ipynb")])

    assert done.exit_code == 1
    assert "essay.ipynb is no notebook" in done.output


@pytest.mark.parametrize("name", exercises.names())
def test_every_starter_ends_with_what_is_handed_in(name: str) -> None:
    assert submitted_name(name) in exercises.starter(name)
