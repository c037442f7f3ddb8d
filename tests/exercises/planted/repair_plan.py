"""Plans that can't be carried out, or that leave keepers idle."""

from dfslab.exercises.solutions.repair_plan import repair_plan

NO_LIMIT = 1_000


def without_limit(shortages, live, limit):
    return repair_plan(shortages, live, NO_LIMIT)


def least_urgent_first(shortages, live, limit):
    return repair_plan(shortages[::-1], live, limit)


def one_copy_each(shortages, live, limit):
    return repair_plan([{**one, "missing": 1} for one in shortages], live, limit)


def always_the_same(shortages, live, limit):
    copies, sent, received = [], dict.fromkeys(live, 0), dict.fromkeys(live, 0)
    for shortage in shortages:
        has_it = set(shortage["holders"])
        for _ in range(shortage["missing"]):
            sources = [keeper for keeper in shortage["holders"] if sent[keeper] < limit]
            targets = [keeper for keeper in live if received[keeper] < limit and keeper not in has_it]
            if sources and targets:
                copies.append((shortage["file"], sources[0], targets[0]))
                sent[sources[0]] += 1
                received[targets[0]] += 1
                has_it.add(targets[0])
    return copies


def to_a_holder(shortages, live, limit):
    return [
        (one["file"], one["holders"][0], live[number % len(live)])
        for number, one in enumerate(shortages)
        if one["holders"]
    ]


def twice_to_one(shortages, live, limit):
    copies = []
    for shortage in shortages:
        targets = [keeper for keeper in live if keeper not in shortage["holders"]]
        if shortage["holders"]:
            copies += [(shortage["file"], shortage["holders"][0], targets[0])] * shortage["missing"]
    return copies


def from_anybody(shortages, live, limit):
    return repair_plan([{**one, "holders": one["holders"] or live[:1]} for one in shortages], live, limit)


def to_everybody(shortages, live, limit):
    return repair_plan([{**one, "missing": len(live)} for one in shortages], live, limit)


def gives_up_too_soon(shortages, live, limit):
    return repair_plan(shortages, live, limit)[: len(live)]


def nothing(shortages, live, limit):
    return []


PLANTED = {
    "knows no limit": (without_limit, "and the limit is"),
    "begins with the least urgent": (least_urgent_first, "less urgent files take the room"),
    "makes one copy of each": (one_copy_each, "can receive one more"),
    "always asks the same keepers": (always_the_same, "others are idle"),
    "sends to who has it already": (to_a_holder, "has it already"),
    "puts two copies on one keeper": (twice_to_one, "two copies on one keeper are lost together"),
    "copies from who does not have it": (from_anybody, "does not have it"),
    "makes too many": (to_everybody, "and it lacks"),
    "does nothing": (nothing, "your plan is empty"),
    "stops early": (gives_up_too_soon, "can receive one more"),
}
