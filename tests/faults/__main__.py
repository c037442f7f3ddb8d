"""Run the fault matrix, or some rows of it, and print it: `python -m tests.faults [ROW ...]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.plugin import BIG_VARIABLE, SEED_VARIABLE, rows_of
from tests.faults.rows import ROWS, Row

HERE = Path(__file__).parent


@dataclass
class Result:
    """What came of a row's cases."""

    cases: int = 0
    struck: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        """In words."""
        if self.failed:
            return f"FAILED: {', '.join(self.failed)}"
        if not self.cases:
            return f"skipped: {self.skipped[0]}" if self.skipped else "FAILED: no case"
        notes = [f"known to fail: {why}" for why in self.expected] + [f"some skipped: {why}" for why in self.skipped]
        return "; ".join(["held" if self.cases > len(self.expected) else "does not hold", *notes])


class Matrix:
    """A plugin of pytest that collects what came of each row."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows
        self.results: dict[int, Result] = defaultdict(Result)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the cases of the rows that are asked for."""
        kept = [item for item in items if set(rows_of(item)) & set(self.rows)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a report."""
        facts: dict[str, Any] = dict(report.user_properties)
        for number in facts.get("rows", ()):
            if number in self.rows:
                self._note(self.results[number], report, facts.get("struck", 0))

    def _note(self, result: Result, report: pytest.TestReport, struck: int) -> None:
        result.seconds += report.duration
        test = report.nodeid.rpartition("::")[2]
        if report.failed:
            result.failed.append(test)
        if report.skipped and not hasattr(report, "wasxfail"):
            _append_once(result.skipped, _why_skipped(report))
        elif report.when == "call":
            result.cases += 1
            result.struck += struck
            if hasattr(report, "wasxfail"):
                _append_once(result.expected, report.wasxfail)


def _append_once(texts: list[str], text: str) -> None:
    if text not in texts:
        texts.append(text)


def _why_skipped(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def line(row: Row, result: Result) -> str:
    """Return a row of the table."""
    fault = row.fault if len(row.fault) <= 56 else f"{row.fault[:55]}…"
    return f"{row.number:>3}  {fault:<56} {result.cases:>5} {result.struck:>7} {result.seconds:>6.1f}  {result.outcome}"


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help="numbers of rows; by default all")
    parser.add_argument("--seed", default="", help="draw other sizes, contents and moments")
    parser.add_argument("--big", action="store_true", help="10 GB where usually less has to do")
    asked = parser.parse_args()
    rows = asked.rows or list(ROWS)
    if unknown := [number for number in rows if number not in ROWS]:
        parser.error(f"there is no row {unknown[0]}; there are 1 to {max(ROWS)}")
    if asked.seed:
        os.environ[SEED_VARIABLE] = asked.seed
    if asked.big:
        os.environ[BIG_VARIABLE] = "1"
    matrix = Matrix(rows)
    began = time.monotonic()
    code = pytest.main([str(HERE), "-q", "--no-header", "-p", "no:cacheprovider"], plugins=[matrix])
    print(f"\n{'row':>3}  {'fault':<56} {'cases':>5} {'struck':>7} {'s':>6}  outcome")
    for number in rows:
        print(line(ROWS[number], matrix.results[number]))
    results = [matrix.results[number] for number in rows]
    held = sum(result.outcome.startswith("held") for result in results)
    cases, struck = sum(result.cases for result in results), sum(result.struck for result in results)
    print(f"\n{held} of {len(rows)} rows held; {cases} cases, {struck} strikes, {time.monotonic() - began:.0f} s")
    return int(code) or int(held < len(rows))


if __name__ == "__main__":
    sys.exit(main())
