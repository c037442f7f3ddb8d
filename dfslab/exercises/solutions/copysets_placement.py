"""A placement within few sets of keepers."""

import random


class MyPlacement:
    def __init__(self, keepers, replicas=3, scatter_width=4):
        rng = random.Random(0)  # the sets are made once; which one a file gets is the other chance
        self.copysets = []
        for _ in range(scatter_width // (replicas - 1)):
            row = list(keepers)
            rng.shuffle(row)
            self.copysets += [set(row[at : at + replicas]) for at in range(0, len(row), replicas)]

    def choose(self, candidates, size, rng, holders):
        names = [load.keeper for load in candidates]
        if not holders:
            return rng.choice(names)
        fitting = [copyset for copyset in self.copysets if copyset.issuperset(holders)]
        together = [name for name in names if any(name in copyset for copyset in fitting)]
        return rng.choice(together or names)


SOLUTION = MyPlacement
