"""Look for inputs that break what reads untrusted bytes, led by the branches that they reach (`make fuzz`).

    python tools/fuzz.py [--seconds 20] [TARGET ...]     fuzz, each target in a process of its own
    python tools/fuzz.py TARGET FILE ...                 run files again, without the fuzzer

The targets are those of tests/fuzz/targets.py. A run starts from the committed inputs in
tests/fuzz/corpus/<target> and keeps what reaches new branches in artifacts/fuzz/<target>, where the next run
goes on from. What breaks a target is written to artifacts/fuzz/found; put it into the corpus with the fix.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
CORPUS = REPO / "tests" / "fuzz" / "corpus"
WORK = REPO / "artifacts" / "fuzz"
FOUND = WORK / "found"
MEMORY_MB = 1024
INPUT_TIMEOUT_S = 10

sys.path.insert(0, str(REPO))


def main() -> int:
    """Run what the command line asks for; return 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="TARGET or FILE", help="by default every target")
    parser.add_argument("--seconds", type=int, default=20, help="how long to fuzz each target (default: 20)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    files = [Path(one) for one in given.what if Path(one).is_file()]
    targets = [one for one in given.what if Path(one) not in files]
    if given.inside:
        fuzz(targets[0], given.seconds)
    names = known_targets()
    unknown = [one for one in targets if one not in names]
    if unknown or (files and len(targets) != 1):
        parser.error(f"no target {', '.join(unknown) or 'given'}; there are {', '.join(names)}")
    if files:
        replay(targets[0], files)
        return 0
    return search(targets or names, given.seconds)


def known_targets() -> list[str]:
    """Return the names of the targets."""
    from tests.fuzz.targets import TARGETS

    return list(TARGETS)


def replay(target: str, files: list[Path]) -> None:
    """Hand files to a target; whatever it raises comes out."""
    from tests.fuzz.targets import TARGETS

    for path in files:
        TARGETS[target](path.read_bytes())
        print(f"{target}: {path} passes")


def search(targets: list[str], seconds: int) -> int:
    """Fuzz each target in a process of its own, and say what was found and how to run it again."""
    FOUND.mkdir(parents=True, exist_ok=True)
    before = set(FOUND.iterdir())
    failed = []
    for target in targets:
        print(f"{target}: {seconds} s", flush=True)
        log = WORK / f"{target}.log"
        with open(log, "wb") as output:
            command = [sys.executable, __file__, "--inside", "--seconds", str(seconds), target]
            code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
        print("  " + summary(log), flush=True)
        new = sorted(set(FOUND.iterdir()) - before)
        before.update(new)
        if code != 0:
            failed.append(target)
            print(f"  FOUND; the whole story is in {shown(log)}")
            for path in new:
                print(f"  reproduce it with: {shown(Path(sys.executable))} tools/fuzz.py {target} {shown(path)}")
    print(f"{len(targets)} targets fuzzed, {len(failed)} broke{': ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


def shown(path: Path) -> str:
    """Return a path as one types it in the repository."""
    return os.path.relpath(path, REPO) if path.is_relative_to(REPO) else str(path)


def summary(log: Path) -> str:
    """Return what the fuzzer said last of how far it came."""
    lines = log.read_text(errors="replace").splitlines()
    said = [line for line in lines if re.match(r"#\d+\s", line)]
    return " ".join((said or lines or ["it said nothing"])[-1].split())


def fuzz(target: str, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["dfslab", "tests.fuzz", "json"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    own = WORK / target
    own.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-artifact_prefix={FOUND}/{target}-",
        "-max_len=4096",
        "-print_final_stats=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(own), str(CORPUS / target)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
