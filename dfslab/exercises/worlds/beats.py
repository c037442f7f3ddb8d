"""A world of heartbeats: keepers that beat, late or not at all, and a failure detector that is asked about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    until_s : float
    """

    beats: Mapping[str, Sequence[float]]
    dead: Mapping[str, float]
    until_s: float

    def picture(self) -> str:
        """Draw the heartbeats as a raster, with the moments of death, as SVG."""
        ax = axes(0.8 + 0.35 * len(self.beats))
        ax.eventplot(list(self.beats.values()), lineoffsets=range(len(self.beats)), linelengths=0.6, colors=BLUE)
        for row, keeper in enumerate(self.beats):
            if keeper in self.dead:
                ax.plot(self.dead[keeper], row, "X", color=VERMILION, markersize=9)
        ax.set_yticks(range(len(self.beats)), list(self.beats))
        ax.set(xlim=(0, self.until_s), xlabel="time (s)", title="heartbeats (bars), declared dead (crosses)")
        return svg(ax)


def watch(detector: FailureDetector, beats: Mapping[str, Sequence[float]], until_s: float) -> Watched:
    """Tell a detector of heartbeats as they arrive, and ask it every `LOOK_S` who is dead.

    A keeper that is declared dead is forgotten and not asked about again, until it beats again.
    """
    arrivals = sorted((at_s, keeper) for keeper, times in beats.items() for at_s in times)
    dead: dict[str, float] = {}
    believed: dict[str, None] = {}
    at = 0
    for look in range(1, round(until_s / LOOK_S) + 1):
        now = look * LOOK_S
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
