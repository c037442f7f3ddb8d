"""Looking for what catches a planted bug: a seed of the simulator, or a test."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from dfslab.cli.text import columns
from dfslab.core.guarantees import Guarantee
from dfslab.sim import Settings, simulate
from tests.planted.mutant import InHistories, InTests, Mutant
from tests.planted.plugin import MUTANT_VARIABLE, REPORT_VARIABLE

SEEDS = 200
STEPS = 4000
LIMIT_S = 300.0
"""After so long, a process that looks is ended, and its mutant has survived."""
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


def hunt(mutant: Mutant, seeds: int = SEEDS) -> Verdict:
    """Look for what catches a mutant, in processes that nothing else runs in."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.planted", "--here", "--seeds", str(seeds), mutant.name]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Verdict(mutant.name, "", LIMIT_S, "it took too long")
    if done.returncode:
        return Verdict(mutant.name, "", time.monotonic() - began, f"the hunt failed: {done.stderr.strip()[-2000:]}")
    return Verdict(**json.loads(done.stdout))


@contextlib.contextmanager
def hunting(mutants: Sequence[Mutant], seeds: int = SEEDS) -> Iterator[dict[str, Future[Verdict]]]:
    """Hunt many, as many at a time as there are cores; at the end, those that have not begun never do."""
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        yield {mutant.name: pool.submit(hunt, mutant, seeds) for mutant in mutants}
    finally:
        pool.shutdown(cancel_futures=True)


def hunt_here(mutant: Mutant, seeds: int = SEEDS) -> Verdict:
    """Look for what catches a mutant, with the bug in this process or in one that runs its tests."""
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


def as_json(verdict: Verdict) -> str:
    """Return a verdict as `hunt` reads it."""
    return json.dumps(asdict(verdict))


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


def _hunt_in_tests(mutant: InTests) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="dfslab-planted-") as directory:
        report = Path(directory) / "failed"
        env = {**os.environ, MUTANT_VARIABLE: mutant.name, REPORT_VARIABLE: str(report)}
        options = ["-x", "-q", "-p", "tests.planted.plugin", "-p", "no:cacheprovider", "--timeout", "60"]
        command = [sys.executable, "-m", "pytest", *options, *mutant.tests]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        failed = report.read_text().splitlines() if report.exists() else []
    if failed and done.returncode == 1:
        return failed[0], "its tests"
    return "", f"{' '.join(mutant.tests)}: {done.stdout.strip()[-1500:]}"
