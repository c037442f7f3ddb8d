"""`python -m benchmarks`: measure the table, print it, and keep it in `benchmarks/RESULTS.md`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from types import FrameType

from benchmarks import machine, publish, recorded
from benchmarks.context import Context
from benchmarks.rows import MODULES
from benchmarks.table import Result, chosen, run

ROUNDS, QUICK_ROUNDS = 5, 3
ROOM_BYTES = 12_000_000_000
"""What the largest rows take: repair, of 2 GB in 3 copies and as much again beside it."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="+", default=[], metavar="WORD", help="only rows whose name has one of these")
    parser.add_argument("--rounds", type=int, help=f"alternating rounds of each row ({ROUNDS}; quick: {QUICK_ROUNDS})")
    parser.add_argument(
        "--quick", action="store_true", help="the quick subset, without the peer: fails below half of a recorded ratio"
    )
    parser.add_argument("--no-save", action="store_true", help="only print")
    return parser.parse_args()


def end(number: int, frame: FrameType | None) -> None:
    """Leave as an interrupt does, so that everything that was started is ended."""
    raise KeyboardInterrupt(f"signal {number}")


def measure(folder: Path, rounds: int, *, words: list[str], quick: bool) -> list[Result]:
    """Measure module by module."""
    results: list[Result] = []
    for rows in MODULES:
        with Context(folder, quick=quick) as context:
            results += run(chosen(rows(context), containing=words, quick=quick), rounds, tell)
    return results


def tell(result: Result) -> None:
    """Print a line of the table as soon as it is known."""
    print("  ".join(publish.cells(result)), flush=True)


def watch(folder: Path, rounds: int, words: list[str]) -> int:
    """Compare the quick subset with the record; return 1 when a ratio is below half of it, and is so again."""
    then = recorded.read()
    results = measure(folder, rounds, words=words, quick=True)
    print(f"\n{publish.ratios(results, then)}")
    suspects = recorded.fallen(results, then)
    if suspects:  # other programs may have been busy just then
        print("\nonce more, what is below half of the recorded ratio:")
        again = measure(folder, rounds, words=[suspect.row.name for suspect in suspects], quick=True)
        suspects = recorded.fallen(again, then)
    for suspect in suspects:
        print(f"FALLEN: {suspect.row.name}")
    return 1 if suspects else 0


def main() -> int:
    """Measure, print, keep; return the exit status."""
    asked = arguments()
    signal.signal(signal.SIGTERM, end)
    rounds = asked.rounds or (QUICK_ROUNDS if asked.quick else ROUNDS)
    with tempfile.TemporaryDirectory(prefix="dfslab-bench-") as name:
        folder = Path(name)
        if asked.quick:
            return watch(folder, rounds, asked.rows)
        if shutil.disk_usage(folder).free < ROOM_BYTES:
            sys.exit(f"{folder.parent} has less than {ROOM_BYTES / 1e9:.0f} GB of room; name another with TMPDIR=...")
        results = measure(folder, rounds, words=asked.rows, quick=False)
        about = machine.describe(folder)
    print(f"\n{publish.text(results)}")
    if not asked.rows and not asked.no_save:  # a part of the table is not a table to keep
        publish.save(results, about, datetime.now().astimezone().strftime("Measured on %Y-%m-%d"), rounds)
        recorded.write(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
