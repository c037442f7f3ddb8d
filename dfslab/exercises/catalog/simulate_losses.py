"""Exercise: the same file, by simulation."""

from __future__ import annotations

from dfslab.exercises.drawing import BLUE, VERMILION, axes, svg
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.losing import Counted, File

SEEDS = 20
RUNS = 200
SPREAD_SEEDS = 60
SPREAD_ALLOWED = (0.25, 2.5)
"""Of the variance of 60 counts, in units of what it is to be: chance leaves that once in a hundred million times."""

SPEC = """\
Write a function `simulate_losses(copies, mtbf_s, repair_s, time_s, runs, seed)` that lives the life of a file `runs`
times, and returns in how many of them it was lost within `time_s`.

- A life begins with `copies` live copies. Each lives for a random time, exponentially distributed with mean `mtbf_s`.
- Each copy that failed is made again after a random time, exponentially distributed with mean `repair_s`, and then
  lives anew.
- When no copy is left, the file is lost for good, and this life is over.
- All chance comes from one generator, `random.Random(seed)` or NumPy's: the same seed gives the same count.

`random.Random(seed).expovariate(1 / mean)` draws such a time. Simulate: a formula has no spread, and that is checked.
"""

STARTER = """\
import random


def simulate_losses(copies, mtbf_s, repair_s, time_s, runs, seed):
    rng = random.Random(seed)
    lost = 0
    return lost
"""

WITHOUT_REPAIR = (File(1, 10.0, 1e9, 8.0), File(3, 10.0, 1e9, 15.0))
WITH_REPAIR = (File(2, 10.0, 5.0, 12.0), File(2, 10.0, 2.0, 40.0), File(3, 10.0, 6.0, 40.0), File(4, 10.0, 8.0, 60.0))
FILES_JUDGED = len(WITHOUT_REPAIR) + len(WITH_REPAIR)


def _seeded(trial: Trial) -> None:
    file = WITH_REPAIR[0]
    counts = [_count(trial, file, seed) for seed in range(1, 9)]
    for seed, before in enumerate(counts, 1):
        again = _count(trial, file, seed)
        if again != before:
            raise Wrong(f"seed {seed} gave {before} lost files, and then {again}: the same seed gives the same count")
    if len(set(counts)) == 1:
        raise Wrong(f"seeds 1 to 8 all gave {counts[0]} lost files of {RUNS}: another seed lives other lives")


def _without_repair(trial: Trial) -> None:
    _judge(trial, WITHOUT_REPAIR)


def _with_repair(trial: Trial) -> None:
    _judge(trial, WITH_REPAIR)


def _judge(trial: Trial, files: tuple[File, ...]) -> None:
    for file in files:
        hits = sum(_count(trial, file, seed) for seed in range(1, SEEDS + 1))
        counted = Counted(file, hits, SEEDS * RUNS)
        if not counted.is_allowed:
            low, high = counted.allowed
            why = counted.fitting_mistake()
            what = (
                f"of {counted.runs:,} lives it lost {hits:,}; the chain says {file.chance:.1%}, and chance allows "
                f"{low:,} to {high:,} ({file})"
            )
            raise Wrong(f"{what}: as if {why}" if why else what, at_s=file.time_s, picture=counted.picture)


def _spread(trial: Trial) -> None:
    file = WITH_REPAIR[1]
    counts = [_count(trial, file, seed) for seed in range(1, SPREAD_SEEDS + 1)]
    mean, expected = sum(counts) / len(counts), RUNS * file.chance * (1 - file.chance)
    spread = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1) / expected
    low, high = SPREAD_ALLOWED
    if low <= spread <= high:
        return
    what = "hardly differ from one another: lives that are lived differ" if spread < low else "differ too much"
    detail = "as if the lives of one count were not independent" if spread > high else "as if nothing was simulated"
    raise Wrong(
        f"the counts of {SPREAD_SEEDS} seeds {what}, {detail} (their variance is {spread:.2f} of what it should be)",
        picture=lambda: _counts_drawn(counts, file),
    )


def _count(trial: Trial, file: File, seed: int) -> int:
    answer = trial.call(file.copies, file.mtbf_s, file.repair_s, file.time_s, RUNS, seed)
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer <= RUNS:
        raise Wrong(
            f"the number of lives in which the file was lost is asked for, 0 to {RUNS}; it returned {answer!r:.80}"
        )
    return answer


def _counts_drawn(counts: list[int], file: File) -> str:
    ax = axes(2.2)
    ax.plot(range(1, len(counts) + 1), counts, ".", color=VERMILION, label="your counts")
    ax.axhline(RUNS * file.chance, color=BLUE, label="the chain")
    ax.set(xlabel="seed", ylabel=f"lost, of {RUNS}", title=str(file))
    ax.legend(frameon=False)
    return svg(ax)


EXERCISE = Exercise(
    name="simulate-losses",
    title="Losing a file, many times",
    notebook="08_durability",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("The same seed gives the same count, and another one another", 1, _seeded),
        Check("Without repair, as many files are lost as the formula says", 1, _without_repair),
        Check("With repair, as many files are lost as the chain says", 2, _with_repair),
        Check("The counts spread as those of independent lives do", 1, _spread),
    ),
)
