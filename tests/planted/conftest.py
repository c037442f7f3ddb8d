"""Prints what caught each planted bug, below what pytest has to say."""

from __future__ import annotations

import pytest

from tests.planted.hunting import Verdict, table

VERDICTS = pytest.StashKey[list[Verdict]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the verdicts of this run."""
    verdicts = config.stash.get(VERDICTS, [])
    if verdicts:
        terminalreporter.section("planted bugs")
        for line in table(verdicts):
            terminalreporter.line(line)
