"""Exercise: all four policies of a file system, in one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dfslab.core.errors import DfsError, WaitTimedOut
from dfslab.core.policies.failure_detector import FailureDetector
from dfslab.core.policies.repair_order import Shortage
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.policies import REMOTE
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.contest import DOWNLOAD_LIMIT_S, PlayFailed, Result, play
from dfslab.sim import Settings, simulate

DETECTED_S = 8.0
FALSE_ALARMS = 1
SKEW = 1.25
SLOWER = 1.25
SPEED = 10.0
CLUSTER_S = 6.0

SPEC = """\
Write the four policies of a distributed file system, and hand them in as a dict:

- `"placement"`: `choose(candidates, size, rng)` returns the name (`.keeper`) of the candidate that gets the next copy.
  A candidate has `.stored_bytes`, `.free_bytes` and `.replicas`; use no other chance than `rng`.
- `"failure_detector"`: `heard(keeper, now)`, `forget(keeper)` and `is_overdue(keeper, now)`. Keepers beat every second,
  but a heartbeat may be late, and a keeper may pause for up to 2.6 s without being dead.
- `"repair_order"`: `key(shortage)` returns a sort key, the smallest is copied first. A shortage has `.live` (how many
  copies are left), `.size` and `.since_s`.
- `"chunk_scheduler"`: `next_chunk(keeper, waiting, in_flight, chunk_s, now)` returns what an idle keeper serves next:
  one of `waiting`, or a chunk that somebody else is late with, or `None`. `in_flight` maps the number of a chunk to an
  object with `.chunk`, `.keepers` (who serves it) and `.since_s`; `chunk_s` is the mean time of a chunk so far, `None`
  before the first.

Each class is made without arguments. Times are seconds, sizes are bytes.
"""

STARTER = """\
class MyPlacement:
    def choose(self, candidates, size, rng):
        return candidates[0].keeper


class MyDetector:
    def heard(self, keeper, now):
        ...

    def forget(self, keeper):
        ...

    def is_overdue(self, keeper, now):
        return False


class MyRepairOrder:
    def key(self, shortage):
        return (0,)


class MyScheduler:
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0] if waiting else None


MY_POLICIES = {
    "placement": MyPlacement,
    "failure_detector": MyDetector,
    "repair_order": MyRepairOrder,
    "chunk_scheduler": MyScheduler,
}
"""


def _played(trial: Trial, seed: int, *kinds: str) -> Result:
    """Let these policies of the submission, and the kit's others, live through a world."""
    try:
        result = play({kind: trial.policy(kind, part=kind) for kind in kinds}, seed)
    except PlayFailed as error:
        trial.check_alive()
        raise Wrong(str(error)) from error
    trial.check_alive()
    return result


def _all_parts(trial: Trial) -> None:
    for seed in trial.seeds(2):
        result = _played(trial, seed, *REMOTE)
        if result.files_lost > FALSE_ALARMS:
            last_s = max(result.deaths.values())
            what = f"{result.files_lost} of 32 files were lost when three of eight keepers died one after another"
            raise Wrong(f"{what}: the kit's own policies lose one at most", at_s=last_s, picture=result.picture)
        if not result.whole:
            last_s = max(result.deaths.values())
            what = "90 s after the beginning, files still have fewer than three copies"
            raise Wrong(f"{what}; the last keeper died at {last_s:.1f} s", at_s=last_s, picture=result.picture)


def _detection(trial: Trial) -> None:
    for seed in trial.seeds(2):
        result = _played(trial, seed, "failure_detector")
        for keeper, died_s in result.deaths.items():
            declared_s = result.declared.get(keeper)
            if declared_s is None or declared_s - died_s > DETECTED_S:
                when = (
                    "never declared dead" if declared_s is None else f"declared dead {declared_s - died_s:.1f} s later"
                )
                what = f"{keeper} died at {died_s:.1f} s and was {when}; at most {DETECTED_S:g} s were allowed"
                raise Wrong(what, at_s=died_s, picture=result.picture)
        if result.false_alarms > FALSE_ALARMS:
            keeper, alarm_s = min(result.alarms.items(), key=lambda item: item[1])
            what = f"{result.false_alarms} times a keeper was declared dead that was only late, first {keeper}"
            raise Wrong(f"{what}; at most {FALSE_ALARMS} is allowed", at_s=alarm_s, picture=result.picture)


def _placement(trial: Trial) -> None:
    skews = [_played(trial, seed, "placement").skew for seed in trial.seeds(3)]
    skew = sum(skews) / len(skews)
    if skew > SKEW:
        told = f"in {len(skews)} worlds, the fullest keeper has {skew:.2f} times the bytes of the mean keeper"
        raise Wrong(f"{told}; at most {SKEW:g} times is allowed, and the kit's placement has 1.1")


