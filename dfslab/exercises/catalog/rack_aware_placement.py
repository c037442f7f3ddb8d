"""Exercise: placement that survives the loss of a rack."""

from __future__ import annotations

import random
from collections import Counter

from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.filling import MB, Shelves, shelves, some_sizes
from dfslab.exercises.worlds.small_cluster import WAIT_S, small_cluster

SEEDS = 6
RACKS = ("rack-a", "rack-b", "rack-c", "rack-d")

SPEC = """\
Write a placement that knows of racks: a class with one method.

- `choose(candidates, size, rng, holders, racks)` returns the name of the keeper that is to get the next copy.

`holders` is a list of the names of keepers that have a copy of the file already, or are getting one; none of them is a
candidate. `racks` is a dict: the rack of each keeper, by its name. The rules, the first before the second:

1. **Never all copies in one rack**: when all holders are in one rack, the next copy goes to another.
2. **At most two copies in a rack** (a file may have four copies, or more).
3. Of the candidates that are left by these, the one with the fewest `stored_bytes`.

When no candidate is left by the rules (all others are full, say), take any: a copy in the wrong rack
is better than none.
"""

STARTER = """\
class MyPlacement:
    def choose(self, candidates, size, rng, holders, racks):
        return min(candidates, key=lambda load: load.stored_bytes).keeper
"""


def _world(rng: random.Random) -> Shelves:
    """Return keepers in two to four racks, at least one in each, some of them full already."""
    racks = list(RACKS[: rng.randint(2, 4)])
    racks += [rng.choice(racks) for _ in range(9 - len(racks))]
    world = shelves(len(racks), racks)
    for name, load in world.loads.items():
        stored = rng.choice([0, 0, 40, 80]) * MB
        world.loads[name] = type(load)(name, stored, load.free_bytes, stored // MB, load.rack)
    return world


def _held(world: Shelves, number: int) -> Counter[str]:
    return Counter(world.racks[holder] for holder in world.files[number])


def _allowed(world: Shelves, number: int) -> list[str]:
    """Return the candidates that the rules leave."""
    held = _held(world, number)
    return [
        load.keeper
        for load in world.candidates(number)
        if (load.rack not in held if len(held) == 1 else held[load.rack] < 2)
    ]


def _watch(trial: Trial, rule: str, *, replicas: int = 3, repair: bool = False) -> None:
    """Have files placed, and maybe a keeper lost and its files repaired; judge every choice by one of the rules."""
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        world, placement = _world(rng), trial.policy("placement")
        for size in some_sizes(rng, 12):
            world.put(placement, size, 0, rng)
            for _ in range(replicas):
                _judge(world, placement, len(world.files) - 1, rng, rule)
        if repair:
            for number in world.lose(rng.choice(list(world.loads))):
                _judge(world, placement, number, rng, rule)


def _judge(world: Shelves, placement: object, number: int, rng: random.Random, rule: str) -> None:
    allowed, held, where = _allowed(world, number), _held(world, number), world.where(number)
    before = dict(world.loads)
    chosen = world.copy(placement, number, rng)
    told = f"{where} went to {world.named(chosen)}"
    if not allowed:
        return
    if chosen not in allowed:
        if len(held) == 1 and rule == "apart":
            what = f"{told}: so far, all copies are in one rack, and {_some(allowed, world)}"
            raise Wrong(what, picture=world.picture(number))
        if len(held) > 1 and rule == "two":
            what = f"{told}: that makes three in one rack, and {_some(allowed, world)}"
            raise Wrong(what, picture=world.picture(number))
        return
    least = min(allowed, key=lambda keeper: before[keeper].stored_bytes)
    if rule == "bytes" and before[chosen].stored_bytes > before[least].stored_bytes:
        what = (
            f"{told}, which had {before[chosen].stored_bytes // MB} MB; "
            f"{world.named(least)} was allowed too, and had {before[least].stored_bytes // MB} MB"
        )
        raise Wrong(what, picture=world.picture(number))


def _some(allowed: list[str], world: Shelves) -> str:
    shown = ", ".join(map(world.named, allowed[:3])) + (", ..." if len(allowed) > 3 else "")
    return f"others could have taken it ({shown})"


def _apart(trial: Trial) -> None:
    _watch(trial, "apart", replicas=3, repair=True)


def _two(trial: Trial) -> None:
    _watch(trial, "two", replicas=4, repair=True)


def _fewest_bytes(trial: Trial) -> None:
    _watch(trial, "bytes")


def _no_choice(trial: Trial) -> None:
    for _ in trial.seeds(3):
        rng = trial.rng()
        for racks in (["rack-a"] * 4, ["rack-a", "rack-a", "rack-b", "rack-b", "rack-b", "rack-a"]):
            shelves(len(racks), racks).put(trial.policy("placement"), MB, len(racks), rng)


def _on_a_cluster(trial: Trial) -> None:
    racks = ["rack-a"] * 3 + ["rack-b"] * 2
    for seed in trial.seeds(1):
        policy = trial.policy("placement")
        with small_cluster(trial, 5, replicas=2, seed=seed, racks=racks, placement=policy) as cluster:
            names = [f"file-{number}" for number in range(10)]
            for name in names:
                cluster.upload(b"x" * 1000, name=name)
            cluster.wait_for_replicas(timeout_s=WAIT_S)
            holders = {name: cluster.stat(name).holders for name in names}
            for keeper in (1, 2, 3):
                cluster.kill(keeper)
            for name in names:
                if not {"keeper-4", "keeper-5"}.intersection(holders[name]):
                    on = " and ".join(holders[name])
                    raise Wrong(f"on a cluster, all of rack-a lost its power: {name} was on {on}, and is gone")
                cluster.download(name)


EXERCISE = Exercise(
    name="rack-aware-placement",
    title="Not all in one rack",
    notebook="07_placement",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("There is an answer even when the rules leave no choice", 1, _no_choice),
        Check("Never are all copies in one rack, at first and after a repair", 2, _apart),
        Check("No rack gets a third copy, at first and in a repair", 2, _two),
        Check("Among the allowed, the emptiest is chosen", 1, _fewest_bytes),
        Check("On a real cluster, a rack loses its power and no file is lost", 1, _on_a_cluster),
    ),
)
