"""Exercise: how likely a file is lost, from the chain that counts its copies."""

from __future__ import annotations

import math

from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.losing import File, picture

SEEDS = 8
TOLERANCE = 0.02
"""Of the chance: a step of time that is small enough, not infinitely small, will do."""

SPEC = """\
Write a function `loss_probability(copies, mtbf_s, repair_s, time_s)` that returns the chance that a file is lost within
`time_s` seconds, a number from 0 to 1.

- The file starts with `copies` live copies, each on a keeper of its own.
- Each live copy fails at the rate `1 / mtbf_s`, independently of the others: `i` of them fail at the rate `i / mtbf_s`.
- Each missing copy is made again at the rate `1 / repair_s`, all at once: `k` of them at the rate `k / repair_s`.
- With no live copy left there is nothing to copy from: the file is lost for good.

It must be right to within 2 % of the chance itself, for 1 to 5 copies, also where a loss is rare. You may use NumPy.
"""

STARTER = """\
def loss_probability(copies, mtbf_s, repair_s, time_s):
    return 0.0
"""


def _one_copy(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        mtbf_s = trial.rng().choice([10.0, 100.0, 3600.0])
        _judge(trial, File(1, mtbf_s, mtbf_s / 10, mtbf_s * trial.rng().uniform(0.2, 2.0)))


def _two_copies(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        mtbf_s, ratio = rng.choice([10.0, 100.0, 3600.0]), rng.uniform(2.0, 8.0)
        _judge(trial, File(2, mtbf_s, mtbf_s / ratio, mtbf_s * rng.uniform(0.5, 3.0)))


def _more_copies(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        mtbf_s, ratio = rng.choice([10.0, 100.0, 3600.0]), rng.uniform(1.5, 4.0)
        _judge(trial, File(rng.choice([3, 4, 5]), mtbf_s, mtbf_s / ratio, mtbf_s * rng.uniform(2.0, 6.0)))


def _rare(trial: Trial) -> None:
    hour_s = 3600.0
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        file = File(rng.choice([2, 3]), rng.uniform(500, 2000) * hour_s, rng.uniform(2, 8) * hour_s, 8760 * hour_s)
        _judge(trial, file)


def _judge(trial: Trial, file: File) -> None:
    times = [file.time_s * part for part in (0.25, 0.5, 1.0)]
    files = [File(file.copies, file.mtbf_s, file.repair_s, time_s) for time_s in times]
    answers = {one.time_s: _answer(trial, one) for one in files}
    for one in files:
        answer = answers[one.time_s]
        if not math.isclose(answer, one.chance, rel_tol=TOLERANCE):
            raise Wrong(
                f"the chance is {one.chance:.3g}, it returned {answer:.3g} ({one}){_why(one, answer)}",
                at_s=one.time_s,
                picture=lambda: picture(file, answers),
            )


def _answer(trial: Trial, file: File) -> float:
    answer = trial.call(file.copies, file.mtbf_s, file.repair_s, file.time_s)
    if not isinstance(answer, int | float) or isinstance(answer, bool):
        raise Wrong(f"a chance is asked for, a number from 0 to 1; it returned {answer!r:.80}")
    if not 0 <= answer <= 1:
        raise Wrong(f"a chance is a number from 0 to 1; it returned {answer:.6g} ({file})", at_s=file.time_s)
    return float(answer)


def _why(file: File, answer: float) -> str:
    """Return the usual mistake that gives just this answer, if one does."""
    fitting = [what for what, chance in file.mistaken().items() if math.isclose(answer, chance, rel_tol=TOLERANCE / 4)]
    return f": just what comes out if {fitting[0]}" if fitting else ""


EXERCISE = Exercise(
    name="loss-probability",
    title="The chance of losing a file",
    notebook="08_durability",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("It is right for one copy", 1, _one_copy),
        Check("It is right for two copies", 1, _two_copies),
        Check("It is right for three, four and five copies", 2, _more_copies),
        Check("It is right where a loss within a year is rare", 1, _rare),
    ),
)
