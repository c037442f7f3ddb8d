"""Simulations that live other lives, or none."""

import random

from dfslab.core.predict import RepairChain


def lives(copies, mtbf_s, repair_s, time_s, runs, rng, failing=None, making=None, mends_the_lost=False):
    """Jump from one number of live copies to the next, at rates that may be wrong."""
    failing = failing or (lambda live: live / mtbf_s)
    making = making or (lambda missing: missing / repair_s)
    lost = 0
    for _ in range(runs):
        live, now_s = copies, 0.0
        while live or mends_the_lost:
            down, up = failing(live), making(copies - live)
            now_s += rng.expovariate(down + up)
            if now_s > time_s:
                break
            live += 1 if rng.random() * (down + up) < up else -1
        lost += live == 0
    return lost


def unseeded(copies, mtbf_s, repair_s, time_s, runs, seed):
    return lives(copies, mtbf_s, repair_s, time_s, runs, random)


def one_seed_for_all(copies, mtbf_s, repair_s, time_s, runs, seed):
    return lives(copies, mtbf_s, repair_s, time_s, runs, random.Random(1))


def no_repair(copies, mtbf_s, repair_s, time_s, runs, seed):
    rng = random.Random(seed)
    return sum(max(rng.expovariate(1 / mtbf_s) for _ in range(copies)) <= time_s for _ in range(runs))


def one_fails_at_a_time(copies, mtbf_s, repair_s, time_s, runs, seed):
    return lives(copies, mtbf_s, repair_s, time_s, runs, random.Random(seed), failing=lambda live: 1 / mtbf_s)


def one_repair_at_a_time(copies, mtbf_s, repair_s, time_s, runs, seed):
    rng = random.Random(seed)
    return lives(copies, mtbf_s, repair_s, time_s, runs, rng, making=lambda missing: min(missing, 1) / repair_s)


def lost_only_at_the_end(copies, mtbf_s, repair_s, time_s, runs, seed):
    return lives(copies, mtbf_s, repair_s, time_s, runs, random.Random(seed), mends_the_lost=True)


def fixed_repair(copies, mtbf_s, repair_s, time_s, runs, seed):
    rng = random.Random(seed)
    lost = 0
    for _ in range(runs):
        due_s = [rng.expovariate(1 / mtbf_s) for _ in range(copies)]
        alive = [True] * copies
        while min(due_s) <= time_s:
            now_s = min(due_s)
            copy = due_s.index(now_s)
            alive[copy] = not alive[copy]
            due_s[copy] = now_s + (rng.expovariate(1 / mtbf_s) if alive[copy] else repair_s)
            if not any(alive):
                lost += 1
                break
    return lost


def mean_for_rate(copies, mtbf_s, repair_s, time_s, runs, seed):
    return lives(copies, 1 / mtbf_s, 1 / repair_s, time_s, runs, random.Random(seed))


def the_formula(copies, mtbf_s, repair_s, time_s, runs, seed):
    """It has the chance from the chain, and pretends."""
    return round(runs * RepairChain(copies, mtbf_s, repair_s).loss_within(time_s)) + seed % 2


def all_or_nothing(copies, mtbf_s, repair_s, time_s, runs, seed):
    return runs * lives(copies, mtbf_s, repair_s, time_s, 1, random.Random(seed))


def a_share(copies, mtbf_s, repair_s, time_s, runs, seed):
    return lives(copies, mtbf_s, repair_s, time_s, runs, random.Random(seed)) / runs


PLANTED = {
    "is not seeded": (unseeded, "the same seed gives the same count"),
    "has one seed for all": (one_seed_for_all, "another seed lives other lives"),
    "repairs nothing": (no_repair, "as if nothing is repaired"),
    "has one copy fail at a time": (one_fails_at_a_time, "only one of the live copies can fail"),
    "makes one copy at a time": (one_repair_at_a_time, "one missing copy is made at a time"),
    "lets a lost file come back": (lost_only_at_the_end, "a lost file comes back"),
    "repairs in a fixed time": (fixed_repair, "the chain says"),
    "takes a mean for a rate": (mean_for_rate, "the chain says"),
    "knows the answer": (the_formula, "hardly differ from one another"),
    "lives one life and multiplies": (all_or_nothing, "differ too much"),
    "returns a share": (a_share, "the number of lives"),
}
