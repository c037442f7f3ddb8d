"""Schedulers that share the chunks out beforehand, twice, or in another order."""

import random

from dfslab.exercises.solutions.chunk_queue import SOLUTION


class EqualShares(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        mine = [chunk for chunk in waiting if chunk.index % 2 == int(keeper[-1]) % 2]
        return mine[0] if mine else None


class FixedShares:
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now, holders, size):
        for chunk in waiting:
            if holders[chunk.offset * len(holders) // size] == keeper:
                return chunk
        return None


class OnlyTheFirstHolder(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0] if waiting and keeper == "keeper-1" else None


class OneAtATime(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0] if waiting and not in_flight else None


class WaitsForAMean(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0] if waiting and chunk_s is not None else None


class FromTheEnd(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[-1] if waiting else None


class AnyOfThem(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return random.choice(waiting) if waiting else None


class TwiceAtTheEnd(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0] if waiting else next((flight.chunk for flight in in_flight.values()), None)


class NoQuestionOfEmptiness(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0]


class AListOfItsOwn(SOLUTION):
    def __init__(self):
        self.queue = None

    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        if self.queue is None:
            self.queue = list(waiting)
        return self.queue.pop(0) if self.queue else None


class NeverAgain(SOLUTION):
    def __init__(self):
        self.given = set()

    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        for chunk in waiting:
            if chunk.offset not in self.given:
                self.given.add(chunk.offset)
                return chunk
        return None


class FailedOnesLast(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        if len(waiting) > 1 and waiting[0].index > waiting[1].index:
            return waiting[1]
        known = getattr(self, "furthest", -1)
        for chunk in waiting:
            if chunk.index > known:
                self.furthest = chunk.index
                return chunk
        return waiting[0] if waiting else None


class Numbers(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return waiting[0].index if waiting else None


PLANTED = {
    "deals the chunks out in turn": (EqualShares, "was given nothing while"),
    "gives each holder a fixed share": (FixedShares, "was given nothing while"),
    "uses one holder only": (OnlyTheFirstHolder, "was given nothing while"),
    "serves one chunk at a time": (OneAtATime, "was given nothing while"),
    "waits for a mean that never comes": (WaitsForAMean, "the download stands still"),
    "goes backwards": (FromTheEnd, "was the first to wait"),
    "draws lots": (AnyOfThem, "was the first to wait"),
    "asks twice at the end": (TwiceAtTheEnd, "its bytes pass twice"),
    "forgets that the queue may be empty": (NoQuestionOfEmptiness, "IndexError"),
    "keeps a list of its own": (AListOfItsOwn, "neither waiting nor in flight"),
    "gives nothing a second time": (NeverAgain, "the download stands still"),
    "leaves for last what has failed": (FailedOnesLast, "what has failed goes first"),
    "returns a number": (Numbers, "a Chunk or None is wanted"),
}
