"""Predictions in which one of the limits is forgotten, or meant otherwise."""

from dfslab.exercises.solutions.predict_throughput import SOLUTION


def no_client(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return SOLUTION(holders_mb_s, None, machine_mb_s, scheduler, clients)


def no_machine(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return SOLUTION(holders_mb_s, client_mb_s, 1e6, scheduler, clients)


def knows_no_none(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return min(sum(holders_mb_s), client_mb_s or machine_mb_s, machine_mb_s) / clients


def none_is_nothing(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return SOLUTION([rate or 0 for rate in holders_mb_s], client_mb_s, machine_mb_s, scheduler, clients)


def always_work_stealing(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return SOLUTION(holders_mb_s, client_mb_s, machine_mb_s, "work-stealing", clients)


def mean_of_uniform(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    if scheduler == "uniform":
        return min(holders_mb_s)
    return SOLUTION(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients)


def the_fastest_holder(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    fastest = max((rate for rate in holders_mb_s if rate), default=None)
    return SOLUTION([fastest], client_mb_s, machine_mb_s, scheduler, clients)


def one_client(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return SOLUTION(holders_mb_s, client_mb_s, machine_mb_s, scheduler, 1)


def the_clients_share_one_link(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return SOLUTION(holders_mb_s, client_mb_s, machine_mb_s, scheduler, 1) / clients


def megabits(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return 8 * SOLUTION(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients)


def in_words(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return f"{SOLUTION(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients)} MB/s"


PLANTED = {
    "forgets the client": (no_client, "The client's own link was full"),
    "forgets the machine": (no_machine, "The machine moved as much as it can"),
    "can't add None": (knows_no_none, "TypeError"),
    "takes no limit for nothing": (none_is_nothing, "it foretells 0.0 MB/s, slower than"),
    "takes every scheduler for work stealing": (always_work_stealing, "of the time only"),
    "has one slow holder for all": (mean_of_uniform, "slower than the"),
    "uses the fastest holder": (the_fastest_holder, "All holders were busy to the end"),
    "forgets the other clients": (one_client, "faster than the"),
    "has all clients share one link": (the_clients_share_one_link, "slower than the"),
    "counts in megabits": (megabits, "faster than the"),
    "answers in words": (in_words, "a rate in MB/s is asked for"),
}
