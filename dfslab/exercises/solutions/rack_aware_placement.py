"""A placement that survives the loss of a rack."""


class MyPlacement:
    def choose(self, candidates, size, rng, holders, racks):
        held = [racks[holder] for holder in holders]
        if len(set(held)) == 1:
            allowed = [load for load in candidates if load.rack not in held]
        else:
            allowed = [load for load in candidates if held.count(load.rack) < 2]
        allowed = allowed or candidates
        least = min(load.stored_bytes for load in allowed)
        return rng.choice([load.keeper for load in allowed if load.stored_bytes == least])


SOLUTION = MyPlacement
