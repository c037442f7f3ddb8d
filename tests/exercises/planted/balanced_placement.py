"""Placements that are not balanced, or not repeatable."""

import random


class FewestFiles:
    def choose(self, candidates, size, rng):
        least = min(load.replicas for load in candidates)
        return rng.choice([load.keeper for load in candidates if load.replicas == least])


class TheFirstOfEquals:
    def choose(self, candidates, size, rng):
        return min(candidates, key=lambda load: load.stored_bytes).keeper


class ByName:
    def choose(self, candidates, size, rng):
        return min((load.stored_bytes, load.keeper) for load in candidates)[1]


class ChanceOfItsOwn:
    def choose(self, candidates, size, rng):
        least = min(load.stored_bytes for load in candidates)
        return random.choice([load.keeper for load in candidates if load.stored_bytes == least])


class TheFullest:
    def choose(self, candidates, size, rng):
        most = max(load.stored_bytes for load in candidates)
        return rng.choice([load.keeper for load in candidates if load.stored_bytes == most])


class TheKeeperItself:
    def choose(self, candidates, size, rng):
        return min(candidates, key=lambda load: load.stored_bytes)


class AnyOne:
    def choose(self, candidates, size, rng):
        return rng.choice(candidates).keeper


PLANTED = {
    "counts files, not bytes": (FewestFiles, "went to"),
    "takes the first of equals": (TheFirstOfEquals, "was chosen 0 times"),
    "takes the first name of equals": (ByName, "was chosen 0 times"),
    "brings its own chance": (ChanceOfItsOwn, "with the same seed"),
    "takes the fullest": (TheFullest, "went to"),
    "returns the keeper, not its name": (TheKeeperItself, "is not a candidate"),
    "does not look": (AnyOne, "went to"),
}
