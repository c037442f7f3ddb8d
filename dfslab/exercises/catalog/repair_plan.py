"""Exercise: who copies what to whom."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfslab.exercises.drawing import BLUE, ORANGE, VERMILION, axes, svg
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial

SEEDS = 20
Copy = tuple[str, str, str]

SPEC = """\
Write a function `repair_plan(shortages, live, limit)` that returns the copies to make now, as a list of tuples `(file,
source, target)`.

- `shortages` is a list of dicts, the most urgent first: `file`, `holders` (the live keepers that have a good copy; it
  may be empty) and `missing` (how many copies are to be made).
- `live` is a list of the names of all live keepers.
- `limit` is how many copies a keeper may send at a time, and how many it may receive at a time.

A copy goes from a holder to a live keeper that neither holds the file nor is about to get it. No more copies are made
than are missing. Whatever can be made within the limits is made, and no file takes the room that a more urgent one
needs. Where there is a choice, the work is spread: the keeper with the least to send sends, the one with the least to
receive receives.
"""

STARTER = """\
def repair_plan(shortages, live, limit):
    copies = []
    ...
    return copies
"""


@dataclass(frozen=True)
class _Trouble:
    """Shortages, and who is there to repair them."""

    shortages: Sequence[Mapping[str, Any]]
    live: Sequence[str]
    limit: int

    def loads(self, copies: Sequence[Copy]) -> tuple[Counter[str], Counter[str]]:
        return Counter(source for _, source, _ in copies), Counter(target for _, _, target in copies)

    def possible(self, shortage: Mapping[str, Any], copies: Sequence[Copy]) -> Copy | None:
        """Return a copy of this file for which there is room beside the others: the one that spreads the work best."""
        sent, received = self.loads(copies)
        of_it = [target for file, _, target in copies if file == shortage["file"]]
        sources = [keeper for keeper in shortage["holders"] if sent[keeper] < self.limit]
        targets = [
            keeper
            for keeper in self.live
            if received[keeper] < self.limit and keeper not in shortage["holders"] and keeper not in of_it
        ]
        if len(of_it) >= shortage["missing"] or not sources or not targets:
            return None
        return shortage["file"], min(sources, key=sent.__getitem__), min(targets, key=received.__getitem__)

    def plan(self) -> list[Copy]:
        """Return one right answer."""
        copies: list[Copy] = []
        for shortage in self.shortages:
            while (copy := self.possible(shortage, copies)) is not None:
                copies.append(copy)
        return copies


def _trouble(rng: random.Random, *, files: int, keepers: int, limit: int) -> _Trouble:
    live = [f"keeper-{number}" for number in range(1, keepers + 1)]
    shortages = []
    for number in range(1, files + 1):
        left = rng.choice([0, 1, 1, 2, 2, 2])
        shortages.append({"file": f"file-{number}", "holders": sorted(rng.sample(live, left)), "missing": 3 - left})
    return _Trouble(shortages, live, limit)


@dataclass(frozen=True)
class _Picture:
    """What each keeper would have to do by a plan."""

    trouble: _Trouble
    copies: Sequence[Copy]

    def __call__(self) -> str:
        """Draw what every keeper sends and receives, beside the limit, as SVG."""
        ax = axes(2.2)
        for side, (words, loads) in enumerate(zip(("sends", "receives"), self.trouble.loads(self.copies), strict=True)):
            places = [at + 0.4 * side - 0.2 for at in range(len(self.trouble.live))]
            ax.bar(
                places,
                [loads[keeper] for keeper in self.trouble.live],
                width=0.36,
                label=words,
                color=(BLUE, ORANGE)[side],
            )
        ax.axhline(self.trouble.limit, color=VERMILION, linestyle="--", label="limit")
        ax.set_xticks(range(len(self.trouble.live)), self.trouble.live, rotation=30, ha="right")
        ax.set(ylabel="copies", title="your plan")
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return svg(ax)


def _possible(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        trouble = _trouble(trial.rng(), files=8, keepers=6, limit=8)
        _sound(trouble, _asked(trial, trouble))


def _within_limits(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        trouble = _trouble(rng, files=20, keepers=6, limit=rng.choice([1, 2, 4]))
        copies = _asked(trial, trouble)
        _sound(trouble, copies)
        for words, loads in zip(("send", "receive"), trouble.loads(copies), strict=True):
            for keeper, count in loads.items():
                if count > trouble.limit:
                    what = f"{keeper} is to {words} {count} copies at a time, and the limit is {trouble.limit}"
                    raise Wrong(what, picture=_Picture(trouble, copies))


def _urgent_first(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        trouble = _trouble(rng, files=16, keepers=6, limit=rng.choice([1, 2, 4]))
        copies = _asked(trial, trouble)
        _sound(trouble, copies)
        for at, shortage in enumerate(trouble.shortages):
            as_urgent = {one["file"] for one in trouble.shortages[: at + 1]}
            left_out = trouble.possible(shortage, [one for one in copies if one[0] in as_urgent])
            if left_out is None:
                continue
            file, source, target = left_out
            has = sum(one[0] == file for one in copies)
            missing = f"copies of {file} that are missing: {shortage['missing']}, in your plan: {has}"
            if trouble.possible(shortage, copies) is not None:
                what = f"{missing}, though {source} can send and {target} can receive one more"
            else:
                what = f"{missing}: less urgent files take the room, as that of {source} or {target}"
            raise Wrong(what, picture=_Picture(trouble, copies))


def _spread(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        trouble = _trouble(trial.rng(), files=12, keepers=8, limit=12)
        copies = _asked(trial, trouble)
        _sound(trouble, copies)
        right = trouble.plan()
        if len(copies) < len(right):
            raise Wrong(f"{len(right)} copies can be made, and your plan has {len(copies)}")
        for words, loads, best in zip(("sends", "receives"), trouble.loads(copies), trouble.loads(right), strict=True):
            keeper, count = loads.most_common(1)[0]
            most = max(best.values()) + 1
            if count > most:
                what = f"{keeper} {words} {count} copies, and no keeper has to do more than {most}: others are idle"
                raise Wrong(what, picture=_Picture(trouble, copies))


def _asked(trial: Trial, trouble: _Trouble) -> list[Copy]:
    answer = trial.call([dict(one) for one in trouble.shortages], list(trouble.live), trouble.limit)
    if not isinstance(answer, list):
        raise Wrong(f"a list is asked for; it returned {answer!r:.80}")
    for copy in answer:
        if not isinstance(copy, tuple | list) or len(copy) != 3 or not all(isinstance(part, str) for part in copy):
            raise Wrong(f"each copy is a tuple (file, source, target); there is {copy!r:.80}")
    possible = trouble.plan()
    if possible and not answer:
        raise Wrong(f"your plan is empty, and {len(possible)} copies can be made, such as {possible[0]}")
    return [(file, source, target) for file, source, target in answer]


def _sound(trouble: _Trouble, copies: Sequence[Copy]) -> None:
    """Raise Wrong for a copy that can't be made, or that nobody needs."""
    known = {one["file"]: one for one in trouble.shortages}
    getting: dict[str, set[str]] = {}
    for file, source, target in copies:
        told = f"your plan has {file} copied from {source} to {target}"
        if file not in known:
            raise Wrong(f"{told}, and no such file is short")
        holders, targets = known[file]["holders"], getting.setdefault(file, set())
        has_it = f"it is held by {', '.join(holders) or 'nobody'}"
        if source not in holders:
            raise Wrong(f"{told}, and {source} does not have it: {has_it}")
        if target in holders:
            raise Wrong(f"{told}, and {target} has it already: {has_it}")
        if target in targets:
            raise Wrong(f"{told} twice: two copies on one keeper are lost together")
        if target not in trouble.live:
            raise Wrong(f"{told}, and {target} is not alive")
        targets.add(target)
        if len(targets) > known[file]["missing"]:
            raise Wrong(f"your plan has {len(targets)} copies of {file}, and it lacks {known[file]['missing']}")


EXERCISE = Exercise(
    name="repair-plan",
    title="Who copies what to whom",
    notebook="05_replication_and_repair",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("Every copy can be made, and is needed", 2, _possible),
        Check("Nobody sends or receives more than the limit", 1, _within_limits),
        Check("What can be done is done, the most urgent first", 2, _urgent_first),
        Check("The work is spread over the keepers", 1, _spread),
    ),
)
