"""Exercise: a failure detector that learns how regular heartbeats are."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dfslab.exercises.model import Check, Draw, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.beats import Watched, watch

SEEDS, LONG_SEEDS = 10, 5
PATIENCE_S = 20.0
LOOKS = 5
"""How often the detector is asked in one interval."""
MOST_INTERVALS = 5
"""How many intervals of silence at most until a keeper is dead."""
CALM = 0.1
ROUGH = 0.9

SPEC = """\
Write a failure detector that nobody has to tell the heartbeat interval: it learns from the gaps between the heartbeats
of each keeper how regular they are. It has the methods of `timeout-detector`, and is made with `patience_s`.

- **Few false alarms.** A keeper that is alive is not declared dead: neither when heartbeats are late by up to nine
  tenths of the interval, nor when one is lost (never two in a row).
- **Yet bounded.** A keeper that falls silent is dead after at most 5 of its intervals, whatever the interval is: half a
  second, or four.
- **It forgets.** When a rough time is over, and 150 heartbeats have come in time, 3 intervals have to do.
- **At first** it knows nothing: with fewer than 10 gaps known of a keeper, it is dead after `patience_s` of silence,
  not sooner, and at most one second later. A keeper that was never heard of, or was forgotten, is not overdue. One that
  comes back after its death is watched as before: the time of its death was no gap between heartbeats.
"""

STARTER = """\
class MyDetector:
    def __init__(self, patience_s=20.0):
        self.patience_s = patience_s
        self.last_s = {}
        self.gaps = {}

    def heard(self, keeper, now):
        ...

    def forget(self, keeper):
        ...

    def is_overdue(self, keeper, now):
        return False
