"""Schedulers that hedge too soon, too late, too much, or not at all."""

from dfslab.exercises.solutions.hedged_downloads import SOLUTION


class NoHedging(SOLUTION):
    def is_late(self, flight, chunk_s, now):
        return False


class AtOnce(SOLUTION):
    def is_late(self, flight, chunk_s, now):
        return True


class AfterTheMean(SOLUTION):
    def is_late(self, flight, chunk_s, now):
        return now - flight.since_s >= (0.5 if chunk_s is None else chunk_s)


class VeryPatient(SOLUTION):
    def is_late(self, flight, chunk_s, now):
        return now - flight.since_s >= 3.0


class ByTheClock(SOLUTION):
    def is_late(self, flight, chunk_s, now):
        return now >= (0.5 if chunk_s is None else 2 * chunk_s)


class NoMeanNoHedge(SOLUTION):
    def is_late(self, flight, chunk_s, now):
        return chunk_s is not None and super().is_late(flight, chunk_s, now)


class NoThoughtOfTheStart(SOLUTION):
    def is_late(self, flight, chunk_s, now):
        return now - flight.since_s >= 2 * chunk_s


class LateOnesBeforeTheQueue(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        late = super().next_chunk(keeper, [], in_flight, chunk_s, now)
        return late or (waiting[0] if waiting else None)

    def is_late(self, flight, chunk_s, now):
        return now - flight.since_s >= (0.5 if chunk_s is None else 0.5 * chunk_s)


class Everybody(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        if waiting:
            return waiting[0]
        late = (one for one in in_flight.values() if keeper not in one.keepers and self.is_late(one, chunk_s, now))
        return next((one.chunk for one in late), None)


class NewestFirst(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        newest_first = dict(reversed(list(in_flight.items())))
        return super().next_chunk(keeper, waiting, newest_first, chunk_s, now)


class TheFlightItself(SOLUTION):
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        if waiting:
            return waiting[0]
        return next((one for one in in_flight.values() if self.is_late(one, chunk_s, now)), None)


PLANTED = {
    "does not hedge": (NoHedging, "was given nothing although chunk"),
    "hedges at once": (AtOnce, "a chunk is late after twice that"),
    "hedges after the mean": (AfterTheMean, "a chunk is late after twice that"),
    "is very patient": (VeryPatient, "was given nothing although chunk"),
    "takes the time of day for how long it took": (ByTheClock, "a chunk is late after twice that"),
    "does not hedge before there is a mean": (NoMeanNoHedge, "before the first chunk is there"),
    "counts with a mean that is not there": (NoThoughtOfTheStart, "TypeError"),
    "hedges while chunks wait": (LateOnesBeforeTheQueue, "a second time, and chunk"),
    "asks everybody": (Everybody, "two keepers at most serve a chunk"),
    "takes the newest": (NewestFirst, "the oldest goes first"),
    "returns the flight": (TheFlightItself, "a Chunk or None is wanted"),
}
