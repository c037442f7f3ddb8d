"""What makes a test a case of the matrix: its rows, its seed, and the verdict that no author has to ask for."""

from __future__ import annotations

import os
import zlib
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.faults.case import Case
from tests.faults.rows import ROWS

SEED_VARIABLE = "DFSLAB_FAULT_SEED"
BIG_VARIABLE = "DFSLAB_BIG"


def row(*numbers: int) -> pytest.MarkDecorator:
    """Say which rows of the matrix a test shows."""
    unknown = [number for number in numbers if number not in ROWS]
    assert numbers, "a case belongs to a row"
    assert not unknown, f"there is no row {unknown}"
    return pytest.mark.row(*numbers)


def rows_of(item: pytest.Item) -> list[int]:
    """Return the rows that a test shows."""
    return sorted({number for mark in item.iter_markers("row") for number in mark.args})


def seed_of(node_id: str) -> int:
    """Return a case's seed: its own, the same in every run, unless the environment moves all of them."""
    return zlib.crc32(f"{node_id} {os.environ.get(SEED_VARIABLE, '')}".encode())


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """The case that a test is; when the test's own words are over, the oracle has its say."""
    made = Case(seed_of(request.node.nodeid))
    yield made
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Judge every case as part of its test, so that a verdict is a failure of the test."""
    case = pyfuncitem.funcargs.get("case")
    if not isinstance(case, Case):
        assert not rows_of(pyfuncitem), "a test of a row takes the fixture `case`"
        return (yield)
    try:
        result = yield
        case.judge()
        return result
    finally:
        pyfuncitem.user_properties.append(("struck", case.struck.total()))
        struck = ", ".join(f"{what} ({times})" for what, times in case.struck.items()) or "nothing"
        moved = os.environ.get(SEED_VARIABLE)
        again = f"{SEED_VARIABLE}={moved} " if moved else ""
        words = f"seed {case.seed}; struck: {struck}\n{again}python -m pytest '{pyfuncitem.nodeid}'"
        pyfuncitem.add_report_section("call", "the case", words)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Hand the rows of a test on to its reports."""
    if rows := rows_of(item):
        item.user_properties.append(("rows", rows))


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "row(number, ...): the rows of the fault matrix that a test shows")
