"""The chain as a matrix: its chances after a short step, multiplied with themselves until the time is over."""

import numpy as np


def loss_probability(copies, mtbf_s, repair_s, time_s):
    doublings = 30
    step_s = time_s / 2**doublings
    step = np.zeros((copies + 1, copies + 1))  # from and to the number of live copies
    for live in range(1, copies + 1):
        step[live, live - 1] = step_s * live / mtbf_s
        if live < copies:
            step[live, live + 1] = step_s * (copies - live) / repair_s
    for _ in range(doublings):
        np.fill_diagonal(step, 0.0)
        np.fill_diagonal(step, 1.0 - step.sum(axis=1))  # something becomes of it, for certain
        step = step @ step
    return float(step[copies, 0])


SOLUTION = loss_probability