"""


@dataclass(frozen=True)
class _Life:
    """When the heartbeats of one keeper arrive that sends one every `interval_s`, until it falls silent."""

    interval_s: float
    arrivals: Sequence[float]

    def watched(self, trial: Trial, silent_s: float) -> Watched:
        until_s = self.arrivals[-1] + silent_s
        detector = trial.policy("failure_detector", PATIENCE_S)
        return watch(detector, {"keeper-1": self.arrivals}, until_s, self.interval_s / LOOKS)

    def picture(self, watched: Watched, at_s: float) -> Draw:
        return watched.around(at_s, 12 * self.interval_s, 4 * self.interval_s).picture


def _arrivals(rng: random.Random, interval_s: float, lateness: Sequence[float], *, lost: float = 0.0) -> list[float]:
    """Return when heartbeats arrive, each late by a part of the interval that is drawn up to its `lateness`."""
    arrivals: list[float] = []
    was_lost = True  # the first arrives
    for number, late in enumerate(lateness):
        was_lost = not was_lost and rng.random() < lost
        if not was_lost:
            arrivals.append((number + late * rng.random()) * interval_s)
    return arrivals


def _late(trial: Trial) -> None:
    _nobody_dead(trial, lambda rng, interval_s: _arrivals(rng, interval_s, [ROUGH] * 80))


def _lost(trial: Trial) -> None:
    _nobody_dead(trial, lambda rng, interval_s: _arrivals(rng, interval_s, [CALM] * 80, lost=0.1))


def _nobody_dead(trial: Trial, arrivals: Callable[[random.Random, float], list[float]]) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        interval_s = rng.choice([0.5, 1.0, 4.0])
        life = _Life(interval_s, arrivals(rng, interval_s))
        watched = life.watched(trial, 0.0)
        for at_s in watched.dead.values():
            before = [beat for beat in life.arrivals if beat <= at_s]
            gaps = [later - sooner for sooner, later in itertools.pairwise(before)]
            known = f"the gaps before were {min(gaps):.2f} to {max(gaps):.2f} s" if gaps else "it had beaten once"
            what = f"keeper-1 was alive, and was declared dead after {at_s - before[-1]:.2f} s of silence: {known}"
            raise Wrong(what, at_s=at_s, picture=life.picture(watched, at_s))


def _bounded(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        interval_s = rng.choice([0.5, 1.0, 4.0])
        lateness = [rng.choice([CALM, ROUGH])] * 40
        _dead_within(trial, _Life(interval_s, _arrivals(rng, interval_s, lateness)), MOST_INTERVALS)


def _calm_again(trial: Trial) -> None:
    for _ in trial.seeds(LONG_SEEDS):
        rng = trial.rng()
        interval_s = rng.choice([0.5, 1.0, 4.0])
        lateness = [ROUGH] * 60 + [CALM] * 150
        _dead_within(trial, _Life(interval_s, _arrivals(rng, interval_s, lateness)), 3)


def _dead_within(trial: Trial, life: _Life, intervals: float) -> None:
    last_s, most_s = life.arrivals[-1], (intervals + 1 / LOOKS) * life.interval_s
    watched = life.watched(trial, most_s + 2 * life.interval_s)
    dead_s = watched.dead.get("keeper-1")
    told = f"a heartbeat was due every {life.interval_s:g} s, and {intervals:g} intervals of silence are the most"
    if dead_s is None or dead_s > last_s + most_s:
        when = "was not declared dead in time" if dead_s is None else f"was declared dead {dead_s - last_s:.2f} s later"
        at_s = last_s + most_s
        raise Wrong(
            f"keeper-1 beat last at {last_s:.2f} s, and {when}: {told}", at_s=at_s, picture=life.picture(watched, at_s)
        )
    if dead_s < last_s:
        what = f"keeper-1 was alive until {last_s:.2f} s, and was declared dead before"
        raise Wrong(what, at_s=dead_s, picture=life.picture(watched, dead_s))


def _at_first(trial: Trial) -> None:
    detector = trial.policy("failure_detector", PATIENCE_S)
    _expect(detector, "keeper-1", 100.0, overdue=False, why="it was never heard of")
    for number in range(3):
        detector.heard("keeper-1", float(number))
    _expect(
        detector, "keeper-1", 2 + PATIENCE_S - 0.5, overdue=False, why="2 gaps are known, and patience_s is not over"
    )
    _expect(detector, "keeper-1", 2 + PATIENCE_S + 1, overdue=True, why="2 gaps are known, and patience_s is over")
    detector.forget("keeper-1")
    _expect(detector, "keeper-1", 200.0, overdue=False, why="it was forgotten")


def _back_again(trial: Trial) -> None:
    detector = trial.policy("failure_detector", PATIENCE_S)
    for number in range(30):
        detector.heard("keeper-1", float(number))
        detector.heard("keeper-2", float(number) * 4)
    detector.forget("keeper-1")
    for number in range(300, 330):
        detector.heard("keeper-1", float(number))
    _expect(detector, "keeper-1", 330.0, overdue=False, why="it came back at 300 s, and beats every second")
    why = "it came back at 300 s, beat every second until 329 s, and 5 intervals of silence are the most"
    _expect(detector, "keeper-1", 334.1, overdue=True, why=why)


def _expect(detector: object, keeper: str, now: float, *, overdue: bool, why: str) -> None:
    if detector.is_overdue(keeper, now) != overdue:  # type: ignore[attr-defined]
        raise Wrong(f"{keeper} is {'not ' if overdue else ''}overdue: {why}", at_s=now)


EXERCISE = Exercise(
    name="adaptive-detector",
    title="A detector that learns",
    notebook="04_heartbeats_and_failure_detection",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("Before it knows ten gaps, it waits for patience_s; nobody unknown is overdue", 1, _at_first),
        Check("Who falls silent is dead within 5 intervals, be they short or long", 2, _bounded),
        Check("Late heartbeats are no death", 2, _late),
        Check("A lost heartbeat is no death", 1, _lost),
        Check("After a rough time it becomes quick again", 1, _calm_again),
        Check("Who comes back after a death is watched as before", 1, _back_again),
    ),
)
