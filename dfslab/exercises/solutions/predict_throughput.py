"""How fast a parallel download is: the narrowest place decides."""

from math import inf


def throughput_mb_s(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    rates = [inf if rate is None else rate for rate in holders_mb_s]
    slowest_has_its_part_to_the_end = scheduler == "uniform"  # and the others wait for it
    holders = len(rates) * min(rates) if slowest_has_its_part_to_the_end else sum(rates)
    own = inf if client_mb_s is None else client_mb_s
    return min(own, holders / clients, machine_mb_s / clients)


SOLUTION = throughput_mb_s
