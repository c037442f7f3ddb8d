"""A world that fills up: files of different sizes come in, and a placement says where each copy goes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dfslab.core.policies.placement import KeeperLoad
from dfslab.exercises.drawing import BLUE, VERMILION, axes, svg
from dfslab.exercises.model import Draw, Wrong

MB = 1_000_000
ROOM = 10**12


@dataclass
class Shelves:
    """Keepers, and the copies that a placement has put on them.

    Attributes
    ----------
    loads : dict of str to KeeperLoad
        What is known of each keeper, in the order of their names.
    files : list of list of str
        The holders of each file, in the order in which they got it.
    sizes : list of int
        Bytes of each file.
    """

    loads: dict[str, KeeperLoad]
    files: list[list[str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @property
    def racks(self) -> Mapping[str, str]:
        """The rack of each keeper that has one."""
        return {name: load.rack for name, load in self.loads.items() if load.rack}

    def candidates(self, number: int) -> list[KeeperLoad]:
        """Return the keepers that a file may still go to."""
        return [load for load in self.loads.values() if load.keeper not in self.files[number]]

    def put(self, placement: Any, size: int, replicas: int, rng: random.Random) -> list[str]:
        """Place all copies of another file, one after another, and return its holders."""
        self.files.append([])
        self.sizes.append(size)
        for _ in range(replicas):
            self.copy(placement, len(self.files) - 1, rng)
        return self.files[-1]

    def copy(self, placement: Any, number: int, rng: random.Random) -> str:
        """Place one more copy of a file, and return where it went; raise Wrong when that is no candidate."""
        candidates, size = self.candidates(number), self.sizes[number]
        chosen = placement.choose(candidates, size, rng, holders=list(self.files[number]), racks=dict(self.racks))
        names = [load.keeper for load in candidates]
        if chosen not in names:
            told = f"it chose {chosen!r}, which is not a candidate (these were {', '.join(names)})"
            raise Wrong(f"{self.where(number)}: {told}", picture=self.picture(number))
        self.files[number].append(chosen)
        load = self.loads[chosen]
        self.loads[chosen] = replace(
            load, stored_bytes=load.stored_bytes + size, free_bytes=load.free_bytes - size, replicas=load.replicas + 1
        )
        return str(chosen)

    def lose(self, keeper: str) -> list[int]:
        """Take a keeper away, with all that it has; return the files that are short of a copy now."""
        del self.loads[keeper]
        hit = [number for number, holders in enumerate(self.files) if keeper in holders]
        for number in hit:
            self.files[number].remove(keeper)
        return hit

    def where(self, number: int) -> str:
        """Say which copy is being placed."""
        held = self.files[number]
        on = f" (it is on {', '.join(map(self.named, held))})" if held else ""
        return f"file {number + 1} ({self.sizes[number] / MB:g} MB), copy {len(held) + 1}{on}"

    def named(self, keeper: str) -> str:
        """Return a keeper's name with its rack."""
        rack = self.racks.get(keeper)
        return f"{keeper} in {rack}" if rack else keeper

    def picture(self, number: int | None = None) -> Draw:
        """Return what draws how full each keeper is, with the holders of one file marked."""
        loads = sorted(self.loads.values(), key=lambda load: load.rack)
        marked = [] if number is None else list(self.files[number])

        def draw() -> str:
            ax = axes(0.8 + 0.28 * len(loads))
            colours = [VERMILION if load.keeper in marked else BLUE for load in loads]
            ax.barh(range(len(loads)), [load.stored_bytes / MB for load in loads], color=colours)
            ax.set_yticks(range(len(loads)), [f"{load.rack}  {load.keeper}".strip() for load in loads])
            ax.invert_yaxis()
            red = "" if number is None else f" (red: the holders of file {number + 1})"
            ax.set(xlabel="MB", title=f"what each keeper stores{red}")
            return svg(ax)

        return draw


def shelves(count: int, racks: Sequence[str] = ()) -> Shelves:
    """Return so many empty keepers, each in its rack if there are any."""
    names = [f"keeper-{number}" for number in range(1, count + 1)]
    where = list(racks) or [""] * count
    return Shelves({name: KeeperLoad(name, 0, ROOM, 0, rack) for name, rack in zip(names, where, strict=True)})


def some_sizes(rng: random.Random, count: int) -> list[int]:
    """Return sizes of files as they are found: many small ones, a few large ones; whole MB."""
    return [max(1, round(rng.lognormvariate(1.5, 1.2))) * MB for _ in range(count)]
