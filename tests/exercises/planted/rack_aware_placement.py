"""Placements that lose files with a rack."""

from dfslab.exercises.solutions.rack_aware_placement import SOLUTION


class Blind:
    def choose(self, candidates, size, rng, holders, racks):
        return min(candidates, key=lambda load: load.stored_bytes).keeper


class ARackEach:
    def choose(self, candidates, size, rng, holders, racks):
        held = {racks[holder] for holder in holders}
        return min((load for load in candidates if load.rack not in held), key=lambda load: load.stored_bytes).keeper


class TwoInARackOnly:
    def choose(self, candidates, size, rng, holders, racks):
        held = [racks[holder] for holder in holders]
        allowed = [load for load in candidates if held.count(load.rack) < 2] or candidates
        return min(allowed, key=lambda load: load.stored_bytes).keeper


class ApartOnly:
    def choose(self, candidates, size, rng, holders, racks):
        held = {racks[holder] for holder in holders}
        allowed = candidates
        if len(held) == 1:
            allowed = [load for load in candidates if load.rack not in held] or candidates
        return min(allowed, key=lambda load: load.stored_bytes).keeper


class AnyOfTheAllowed(SOLUTION):
    def choose(self, candidates, size, rng, holders, racks):
        even = [type(load)(load.keeper, 0, load.free_bytes, 0, load.rack) for load in candidates]
        return super().choose(even, size, rng, holders, racks)


class OnlyTheFirstHolder:
    def choose(self, candidates, size, rng, holders, racks):
        allowed = candidates
        if holders:
            allowed = [load for load in candidates if load.rack != racks[holders[0]]] or candidates
        return min(allowed, key=lambda load: load.stored_bytes).keeper


class RemembersRatherThanLooks(SOLUTION):
    """Takes the rack of the copy before, whatever became of that file."""

    last = ""

    def choose(self, candidates, size, rng, holders, racks):
        allowed = [load for load in candidates if load.rack != self.last] or candidates
        chosen = min(allowed, key=lambda load: load.stored_bytes)
        self.last = chosen.rack
        return chosen.keeper


PLANTED = {
    "knows of no racks": (Blind, "all copies are in one rack"),
    "wants a new rack for each copy": (ARackEach, "ValueError"),
    "counts to two, and forgets that two may be all": (TwoInARackOnly, "all copies are in one rack"),
    "is content with two racks": (ApartOnly, "three in one rack"),
    "does not look at the bytes": (AnyOfTheAllowed, "was allowed too"),
    "avoids the rack of the first holder only": (OnlyTheFirstHolder, "three in one rack"),
    "alternates between racks": (RemembersRatherThanLooks, "three in one rack"),
}
