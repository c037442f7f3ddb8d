"""The example of docs/instructors.md is an exercise like the course's own: taken from the page, and run."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.exercises.planted
from dfslab import exercises
from dfslab.exercises import catalog, judge, solutions
from dfslab.exercises.building import CHECKOUT
from dfslab.exercises.taking import take

pytestmark = pytest.mark.timeout(180)
PAGE = (CHECKOUT / "docs" / "instructors.md").read_text("utf-8")
NAME = "retry-pauses"
PACKAGES = {
    "dfslab/exercises/catalog": catalog,
    "dfslab/exercises/solutions": solutions,
    "tests/exercises/planted": tests.exercises.planted,
}
FILE = re.compile(r"`([a-z/]+)/retry_pauses\.py`[^`]*```python\n(.*?)\n```\n", re.DOTALL)


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Add the three files of the page to the packages that they belong to."""
    modules = {}
    for folder, text in FILE.findall(PAGE):
        package = PACKAGES[folder]
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "retry_pauses.py").write_text(text + "\n", "utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
        modules[folder] = importlib.import_module(f"{package.__name__}.retry_pauses")
    yield {folder.rpartition("/")[2]: module for folder, module in modules.items()}
    for module in modules.values():
        del sys.modules[module.__name__]


def test_the_example_of_the_page_is_a_whole_exercise(parts: dict[str, Any]) -> None:
    assert parts.keys() == {"catalog", "solutions", "planted"}
    assert NAME in exercises.names()
    assert exercises.exercise(NAME).points == 2

    judge.judge(NAME, take(parts["solutions"].SOLUTION)).require()
    assert len(parts["planted"].PLANTED) >= 3
    for what, (submission, words) in parts["planted"].PLANTED.items():
        verdict = judge.judge(NAME, take(submission))
        assert not verdict.passed, what
        assert any(words in finding.what for finding in verdict.findings), str(verdict)
    made: dict[str, Any] = {}
    exec(exercises.starter(NAME), made)
    assert not judge.judge(NAME, take(made["pauses"])).passed


def test_every_command_of_the_page_exists() -> None:
    from click.testing import CliRunner

    from dfslab.cli.commands import dfs

    for line in re.findall(r"^ *\$ dfslab (.*)$", PAGE, re.MULTILINE):
        words = [word for word in line.split() if re.fullmatch(r"[a-z]+", word)][:2]
        command = words if words[0] == "course" else words[:1]
        assert CliRunner().invoke(dfs, [*command, "--help"]).exit_code == 0, line
    for path in re.findall(r"`(dfslab/[a-z_/]+/)`", PAGE):
        assert (CHECKOUT / path).exists(), path
