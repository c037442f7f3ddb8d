"""A placement where the fewest bytes are."""


class MyPlacement:
    def choose(self, candidates, size, rng):
        least = min(load.stored_bytes for load in candidates)
        return rng.choice([load.keeper for load in candidates if load.stored_bytes == least])


SOLUTION = MyPlacement
