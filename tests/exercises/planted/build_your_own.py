"""File systems with one part that has not been thought through."""

from dfslab.exercises.solutions.build_your_own import SOLUTION, MyDetector, MyScheduler


class AlwaysTheFirst:
    def choose(self, candidates, size, rng):
        return candidates[0].keeper


class Fullest:
    def choose(self, candidates, size, rng):
        return max(candidates, key=lambda load: load.stored_bytes).keeper


class ReturnsTheCandidate:
    def choose(self, candidates, size, rng):
        return candidates[0]


class Hasty(MyDetector):
    def __init__(self):
        super().__init__(1.5)


class Patient(MyDetector):
    def __init__(self):
        super().__init__(30.0)


class NeverDead(MyDetector):
    def is_overdue(self, keeper, now):
        return False


class MostCopiesFirst:
    def key(self, shortage):
        return (-shortage.live,)


class SmallestFirst:
    def key(self, shortage):
        return (shortage.size,)


class NotATuple:
    def key(self, shortage):
        return {"live": shortage.live}


class WaitsForTheLate(MyScheduler):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0] if waiting else None


class OneKeeperServesAll(MyScheduler):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        busy = {name for flight in in_flight.values() for name in flight.keepers}
        return waiting[0] if waiting and busy <= {keeper} else None


class GivesNothing(MyScheduler):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return None


PLANTED = {
    "puts all on the first keeper": ({**SOLUTION, "placement": AlwaysTheFirst}, "the bytes of the mean"),
    "puts all on the fullest keeper": ({**SOLUTION, "placement": Fullest}, "the bytes of the mean"),
    "returns a candidate, not its name": ({**SOLUTION, "placement": ReturnsTheCandidate}, "which is not a candidate"),
    "takes every pause for death": ({**SOLUTION, "failure_detector": Hasty}, "declared dead that was only late"),
    "waits for half a minute": ({**SOLUTION, "failure_detector": Patient}, "s later; at most 8 s"),
    "never declares anybody dead": ({**SOLUTION, "failure_detector": NeverDead}, "never declared dead"),
    "repairs what is safest first": ({**SOLUTION, "repair_order": MostCopiesFirst}, "nearer to its loss"),
    "repairs the smallest first": ({**SOLUTION, "repair_order": SmallestFirst}, "nearer to its loss"),
    "has keys that can't be compared": ({**SOLUTION, "repair_order": NotATuple}, "can't be compared"),
    "waits for whoever is late": ({**SOLUTION, "chunk_scheduler": WaitsForTheLate}, "does anybody else fetch"),
    "lets one keeper serve all": (
        {**SOLUTION, "chunk_scheduler": OneKeeperServesAll},
        "the kit's scheduler takes",
    ),
    "serves nothing": ({**SOLUTION, "chunk_scheduler": GivesNothing}, "nobody was given"),
}
