"""Exercise: placement where the fewest bytes are."""

from __future__ import annotations

import random
from collections import Counter

from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.filling import MB, shelves, some_sizes
from dfslab.exercises.worlds.small_cluster import WAIT_S, small_cluster

SEEDS = 20
ASKED = 120

SPEC = """\
Write a placement: a class with one method.

- `choose(candidates, size, rng)` returns the *name* of the keeper that is to get a copy of `size` bytes: of the one
  that stores the fewest **bytes**. Where several store equally few, each is as likely as the others.

`candidates` is a list of keepers that may take the copy, never empty. Each has `.keeper` (its name), `.stored_bytes`,
`.free_bytes`, `.replicas` (how many copies it has) and `.rack`. `rng` is a `random.Random`: take all chance from it,
such as `rng.choice(names)`, and from nowhere else, so that an experiment can be repeated with the same seed.
"""

STARTER = """\
class MyPlacement:
    def choose(self, candidates, size, rng):
        return candidates[0].keeper
"""


def _fewest_bytes(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        full = shelves(rng.randint(3, 8))
        placement = trial.policy("placement")
        for number, size in enumerate(some_sizes(rng, 30)):
            full.files.append([])
            full.sizes.append(size)
            for _ in range(2):
                before, where = full.candidates(number), full.where(number)
                chosen = full.copy(placement, number, rng)
                stored = {load.keeper: load.stored_bytes for load in before}
                least = min(stored, key=lambda keeper: stored[keeper])
                if stored[chosen] > stored[least]:
                    what = (
                        f"{where} went to {chosen}, which had {stored[chosen] // MB} MB; "
                        f"{least} had {stored[least] // MB} MB"
                    )
                    raise Wrong(what, picture=full.picture(number))


def _by_chance(trial: Trial) -> None:
    for _ in trial.seeds(2):
        rng = trial.rng()
        placement, alike = trial.policy("placement"), list(shelves(4).loads.values())
        chosen = Counter(placement.choose(alike, MB, rng) for _ in range(ASKED))
        for load in alike:
            times = chosen[load.keeper]
            if times < ASKED / 4 / 3:
                what = (
                    f"four keepers were empty, and it was asked {ASKED} times: {load.keeper} was chosen {times} "
                    f"times, and about {ASKED // 4} were expected"
                )
                raise Wrong(what)


def _repeatable(trial: Trial) -> None:
    for seed in trial.seeds(3):
        alike = list(shelves(5).loads.values())
        first, second = (
            [placement.choose(alike, MB, rng) for _ in range(40)]
            for placement, rng in ((trial.policy("placement"), random.Random(seed)) for _ in range(2))
        )
        if first != second:
            at = next(at for at, (one, other) in enumerate(zip(first, second, strict=True)) if one != other)
            what = (
                f"asked the same with the same seed, choice {at + 1} was {first[at]} and then {second[at]}: "
                "chance must come from rng alone"
            )
            raise Wrong(what)


def _on_a_cluster(trial: Trial) -> None:
    for seed in trial.seeds(1):
        sizes = [size // 20 for size in some_sizes(random.Random(seed), 10)]
        policy = trial.policy("placement")
        with small_cluster(trial, 4, replicas=2, seed=seed, placement=policy) as cluster:
            for number, size in enumerate(sizes):
                cluster.upload(b"x" * size, name=f"file-{number}")
                cluster.wait_for_replicas(timeout_s=WAIT_S)
            stored = cluster.keepers().set_index("keeper").stored_bytes
        if stored.max() - stored.min() > max(sizes):
            what = (
                f"on a cluster of four keepers, {stored.idxmax()} had {stored.max():,} bytes in the end and "
                f"{stored.idxmin()} {stored.min():,}: more apart than the largest file ({max(sizes):,} bytes)"
            )
            raise Wrong(what)


EXERCISE = Exercise(
    name="balanced-placement",
    title="Where the fewest bytes are",
    notebook="07_placement",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("Every copy goes to a candidate with the fewest bytes", 2, _fewest_bytes),
        Check("Equals are chosen equally often", 1, _by_chance),
        Check("The same seed gives the same choices", 1, _repeatable),
        Check("A real cluster fills evenly", 1, _on_a_cluster),
    ),
)
