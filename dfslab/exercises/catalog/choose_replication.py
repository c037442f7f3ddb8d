"""Exercise: how many copies, and how fast a repair, for a target at the least cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product

from dfslab.core.predict import Fleet
from dfslab.exercises.drawing import BLUE, GREEN, VERMILION, axes, svg
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial

SEEDS = 10
YEAR_S = 365 * 86_400.0
REPLICAS = (1, 2, 3, 4, 5)
RATES_MB_S = (5, 10, 20, 40, 80)
MARGIN = 0.05
"""Designs this near to the target count neither as reaching it nor as missing it: a good approximation will do."""

SPEC = """\
Write a function `choose_replication(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost)` that decides how a
fleet is to keep its files: it returns `(replicas, repair_mb_s)`.

- `replicas` is 1, 2, 3, 4 or 5; `repair_mb_s`, what each keeper gives to repair, is 5, 10, 20, 40 or 80.
- The chance that any file is lost within a year (365 days) must be at most `target`.
- Of all choices that reach it, return the one of the least cost: `copy_cost * replicas + mb_s_cost * repair_mb_s`.
- If no choice reaches it, return `None`.

The chance is that of `dfslab.predict.Fleet(keepers, replicas, mtbf_s, data_bytes, repair_mb_s).loss_within(time_s)`,
which you may use. `keepers` is more than 5.
"""

STARTER = """\
import dfslab


def choose_replication(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    return 1, 5
"""

Choice = tuple[int, int]


@dataclass(frozen=True)
class _Task:
    """One fleet that is to be decided."""

    keepers: int
    mtbf_s: float
    data_bytes: float
    target: float
    copy_cost: float
    mb_s_cost: float

    def __str__(self) -> str:
        return (
            f"{self.keepers} keepers, MTBF {self.mtbf_s / 86_400:.0f} days, {self.data_bytes / 1e12:.0f} TB, target "
            f"{self.target:.2g}, copy_cost={self.copy_cost:g}, mb_s_cost={self.mb_s_cost:g}"
        )

    def cost(self, choice: Choice) -> float:
        return self.copy_cost * choice[0] + self.mb_s_cost * choice[1]

    @cached_property
    def chances(self) -> dict[Choice, float]:
        """The chance of a loss within a year, by choice."""
        return {
            (replicas, rate): Fleet(self.keepers, replicas, self.mtbf_s, self.data_bytes, rate).loss_within(YEAR_S)
            for replicas, rate in product(REPLICAS, RATES_MB_S)
        }

    def reaches(self, choice: Choice, margin: float = 0.0) -> bool:
        return self.chances[choice] <= self.target * (1 + margin)

    @property
    def best(self) -> Choice | None:
        """The cheapest choice that reaches the target beyond doubt."""
        reaching = [choice for choice in self.chances if self.reaches(choice, -MARGIN)]
        return min(reaching, key=self.cost, default=None)

    def picture(self, chosen: Choice | None) -> str:
        """Draw all choices by cost and chance, as SVG."""
        ax = axes(2.8)
        costs = [self.cost(choice) for choice in self.chances]
        ax.scatter(costs, list(self.chances.values()), color=BLUE, s=14, label="every choice")
        if self.best is not None:
            best = self.best
            ax.scatter(self.cost(best), self.chances[best], s=90, facecolors="none", edgecolors=GREEN, label="cheapest")
        if chosen is not None:
            ax.scatter(self.cost(chosen), self.chances[chosen], color=VERMILION, marker="X", s=70, label="yours")
        ax.axhline(self.target, color="black", linewidth=1, linestyle="--", label="target")
        ax.set(yscale="log", xlabel="cost", ylabel="chance of a loss within a year")
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return svg(ax)


def _reached(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        _check_reached(task := _solvable(trial), _choice(trial, task))


def _cheapest(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        task = _solvable(trial)
        chosen, best = _choice(trial, task), task.best
        _check_reached(task, chosen)
        if chosen is not None and best is not None and task.cost(chosen) > task.cost(best) * (1 + 1e-9):
            what = (
                f"{_told(chosen)} costs {task.cost(chosen):g}, and {_told(best)} reaches the target for "
                f"{task.cost(best):g} ({task})"
            )
            raise Wrong(what, picture=partial(task.picture, chosen))


def _hopeless(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        task = _Task(rng.randint(10, 30), rng.uniform(1, 3) * 86_400, 50e12, 1e-6, 100.0, 1.0)
        chosen = _choice(trial, task)
        if chosen is not None:
            what = f"no choice reaches the target, and it returned {_told(chosen)} and not None ({task})"
            raise Wrong(what, picture=partial(task.picture, chosen))


def _solvable(trial: Trial) -> _Task:
    """Return a task that has an answer, of this seed."""
    rng = trial.rng()
    while True:
        task = _Task(
            keepers=rng.randint(8, 30),
            mtbf_s=rng.choice([30, 60, 120, 365]) * 86_400.0,
            data_bytes=rng.choice([8, 24, 60]) * 1e12,
            target=rng.choice([1e-1, 1e-2, 1e-3, 1e-5]),
            copy_cost=rng.choice([20.0, 100.0, 300.0]),
            mb_s_cost=rng.choice([1.0, 4.0, 15.0]),
        )
        if task.best is not None:
            return task


def _check_reached(task: _Task, chosen: Choice | None) -> None:
    if chosen is None:
        assert task.best is not None
        raise Wrong(f"it returned None, and {_told(task.best)} reaches the target ({task})")
    if not task.reaches(chosen, MARGIN):
        what = (
            f"{_told(chosen)} loses a file within a year with a chance of {task.chances[chosen]:.2g}, "
            f"which is more than the target ({task})"
        )
        raise Wrong(what, picture=partial(task.picture, chosen))


def _choice(trial: Trial, task: _Task) -> Choice | None:
    answer = trial.call(
        task.keepers, task.mtbf_s, task.data_bytes, task.target, task.copy_cost, task.mb_s_cost, within_s=5.0
    )
    if answer is None:
        return None
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong(f"(replicas, repair_mb_s) is asked for, or None; it returned {answer!r:.80}")
    if answer[0] not in REPLICAS or answer[1] not in RATES_MB_S:
        asked_for = f"replicas is one of {REPLICAS} and repair_mb_s one of {RATES_MB_S}, in this order"
        raise Wrong(f"{asked_for}; it returned {answer!r:.80}")
    return int(answer[0]), int(answer[1])


def _told(choice: Choice) -> str:
    copies = "1 copy" if choice[0] == 1 else f"{choice[0]} copies"
    return f"{copies} with {choice[1]} MB/s"


EXERCISE = Exercise(
    name="choose-replication",
    title="How many copies, and how fast a repair",
    notebook="08_durability",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("What it chooses reaches the target", 2, _reached),
        Check("Nothing that reaches the target costs less", 2, _cheapest),
        Check("It says so when nothing reaches the target", 1, _hopeless),
    ),
)
