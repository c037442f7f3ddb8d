"""A world in which copies are missing: random lookup tables, and a small real cluster that has lost two keepers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from dfslab.exercises.drawing import BLUE, ORANGE, VERMILION, axes, svg

if TYPE_CHECKING:
    from dfslab.cluster import Cluster

GREY = "#BBBBBB"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Replicas:
    """A lookup table, as rows, with the names of all files.

    Attributes
    ----------
    files : sequence of str
        Also those of which no row is left.
    rows : sequence of mapping
        `file_name`, `data_node`, `is_alive`, `state`, as in `cluster.lookup_table()`.
    """

    files: Sequence[str]
    rows: Sequence[Row]

    def of(self, file: str) -> list[Row]:
        """Return a file's rows."""
        return [row for row in self.rows if row["file_name"] == file]

    def live(self, file: str) -> int:
        """Return how many valid copies a file has on live keepers."""
        return sum(row["is_alive"] and row["state"] == "valid" for row in self.of(file))

    def missing(self, wanted: int) -> dict[str, int]:
        """Return how many copies each file lacks; those that lack none are left out."""
        lack = {file: wanted - self.live(file) for file in self.files}
        return {file: count for file, count in lack.items() if count > 0}

    def told(self, file: str) -> str:
        """Return a file's rows in words."""
        rows = [f"{row['data_node']} ({_look(row)[0]})" for row in self.of(file)]
        return f"Its rows: {', '.join(rows)}" if rows else "It has no row at all"

    def picture(self, file: str) -> str:
        """Draw the table with one file marked, as SVG."""
        keepers = sorted({row["data_node"] for row in self.rows})
        ax = axes(1.2 + 0.3 * len(self.files))
        seen = {}
        for row in self.rows:
            at = keepers.index(row["data_node"]), self.files.index(row["file_name"])
            words, colour = _look(row)
            seen[words] = ax.plot(*at, "s", color=colour, markersize=11)[0]
        ax.axhspan(self.files.index(file) - 0.5, self.files.index(file) + 0.5, color=ORANGE, alpha=0.25)
        ax.set_xticks(range(len(keepers)), keepers, rotation=30, ha="right")
        ax.set_yticks(range(len(self.files)), self.files)
        ax.set(xlim=(-0.5, len(keepers) - 0.5), ylim=(len(self.files) - 0.5, -0.5), title="lookup table")
        ax.legend(seen.values(), seen.keys(), loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return svg(ax)


def _look(row: Row) -> tuple[str, str]:
    words = row["state"] + ("" if row["is_alive"] else ", keeper dead")
    if row["state"] != "valid":
        return words, VERMILION if row["state"] == "corrupt" else ORANGE
    return words, BLUE if row["is_alive"] else GREY


def random_replicas(rng: random.Random, states: Sequence[str], *, dead: int, vanished: bool = False) -> Replicas:
    """Return the table of ten files on six keepers, some of which are dead.

    Parameters
    ----------
    rng : random.Random
    states : sequence of str
        What a replica's state is drawn from.
    dead : int
        How many keepers are dead.
    vanished : bool
        Whether some files have no row at all.
    """
    keepers = [f"keeper-{number}" for number in range(1, 7)]
    gone = set(rng.sample(keepers, dead))
    files = [f"file-{number}" for number in range(1, 11)]
    rows = []
    for file in files:
        copies = 0 if vanished and rng.random() < 0.2 else rng.choice([2, 3, 3, 3, 4])
        for keeper in sorted(rng.sample(keepers, copies)):
            row = {"file_name": file, "data_node": keeper, "is_alive": keeper not in gone, "state": rng.choice(states)}
            rows.append(row)
    return Replicas(files, rows)


@contextmanager
def two_keepers_dead(seed: int, repair_order: object = "fewest-copies-first") -> Iterator[Cluster]:
    """Start a real cluster of five keepers with six files, kill two that share a file, and wait until that is known.

    Nothing is repaired but by `scan_now`. Some files have one live copy left, others two or three.
    """
    import dfslab.cluster  # the laboratory is loaded for a real cluster only

    with dfslab.cluster.start(
        n=5,
        name="exercise",
        repair="scan",
        replication_interval_s=3600.0,
        repair_order=repair_order,
        speed=10,
        seed=seed,
    ) as cluster:
        for number, size in enumerate([600, 100, 500, 200, 400, 300], 1):
            cluster.upload(bytes(size), name=f"file-{number}", ack_replicas=3)
        table = cluster.lookup_table()
        holders = {name: set(table.data_node[table.file_name == name]) for name in set(table.file_name)}
        killed = max(combinations(sorted(set(table.data_node)), 2), key=lambda pair: _variety(holders, pair))
        for keeper in killed:
            cluster.kill(keeper)
        for keeper in killed:
            cluster.wait_for_dead(keeper)
        yield cluster


def _variety(holders: Mapping[str, set[str]], pair: Sequence[str]) -> int:
    """Return how evenly the loss of two keepers leaves files with one copy and with two."""
    lost = [len(on & set(pair)) for on in holders.values()]
    return min(lost.count(2), lost.count(1))
