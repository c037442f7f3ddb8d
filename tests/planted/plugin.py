"""Plants a mutant in a process that runs tests, and tells which of them failed: `-p tests.planted.plugin`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

MUTANT_VARIABLE = "DFSLAB_PLANTED"
REPORT_VARIABLE = "DFSLAB_PLANTED_REPORT"


def pytest_configure(config: pytest.Config) -> None:
    """Have the bug from the first test to the last."""
    from tests.planted.mutants import MUTANTS  # it imports most of the project, which no other use of this file needs

    undo = contextlib.ExitStack()
    undo.enter_context(MUTANTS[os.environ[MUTANT_VARIABLE]].planted())
    config.add_cleanup(undo.close)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell of a test that failed in its own words: an error while it is set up finds nothing."""
    if report.failed and report.when == "call":
        with Path(os.environ[REPORT_VARIABLE]).open("a", encoding="utf-8") as file:
            file.write(report.nodeid + "\n")
