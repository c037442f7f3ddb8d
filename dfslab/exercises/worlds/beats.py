"""A world of heartbeats: keepers that beat, late or not at all, and a failure detector that is asked about them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dfslab.core.policies.failure_detector import FailureDetector
from dfslab.exercises.drawing import BLUE, VERMILION, axes, svg

LOOK_S = 0.1
"""The detector is asked so often, as a master looks at its keepers."""


@dataclass(frozen=True)
class Watched:
    """What a detector was told, and what it said.

    Attributes
    ----------
    beats : mapping of str to sequence of float
        When each keeper's heartbeats arrived, seconds.
    dead : mapping of str to float
        When each keeper was first declared dead, seconds; those that never were are missing.
    until_s, since_s : float
        What is looked at.
    """

    beats: Mapping[str, Sequence[float]]
    dead: Mapping[str, float]
    until_s: float
    since_s: float = 0.0

    def around(self, at_s: float, before_s: float, after_s: float) -> Watched:
        """Return what a picture of this moment shows, and no more."""
        since_s, until_s = max(0.0, at_s - before_s), min(self.until_s, at_s + after_s)
        beats = {name: [beat for beat in times if since_s <= beat <= until_s] for name, times in self.beats.items()}
        return replace(self, beats=beats, since_s=since_s, until_s=until_s)

    def picture(self) -> str:
        """Draw the heartbeats as a raster, with the moments of death, as SVG."""
        ax = axes(0.8 + 0.35 * len(self.beats))
        ax.eventplot(list(self.beats.values()), lineoffsets=range(len(self.beats)), linelengths=0.6, colors=BLUE)
        for row, keeper in enumerate(self.beats):
            if self.since_s <= self.dead.get(keeper, math.inf) <= self.until_s:
                ax.plot(self.dead[keeper], row, "X", color=VERMILION, markersize=9)
        ax.set_yticks(range(len(self.beats)), list(self.beats))
        ax.set(xlim=(self.since_s, self.until_s), xlabel="time (s)", title="heartbeats (bars), declared dead (crosses)")
        return svg(ax)


def watch(
    detector: FailureDetector, beats: Mapping[str, Sequence[float]], until_s: float, look_s: float = LOOK_S
) -> Watched:
    """Tell a detector of heartbeats as they arrive, and ask it every `look_s` seconds who is dead.

    A keeper that is declared dead is forgotten and not asked about again, until it beats again.
    """
    arrivals = sorted((at_s, keeper) for keeper, times in beats.items() for at_s in times)
    dead: dict[str, float] = {}
    believed: dict[str, None] = {}
    at = 0
    for look in range(1, round(until_s / look_s) + 1):
        now = look * look_s
        while at < len(arrivals) and arrivals[at][0] <= now:
            detector.heard(arrivals[at][1], arrivals[at][0])
            believed[arrivals[at][1]] = None
            at += 1
        for keeper in list(believed):
            if detector.is_overdue(keeper, now):
                detector.forget(keeper)
                del believed[keeper]
                dead.setdefault(keeper, now)
    return Watched(beats, dead, until_s)
