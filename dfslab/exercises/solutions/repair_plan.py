"""Who copies what to whom."""


def repair_plan(shortages, live, limit):
    copies, sent, received = [], dict.fromkeys(live, 0), dict.fromkeys(live, 0)
    for shortage in shortages:
        has_it = set(shortage["holders"])
        for _ in range(shortage["missing"]):
            sources = [keeper for keeper in shortage["holders"] if sent[keeper] < limit]
            targets = [keeper for keeper in live if received[keeper] < limit and keeper not in has_it]
            if not sources or not targets:
                break
            source = min(sources, key=lambda keeper: sent[keeper])
            target = min(targets, key=lambda keeper: received[keeper])
            copies.append((shortage["file"], source, target))
            sent[source] += 1
            received[target] += 1
            has_it.add(target)
    return copies


SOLUTION = repair_plan
