"""Exercise: placement within few sets of keepers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import comb

from dfslab.exercises.drawing import BLUE, axes, svg
from dfslab.exercises.model import Check, Draw, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.filling import MB, Shelves, shelves

SEEDS = 2
FILES = 120
REPLICAS, WIDTH = 3, 4
PERMUTATIONS = WIDTH // (REPLICAS - 1)

SPEC = """\
Write a placement that puts every file within one of few **copysets**: sets of keepers that hold the same files. It is
made with `keepers` (a list of all their names), `replicas` (how many copies a file has) and `scatter_width`, and has
one method.

- `choose(candidates, size, rng, holders)` returns the name of the keeper that is to get the next copy. `holders` are
  the names of those that have one already.

Make the copysets as Cidon and others do: shuffle the keepers, and cut the row into sets of `replicas`; do that
`scatter_width / (replicas - 1)` times (the number of keepers and the scatter width are such that nothing is left over).
A first copy, when there are no holders, goes to any candidate, each as likely as the others; the next ones go to
keepers that are in one copyset with *all* holders.

A keeper of a copyset may be missing among the candidates: it is dead, or full. If so, take any candidate.
"""

STARTER = """\
class MyPlacement:
    def __init__(self, keepers, replicas=3, scatter_width=4):
        ...

    def choose(self, candidates, size, rng, holders):
        return rng.choice(candidates).keeper
"""


def _placed(trial: Trial, count: int) -> Shelves:
    """Return keepers on which the submission has put files."""
    world, rng = shelves(count), trial.rng()
    placement = trial.policy("placement", list(world.loads), REPLICAS, WIDTH)
    for _ in range(FILES):
        world.put(placement, MB, REPLICAS, rng)
    return world


def _sets(world: Shelves) -> Counter[frozenset[str]]:
    return Counter(map(frozenset, world.files))


def _few(trial: Trial) -> None:
    for seed in trial.seeds(SEEDS):
        count = (9, 12)[seed % 2]
        world = _placed(trial, count)
        sets, most = _sets(world), PERMUTATIONS * count // REPLICAS
        if len(sets) > most:
            ways = comb(count, REPLICAS)
            what = (
                f"{FILES} files lie on {len(sets)} different sets of keepers; {count} keepers and a scatter width of "
                f"{WIDTH} make {most}. So {len(sets)} of the {ways} ways to lose three keepers lose files, not {most}"
            )
            raise Wrong(what, picture=_losses(sets, list(world.loads)))


def _scattered(trial: Trial) -> None:
    for seed in trial.seeds(SEEDS):
        count = (9, 12)[seed % 2]
        world = _placed(trial, count)
        sets = _sets(world)
        partners = [frozenset[str]().union(*(one for one in sets if keeper in one)) for keeper in world.loads]
        mean = sum(len(one) - 1 for one in partners) / count
        if mean < REPLICAS - 0.5:
            what = (
                f"a keeper shares its files with {mean:.1f} others on average, where a scatter width of {WIDTH} "
                "was asked for: so few are there to help when its files are to be copied again"
            )
            raise Wrong(what, picture=_losses(sets, list(world.loads)))


def _even(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        world = _placed(trial, 9)
        mean = FILES * REPLICAS / 9
        for keeper, load in world.loads.items():
            if not mean / 2 <= load.replicas <= mean * 2:
                what = f"{keeper} has {load.replicas} copies of {FILES} files, where {mean:.0f} would be its share"
                raise Wrong(what, picture=world.picture())


def _missing(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        world, rng = shelves(9), trial.rng()
        placement = trial.policy("placement", list(world.loads), REPLICAS, WIDTH)
        for _ in range(30):
            world.put(placement, MB, REPLICAS, rng)
        for number in world.lose(rng.choice(list(world.loads))):
            world.copy(placement, number, rng)
        for _ in range(30):
            world.put(placement, MB, REPLICAS, rng)


def _losses(sets: Counter[frozenset[str]], keepers: Sequence[str]) -> Draw:
    """Return what draws how many files each way to lose three keepers takes."""
    lost = sorted((sets[frozenset(three)] for three in combinations(keepers, REPLICAS)), reverse=True)

    def draw() -> str:
        ax = axes(2.4)
        ax.bar(range(len(lost)), lost, color=BLUE, width=1.0)
        ax.set(
            xlabel=f"the {len(lost)} ways to lose three of {len(keepers)} keepers, the worst first", ylabel="files lost"
        )
        return svg(ax)

    return draw


EXERCISE = Exercise(
    name="copysets-placement",
    title="Few sets of keepers",
    notebook="07_placement",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("There is an answer even when a keeper of the set is missing", 1, _missing),
        Check("All files lie within few copysets", 3, _few),
        Check("The scatter width is used", 1, _scattered),
        Check("Every keeper gets its share", 1, _even),
    ),
)
