"""All choices, the cheapest first, until one reaches the target."""

import dfslab


def choose_replication(keepers, mtbf_s, data_bytes, target, copy_cost, mb_s_cost):
    def cost(choice):
        replicas, repair_mb_s = choice
        return copy_cost * replicas + mb_s_cost * repair_mb_s

    choices = [(replicas, repair_mb_s) for replicas in (1, 2, 3, 4, 5) for repair_mb_s in (5, 10, 20, 40, 80)]
    for replicas, repair_mb_s in sorted(choices, key=cost):
        fleet = dfslab.predict.Fleet(keepers, replicas, mtbf_s, data_bytes, repair_mb_s)
        if fleet.loss_within(365 * 86_400) <= target:
            return replicas, repair_mb_s
    return None


SOLUTION = choose_replication
