"""The long proof: `python -m tests.soak` (or `make soak`).

Lives through many seeds in virtual time, plants every bug, and lets the nemesis loose on real processes;
then prints what was acknowledged, lost and wrong, what struck, and how many planted bugs were caught.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter

from tests.soak.storm import Storm, storm


def main() -> int:
    """Run what the command line asks for; 0 when nothing was lost or wrong, and every planted bug was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="histories in virtual time")
    parser.add_argument("--steps", type=int, default=20_000, help="steps of each")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the nemesis among real processes")
    parser.add_argument("--seed", type=int, default=1, help="the nemesis's")
    asked = parser.parse_args()
    codes = []
    if asked.seeds:
        codes.append(_run("histories", "dfslab.cli", "sim", "--seeds", str(asked.seeds), "--steps", str(asked.steps)))
        codes.append(_run("planted bugs", "tests.planted"))
    if asked.minutes:
        _title(f"nemesis: {asked.minutes:g} minutes, real processes, seed {asked.seed}")
        codes.append(_tell(storm(60 * asked.minutes, asked.seed)))
    print("\nNOTHING WAS LOST" if not any(codes) else "\nSOMETHING IS WRONG: see above")
    return int(any(codes))


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _run(what: str, module: str, *arguments: str) -> int:
    _title(what)
    began = time.monotonic()
    code = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    print(f"({time.monotonic() - began:.0f} s)", flush=True)
    return code


def _tell(result: Storm) -> int:
    lost = sum("is lost" in what for what in result.broken)
    print(
        f"uploads acknowledged {result.uploaded}, lost {lost}, wrong {len(result.broken) - lost}; "
        f"downloads compared {result.downloaded}, deletions {result.deleted}, {result.seconds:.0f} s"
    )
    print(f"struck: {_words(result.struck)}")
    print(f"errors that clients met: {_words(result.errors)}")
    for what in result.broken:
        print(f"BROKEN: {what}")
    return int(bool(result.broken))


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {times}" for what, times in counts.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
