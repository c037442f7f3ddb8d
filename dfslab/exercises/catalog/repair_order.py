"""Exercise: which file is repaired first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dfslab.core.policies.repair_order import Shortage
from dfslab.exercises.drawing import BLUE, VERMILION, axes, svg
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.shortages import two_keepers_dead

SEEDS = 20
FILES = 12

SPEC = """\
Write a repair order: a class with one method, `key(shortage)`. The master asks it about each file that is short of
copies, and repairs first what has the smallest key (keys are tuples, compared from left to right).

A `shortage` has `name`, `size` (bytes), `live` (copies that are left on live keepers), `wanted` (copies it should
have), and `since_s` (when it became short, in seconds since the start). Your order is to be:

1. a file with fewer live copies goes before one with more, whatever else is true of them;
2. among those with equally many, the smaller goes first, so that many are out of danger soon;
3. among those of one size, too, the one that has been short for longest.
"""

STARTER = """\
class MyOrder:
    def key(self, shortage):
        return (0,)
"""


@dataclass(frozen=True)
class _Queue:
    """Shortages in the order of a submission's keys."""

    shortages: Sequence[Shortage]

    def picture(self) -> str:
        """Draw the queue, first above: a bar a file as long as it is large, coloured by its live copies, as SVG."""
        ax = axes(1.0 + 0.24 * len(self.shortages))
        for copies, colour in ((1, VERMILION), (2, BLUE)):
            rows = [row for row, one in enumerate(self.shortages) if one.live == copies]
            sizes = [self.shortages[row].size / 1e6 for row in rows]
            if rows:
                ax.barh(rows, sizes, color=colour, label=f"{copies} live cop{'y' if copies == 1 else 'ies'}")
        ax.set_yticks(range(len(self.shortages)), [f"{one.name}, since {one.since_s:g} s" for one in self.shortages])
        ax.set(ylim=(len(self.shortages) - 0.5, -0.5), xlabel="size (MB)", title="your order, the first at the top")
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return svg(ax)


Better = Callable[[Shortage], Any]


def _fewest(trial: Trial) -> None:
    why = "a file with fewer live copies goes first"
    _judge(trial, lambda one: one.live, why, copies=(1, 2), sizes=(1, 2, 5, 40), equal=())


def _smallest(trial: Trial) -> None:
    why = "with equally many live copies, the smaller goes first"
    _judge(trial, lambda one: one.size, why, copies=(1, 2), sizes=(1, 2, 5, 9, 40, 100), equal=("live",))


def _longest(trial: Trial) -> None:
    why = "with as many live copies and as many bytes, the one that has been short for longest goes first"
    _judge(trial, lambda one: one.since_s, why, copies=(1, 2), sizes=(1, 40), equal=("live", "size"))


def _judge(
    trial: Trial, better: Better, why: str, *, copies: Sequence[int], sizes: Sequence[int], equal: Sequence[str]
) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        order = trial.policy("repair_order")
        ages = rng.sample(range(1000), FILES)
        shortages = [
            Shortage(f"v{at}", f"file-{at}", rng.choice(sizes) * 1_000_000, rng.choice(copies), 3, float(ages[at]))
            for at in range(FILES)
        ]
        queue = _queue(order, shortages)
        for at, first in enumerate(queue.shortages):
            for second in queue.shortages[at + 1 :]:
                alike = all(getattr(first, field) == getattr(second, field) for field in equal)
                if alike and better(second) < better(first):
                    raise Wrong(f"{_told(first)} goes before {_told(second)}: {why}", picture=queue.picture)


def _queue(order: Any, shortages: Sequence[Shortage]) -> _Queue:
    keys = [order.key(one) for one in shortages]
    for key in keys:
        if not isinstance(key, tuple) or not all(isinstance(part, int | float) for part in key):
            raise Wrong(f"a key is a tuple of numbers; it returned {key!r:.60}")
    return _Queue([shortages[at] for at in sorted(range(len(keys)), key=keys.__getitem__)])


def _told(one: Shortage) -> str:
    copies = f"{one.live} live cop{'y' if one.live == 1 else 'ies'}"
    return f"{one.name} ({copies}, {one.size / 1e6:g} MB, short since {one.since_s:g} s)"


def _on_a_real_cluster(trial: Trial) -> None:
    with two_keepers_dead(seed=1, repair_order=trial.policy("repair_order")) as cluster:
        files = cluster.files().set_index("file_name")
        planned = cluster.scan_now(dry_run=True)
    trial.check_alive()
    order = list(dict.fromkeys(planned.file_name[planned.action == "copy"]))
    right = sorted(order, key=lambda name: (files.live_copies[name], files.size_bytes[name]))
    for first, due in zip(order, right, strict=True):
        if first != due:
            told = [f"{name} ({files.live_copies[name]} live, {files.size_bytes[name]} bytes)" for name in (first, due)]
            raise Wrong(f"the master's scan would copy {told[0]} when it was the turn of {told[1]}")


EXERCISE = Exercise(
    name="repair-order",
    title="Which file is repaired first",
    notebook="05_replication_and_repair",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("The fewer live copies, the sooner", 2, _fewest),
        Check("Among equals, the smaller first", 1, _smallest),
        Check("Among equals of one size, the one that has waited longest", 1, _longest),
        Check("The master of a real cluster repairs in this order", 1, _on_a_real_cluster),
    ),
)
