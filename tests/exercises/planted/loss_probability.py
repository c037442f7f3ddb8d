"""Chains with a rate that is wrong, and shortcuts."""

import math

import numpy as np


def solved(copies, time_s, failing, making, back=0.0):
    """Return the chance of no live copy, for rates that are given by the number of live ones."""
    doublings = 30
    step = np.zeros((copies + 1, copies + 1))
    for live in range(copies + 1):
        if live:
            step[live, live - 1] = failing(live)
        if 0 < live < copies:
            step[live, live + 1] = making(copies - live)
    step[0, 1] = back
    step *= time_s / 2**doublings
    for _ in range(doublings):
        np.fill_diagonal(step, 0.0)
        np.fill_diagonal(step, 1.0 - step.sum(axis=1))
        step = step @ step
    return float(step[copies, 0])


def one_fails_at_a_time(copies, mtbf_s, repair_s, time_s):
    return solved(copies, time_s, lambda live: 1 / mtbf_s, lambda missing: missing / repair_s)


def one_repair_at_a_time(copies, mtbf_s, repair_s, time_s):
    return solved(copies, time_s, lambda live: live / mtbf_s, lambda missing: 1 / repair_s)


def no_repair(copies, mtbf_s, repair_s, time_s):
    return (1 - math.exp(-time_s / mtbf_s)) ** copies


def rises_from_the_dead(copies, mtbf_s, repair_s, time_s):
    return solved(copies, time_s, lambda live: live / mtbf_s, lambda missing: missing / repair_s, copies / repair_s)


def only_the_mean(copies, mtbf_s, repair_s, time_s):
    step = mean = mtbf_s / copies
    for live in range(copies - 1, 0, -1):
        step = (1 + (copies - live) / repair_s * step) / (live / mtbf_s)
        mean += step
    return 1 - math.exp(-time_s / mean)


def rate_times_time(copies, mtbf_s, repair_s, time_s):
    return copies * time_s / mtbf_s


def steps_too_long(copies, mtbf_s, repair_s, time_s):
    step = np.zeros((copies + 1, copies + 1))
    for live in range(copies + 1):
        if live:
            step[live, live - 1] = live / mtbf_s
        if 0 < live < copies:
            step[live, live + 1] = (copies - live) / repair_s
    step *= time_s / 1000
    np.fill_diagonal(step, 1.0 - step.sum(axis=1))
    return float(np.clip(np.linalg.matrix_power(step, 1000)[copies, 0], 0, 1))


def the_chance_to_live(copies, mtbf_s, repair_s, time_s):
    right = solved(copies, time_s, lambda live: live / mtbf_s, lambda missing: missing / repair_s)
    return 1 - right


PLANTED = {
    "has one copy fail at a time": (one_fails_at_a_time, "i of them fail at the rate i / mtbf_s"),
    "makes one copy at a time": (one_repair_at_a_time, "k of them are made at the rate k / repair_s"),
    "repairs nothing": (no_repair, "nothing is repaired"),
    "lets a lost file come back": (rises_from_the_dead, "there is nothing to copy from"),
    "knows only the mean": (only_the_mean, "the mean time to loss is taken for all there is to know"),
    "multiplies a rate with a time": (rate_times_time, "a chance is a number from 0 to 1"),
    "takes steps that are too long": (steps_too_long, "the chance is"),
    "returns the chance to live": (the_chance_to_live, "the chance is"),
}
