"""Looking for what catches a planted bug: a seed of the simulator, or a test."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult
from pathlib import Path

import pytest

from dfslab.cli.text import columns
from dfslab.core.guarantees import Guarantee
from dfslab.sim import Settings, simulate
from tests.planted.mutant import InHistories, InTests, Mutant

SEEDS = 200
STEPS = 4000
LIMIT_S = 300.0
"""After so long of waiting for it, a mutant has survived."""
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Attributes
    ----------
    name : str
    caught_by : str
        The seed and the guarantee that it broke, or the test that failed; empty for a mutant that survived.
    seconds : float
    tried : str
        What was tried, and what else went wrong meanwhile.
    """

    name: str
    caught_by: str
    seconds: float
    tried: str


@contextlib.contextmanager
def hunting(mutants: Sequence[Mutant], seeds: int = SEEDS) -> Iterator[dict[str, AsyncResult[Verdict]]]:
    """Hunt many, as many at a time as there are cores, each in a process that is its own; at the end, end them all.

    They are forked from a process that has imported what they need and done nothing else.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.planted.mutants", __name__])
    with context.Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        yield {mutant.name: pool.apply_async(_hunt, (mutant, seeds)) for mutant in mutants}


def verdict_of(name: str, hunt: AsyncResult[Verdict]) -> Verdict:
    """Wait for what becomes of a mutant."""
    try:
        return hunt.get(LIMIT_S)
    except multiprocessing.TimeoutError:
        return Verdict(name, "", LIMIT_S, "it took too long")


def _hunt(mutant: Mutant, seeds: int) -> Verdict:
    began = time.monotonic()
    try:
        return hunt_here(mutant, seeds)
    except Exception as error:  # noqa: BLE001 - the verdict tells it, and the mutant has survived
        return Verdict(mutant.name, "", time.monotonic() - began, f"the hunt failed: {type(error).__name__}: {error}")


def hunt_here(mutant: Mutant, seeds: int = SEEDS) -> Verdict:
    """Look for what catches a mutant, with the bug in this process."""
    began = time.monotonic()
    if isinstance(mutant, InHistories):
        caught_by, tried = _hunt_in_histories(mutant, seeds)
    else:
        assert isinstance(mutant, InTests), mutant
        caught_by, tried = _hunt_in_tests(mutant)
    return Verdict(mutant.name, caught_by, time.monotonic() - began, tried)


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines that tell what caught each."""
    rows = [(one.name, one.caught_by or "NOTHING: it survived", f"{one.seconds:.1f}") for one in verdicts]
    yield from columns(("mutant", "caught by", "seconds"), rows, right=("seconds",))
    yield f"caught {sum(1 for one in verdicts if one.caught_by)}/{len(verdicts)}"


# -- in histories ---------------------------------------------------------------------------------


def _hunt_in_histories(mutant: InHistories, seeds: int) -> tuple[str, str]:
    """A seed counts when the guarantee holds in it without the bug."""
    besides: Counter[str] = Counter()
    for number, seed in enumerate(_seeds(mutant.begin, seeds), 1):
        with mutant.planted():
            broken = _broken_in(seed)
        if isinstance(broken, Guarantee) and broken in mutant.breaks and _broken_in(seed) is None:
            return f"seed {seed}: {_short(broken)}", f"{number} seeds"
        if broken is not None:
            besides[broken.name if isinstance(broken, Guarantee) else broken] += 1
    return "", f"{seeds} seeds of {STEPS} steps; besides: {dict(besides) or 'nothing'}"


def _short(guarantee: Guarantee) -> str:
    number, _, _ = guarantee.value.partition(":")
    return f"guarantee {number} ({guarantee.name})" if number.isdigit() else f"guarantee {guarantee.name}"


def _seeds(begin: int, count: int) -> Iterator[int]:
    yield begin
    yield from (seed for seed in range(count) if seed != begin)


def _broken_in(seed: int) -> Guarantee | str | None:
    """Return the guarantee that a history breaks, or the error that it ends with."""
    try:
        outcome = simulate(Settings(seed=seed, steps=STEPS))
    except Exception as error:  # noqa: BLE001 - a bug may raise anything; what it raised is told
        return f"{type(error).__name__}: {error}"[:200]
    return outcome.broken.guarantee if outcome.broken else None


# -- in tests -------------------------------------------------------------------------------------


class _Failures:
    """Takes down which tests failed in their own words: an error while one is set up finds nothing."""

    def __init__(self) -> None:
        self.tests: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.when == "call":
            self.tests.append(report.nodeid)


def _hunt_in_tests(mutant: InTests) -> tuple[str, str]:
    options = ["-x", "-q", "-p", "no:cacheprovider", "--timeout", "60"]
    failures = _Failures()
    with mutant.planted(), contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main([*options, *(str(ROOT / test) for test in mutant.tests)], plugins=[failures])
    if failures.tests and code is pytest.ExitCode.TESTS_FAILED:
        return failures.tests[0], "its tests"
    return "", f"{' '.join(mutant.tests)}: {said.getvalue().strip()[-1500:]}"
