"""Four policies that together make a file system."""


class MyPlacement:
    def choose(self, candidates, size, rng):
        least = min(load.stored_bytes for load in candidates)
        return rng.choice([load.keeper for load in candidates if load.stored_bytes == least])


class MyDetector:
    def __init__(self, timeout_s=3.5):
        self.timeout_s = timeout_s
        self.last_s = {}

    def heard(self, keeper, now):
        self.last_s[keeper] = now

    def forget(self, keeper):
        self.last_s.pop(keeper, None)

    def is_overdue(self, keeper, now):
        return keeper in self.last_s and now - self.last_s[keeper] >= self.timeout_s


class MyRepairOrder:
    def key(self, shortage):
        return (shortage.live, shortage.since_s)


class MyScheduler:
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        if waiting:
            return waiting[0]
        late_s = 0.5 if chunk_s is None else 2 * chunk_s
        for flight in in_flight.values():
            if flight.keepers != (keeper,) and len(flight.keepers) == 1 and now - flight.since_s >= late_s:
                return flight.chunk
        return None


SOLUTION = {
    "placement": MyPlacement,
    "failure_detector": MyDetector,
    "repair_order": MyRepairOrder,
    "chunk_scheduler": MyScheduler,
}
