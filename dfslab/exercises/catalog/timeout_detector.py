"""Exercise: a failure detector with a fixed timeout."""

from __future__ import annotations

from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.beats import LOOK_S, watch

SEEDS = 10
UNTIL_S = 30.0

SPEC = """\
Write a failure detector: a class with three methods.

- `heard(keeper, now)` is called at every heartbeat;
- `forget(keeper)` when a keeper was declared dead or has left;
- `is_overdue(keeper, now)` returns `True` when `keeper` has been silent for `timeout_s` or longer.

A keeper that was never heard of, or was forgotten, is not overdue. Times are seconds.
"""

STARTER = """\
class MyDetector:
    def __init__(self, timeout_s=3.0):
        self.timeout_s = timeout_s

    def heard(self, keeper, now):
        ...

    def forget(self, keeper):
        ...

    def is_overdue(self, keeper, now):
        return False
"""


def _dead_in_time(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        timeout_s, dies_s = rng.choice([2.0, 3.0, 5.0]), rng.uniform(5, 15)
        beats = {
            f"keeper-{number}": [beat for beat in _beats(rng.random()) if number > 1 or beat < dies_s]
            for number in (1, 2, 3)
        }
        watched = watch(trial.policy("failure_detector", timeout_s), beats, UNTIL_S)
        last_s = beats["keeper-1"][-1]
        due_s = last_s + timeout_s
        dead_s = watched.dead.get("keeper-1")
        if dead_s is None:
            what = f"keeper-1 beat last at {last_s:.2f} s, and was never declared dead (timeout {timeout_s:g} s)"
            raise Wrong(what, at_s=due_s, picture=watched.picture)
        if not due_s - 1e-6 <= dead_s <= due_s + LOOK_S + 1e-6:
            early = "too early" if dead_s < due_s else "too late"
            told = f"it beat last at {last_s:.2f} s, the timeout is {timeout_s:g} s"
            raise Wrong(f"keeper-1 was declared dead {early}: {told}", at_s=dead_s, picture=watched.picture)


def _nobody_else(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        beats = {f"keeper-{number}": _beats(rng.random()) for number in (1, 2, 3)}
        watched = watch(trial.policy("failure_detector", 3.0), beats, UNTIL_S)
        for keeper, dead_s in watched.dead.items():
            what = f"{keeper} beats every second, and was declared dead"
            raise Wrong(what, at_s=dead_s, picture=watched.picture)


def _forgotten(trial: Trial) -> None:
    detector = trial.policy("failure_detector", 3.0)
    if detector.is_overdue("keeper-9", 100.0):
        raise Wrong("a keeper that was never heard of is overdue", at_s=100.0)
    detector.heard("keeper-1", 0.0)
    detector.forget("keeper-1")
    if detector.is_overdue("keeper-1", 10.0):
        raise Wrong("keeper-1 was forgotten at 0 s, and is overdue", at_s=10.0)
    detector.heard("keeper-1", 20.0)
    if detector.is_overdue("keeper-1", 21.0):
        raise Wrong("keeper-1 came back at 20 s, and is overdue one second later", at_s=21.0)
    if not detector.is_overdue("keeper-1", 24.0):
        raise Wrong("keeper-1 came back at 20 s and was silent from then on: it is not overdue after 4 s", at_s=24.0)


def _beats(first_s: float) -> list[float]:
    return [first_s + number for number in range(int(UNTIL_S - first_s) + 1)]


EXERCISE = Exercise(
    name="timeout-detector",
    title="A detector with a fixed timeout",
    notebook="04_heartbeats_and_failure_detection",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("A keeper that beats every second is never declared dead", 1, _nobody_else),
        Check("A silent keeper is dead when its timeout is over, not sooner and not later", 2, _dead_in_time),
        Check("What is forgotten or unknown is not overdue; who comes back is watched again", 1, _forgotten),
    ),
)
