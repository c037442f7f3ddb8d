"""Plant every bug, and print what caught it: `python -m tests.planted [NAME ...]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from tests.planted.hunting import SEEDS, hunting, table, verdict_of
from tests.planted.mutant import InTests, Mutant
from tests.planted.mutants import MUTANTS


def main(arguments: Sequence[str]) -> int:
    """Return 0 when every mutant was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these mutants")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="how many seeds to try (%(default)s)")
    parser.add_argument("--tests", metavar="FILE", nargs="+", help="these tests are to find it, not what should")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each, as soon as it is known")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in MUTANTS]
    if unknown:
        parser.error(f"there is no mutant {', '.join(unknown)}")
    mutants = [MUTANTS[name] for name in given.names or MUTANTS]
    if given.tests:
        tests = tuple(given.tests)
        mutants = [InTests(name=one.name, wrong=one.wrong, changes=one.changes, tests=tests) for one in mutants]
    return _lines(mutants, given.seeds) if given.json else _table(mutants, given.seeds)


def _lines(mutants: Sequence[Mutant], seeds: int) -> int:
    with hunting(mutants, seeds) as hunts:
        for name, hunt in hunts.items():
            print(json.dumps(asdict(verdict_of(name, hunt))), flush=True)
    return 0


def _table(mutants: Sequence[Mutant], seeds: int) -> int:
    began = time.monotonic()
    with hunting(mutants, seeds) as hunts:
        verdicts = [verdict_of(name, hunt) for name, hunt in hunts.items()]
    for line in table(verdicts):
        print(line)
    survivors = [one for one in verdicts if not one.caught_by]
    for one in survivors:
        print(f"\n{one.name}: {MUTANTS[one.name].wrong}\n  {one.tried}")
    print(f"in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
