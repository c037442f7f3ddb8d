"""Choices that are too dear, too few, or of something else."""

from dfslab.core.predict import Fleet, RepairChain

YEAR_S = 365 * 86_400.0
CHOICES = [(replicas, rate) for replicas in (1, 2, 3, 4, 5) for rate in (5, 10, 20, 40, 80)]


def cheapest(reaches, cost):
    return min((choice for choice in CHOICES if reaches(*choice)), key=cost, default=None)


def chance(keepers, replicas, mtbf_s, data_bytes, rate):
    return Fleet(keepers, replicas, mtbf_s, data_bytes, rate).loss_within(YEAR_S)


def one_file_only(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    """It forgets that any of many keepers may fail."""

    def reaches(replicas, rate):
        recovery_s = Fleet(keepers, replicas, mtbf_s, data_bytes, rate).recovery_s
        return RepairChain(replicas, mtbf_s, recovery_s).loss_within(YEAR_S) <= target

    return cheapest(reaches, lambda choice: copy_cost * choice[0] + mb_s_cost * choice[1])


def one_source_only(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    """It has a single keeper do the whole repair."""

    def reaches(replicas, rate):
        recovery_s = data_bytes * replicas / keepers / (rate * 1e6)
        return RepairChain(replicas, mtbf_s, recovery_s, keepers).loss_within(YEAR_S) <= target

    return cheapest(reaches, lambda choice: copy_cost * choice[0] + mb_s_cost * choice[1])


def all_it_can(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    return (5, 80) if chance(keepers, 5, mtbf_s, data_bytes, 80) <= target else None


def always_three(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    return 3, 20


def fewest_copies(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    """It takes bandwidth for free."""
    return cheapest(
        lambda replicas, rate: chance(keepers, replicas, mtbf_s, data_bytes, rate) <= target, lambda c: c[0]
    )


def slowest_repair(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    return cheapest(
        lambda replicas, rate: chance(keepers, replicas, mtbf_s, data_bytes, rate) <= target, lambda c: c[1]
    )


def rather_too_much(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    """It has no way to say that there is none."""
    found = cheapest(
        lambda replicas, rate: chance(keepers, replicas, mtbf_s, data_bytes, rate) <= target,
        lambda choice: copy_cost * choice[0] + mb_s_cost * choice[1],
    )
    return found or (5, 80)


def the_other_way_round(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    found = rather_too_much(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost)
    return found[1], found[0]


def a_day(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    """It looks at a day, not at a year."""

    def reaches(replicas, rate):
        return Fleet(keepers, replicas, mtbf_s, data_bytes, rate).loss_within(86_400.0) <= target

    return cheapest(reaches, lambda choice: copy_cost * choice[0] + mb_s_cost * choice[1])


PLANTED = {
    "looks at one file": (one_file_only, "which is more than the target"),
    "has one keeper do the repair": (one_source_only, "it returned None, and"),
    "spends all it can": (all_it_can, "reaches the target for"),
    "takes three copies always": (always_three, "which is more than the target"),
    "takes bandwidth for free": (fewest_copies, "reaches the target for"),
    "takes copies for free": (slowest_repair, "reaches the target for"),
    "never says that there is none": (rather_too_much, "no choice reaches the target"),
    "returns them the other way round": (the_other_way_round, "in this order"),
    "looks at a day": (a_day, "which is more than the target"),
}
