"""Lives of a file, copy by copy: what is due next happens next."""

import random


def simulate_losses(copies, mtbf_s, repair_s, time_s, runs, seed):
    rng = random.Random(seed)
    lost = 0
    for _ in range(runs):
        due_s = [rng.expovariate(1 / mtbf_s) for _ in range(copies)]
        lives = [True] * copies
        while min(due_s) <= time_s:
            now_s = min(due_s)
            copy = due_s.index(now_s)
            lives[copy] = not lives[copy]
            due_s[copy] = now_s + rng.expovariate(1 / (mtbf_s if lives[copy] else repair_s))
            if not any(lives):
                lost += 1
                break
    return lost


SOLUTION = simulate_losses
