"""Placements that have not understood copysets."""

import random

from dfslab.exercises.solutions.copysets_placement import SOLUTION


class Scattered:
    def __init__(self, keepers, replicas=3, scatter_width=4):
        pass

    def choose(self, candidates, size, rng, holders):
        return rng.choice(candidates).keeper


class OnePermutation(SOLUTION):
    def __init__(self, keepers, replicas=3, scatter_width=4):
        super().__init__(keepers, replicas, replicas - 1)


class ASetWithAnyHolder(SOLUTION):
    def choose(self, candidates, size, rng, holders):
        names = [load.keeper for load in candidates]
        fitting = [copyset for copyset in self.copysets if copyset.intersection(holders)]
        together = [name for name in names if any(name in copyset for copyset in fitting)]
        return rng.choice(together or names)


class NewSetsForEachFile(SOLUTION):
    def choose(self, candidates, size, rng, holders):
        if not holders:
            names = [load.keeper for load in candidates]
            rng.shuffle(names)
            self.copysets = [set(names[at : at + 3]) for at in range(0, len(names), 3)]
        return super().choose(candidates, size, rng, holders)


class NobodyMayBeMissing(SOLUTION):
    def choose(self, candidates, size, rng, holders):
        if not holders:
            return rng.choice(candidates).keeper
        fitting = [copyset for copyset in self.copysets if copyset.issuperset(holders)]
        return rng.choice(sorted(rng.choice(fitting) - set(holders)))


class AlwaysTheFirstSet(SOLUTION):
    def choose(self, candidates, size, rng, holders):
        names = [load.keeper for load in candidates]
        return next((name for name in names if name in self.copysets[0]), names[0])


class SlidingWindow(SOLUTION):
    """Every keeper begins a set of its own: as many sets as keepers."""

    def __init__(self, keepers, replicas=3, scatter_width=4):
        row = list(keepers)
        random.Random(0).shuffle(row)
        self.copysets = [{row[(at + step) % len(row)] for step in range(replicas)} for at in range(len(row))]


PLANTED = {
    "knows of no sets": (Scattered, "different sets of keepers"),
    "shuffles only once": (OnePermutation, "shares its files with 2.0 others"),
    "is content with one of the holders": (ASetWithAnyHolder, "different sets of keepers"),
    "makes new sets for each file": (NewSetsForEachFile, "different sets of keepers"),
    "chooses the dead": (NobodyMayBeMissing, "is not a candidate"),
    "uses the first set only": (AlwaysTheFirstSet, "would be its share"),
    "makes a set for each keeper": (SlidingWindow, "different sets of keepers"),
}