def _order(trial: Trial) -> None:
    order = trial.policy("repair_order", part="repair_order")
    for _ in trial.seeds(10):
        rng = trial.rng()
        safe, endangered = (
            Shortage(f"v{live}", f"{live}.mp4", rng.randrange(10**6, 10**8), live, 3, rng.uniform(0, 60))
            for live in (2, 1)
        )
        first, then = order.key(endangered), order.key(safe)
        try:
            in_order = first < then
        except TypeError as error:
            raise Wrong(f"its keys can't be compared, and so not sorted: {error}") from error
        if not in_order:
            what = "a file with 2 copies left was to be repaired before one with 1 copy, which is nearer to its loss"
            told = f"({safe.size / 1e6:.0f} MB short since {safe.since_s:.0f} s, {endangered.size / 1e6:.0f} MB"
            raise Wrong(f"{what} {told} since {endangered.since_s:.0f} s)")


def _scheduler(trial: Trial) -> None:
    for seed in trial.seeds(3):
        theirs, ours = _played(trial, seed, "chunk_scheduler").download_s, play({}, seed).download_s
        if theirs >= DOWNLOAD_LIMIT_S:
            raise Wrong(f"no download had ended after {DOWNLOAD_LIMIT_S:g} s: chunks were left that nobody was given")
        if theirs > SLOWER * ours:
            what = f"a download took {theirs:.2f} s (the mean of four), and the kit's scheduler takes {ours:.2f} s"
            held = "one holder is held up for a second with its first chunk: does anybody else fetch that chunk?"
            raise Wrong(f"{what}; {held}")


def _guarantees(trial: Trial) -> None:
    for seed in trial.seeds(2):
        policies = {kind: trial.policy(kind, part=kind) for kind in REMOTE}
        outcome = simulate(Settings(seed=seed, steps=500, keepers=4, policies=policies))
        trial.check_alive()
        if outcome.broken is not None:
            raise Wrong(f"in a simulated cluster under faults, a guarantee broke: {outcome.broken}")


class _AtLessonSpeed:
    """A detector on a cluster whose timers run faster: it is told the time of the lesson, not of the clock."""

    def __init__(self, detector: FailureDetector) -> None:
        self._detector = detector

    def heard(self, keeper: str, now: float) -> None:
        self._detector.heard(keeper, now * SPEED)

    def forget(self, keeper: str) -> None:
        self._detector.forget(keeper)

    def is_overdue(self, keeper: str, now: float) -> bool:
        return bool(self._detector.is_overdue(keeper, now * SPEED))


def _cluster(trial: Trial) -> None:
    from dfslab import cluster

    policies = {kind: trial.policy(kind, part=kind) for kind in REMOTE}
    policies["failure_detector"] = _AtLessonSpeed(policies["failure_detector"])
    with tempfile.TemporaryDirectory() as folder:
        source, copy = Path(folder, "thesis.bin"), Path(folder, "copy.bin")
        source.write_bytes(trial.rng().randbytes(2_000_000))
        step = "store the file"
        try:
            with cluster.start(n=4, speed=SPEED, **policies) as running:
                running.upload(source)
                step = "make its three copies"
                running.wait_for_replicas(timeout_s=CLUSTER_S)
                step = "notice that one of its holders was killed, and copy the file again"
                running.kill(running.stat(source.name).holders[0])
                running.wait_for_replicas(timeout_s=CLUSTER_S)
                step = "download it"
                running.download(source.name, copy)
        except (DfsError, WaitTimedOut) as error:
            trial.check_alive()
            raise Wrong(f"a real cluster of four keepers could not {step}: {error}") from error
        if copy.read_bytes() != source.read_bytes():
            raise Wrong("a real cluster of four keepers gave other bytes than were stored")


EXERCISE = Exercise(
    name="build-your-own",
    title="Build your own file system",
    notebook="09_build_your_own",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("Files with the fewest copies left are repaired first", 1, _order),
        Check("Bytes are spread evenly over the keepers", 2, _placement),
        Check("A dead keeper is noticed, and one that is only late is left in peace", 2, _detection),
        Check("A keeper that is held up does not hold up a download", 2, _scheduler),
        Check("All four together keep the files when three keepers die", 2, _all_parts),
        Check("Under all the simulator's faults, no guarantee of the file system breaks", 2, _guarantees),
        Check("A real cluster runs with them: it stores, loses a keeper, repairs and downloads", 1, _cluster),
    ),
)
