"""A world of heartbeats: keepers that beat, late or not at all, and a failure detector that is asked about them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dfslab.core.policies.failure_detector import FailureDetector
from dfslab.exercises.drawing import BLUE, VERMILION, axes, svg
from dfslab.exercises.policies import RemoteDetector

Step = tuple[str, str, float]
"""A method of the detector ("heard" or "is_overdue"), a keeper, and the time, seconds."""
STEPS_AT_ONCE = 50
"""So many go to the submission's process together, and have the time of one answer."""

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
    steps = list(_steps(beats, until_s, look_s))
    dead: dict[str, float] = {}
    believed: dict[str, None] = {}
    at = 0
    while at < len(steps):
        places = _next_places(steps, at, believed)
        overdue = _first_overdue(detector, [steps[place] for place in places]) if places else None
        end = len(steps) if not places else places[-1 if overdue is None else overdue] + 1
        believed.update((keeper, None) for method, keeper, _ in steps[at:end] if method == "heard")
        if overdue is not None:
            _, keeper, now = steps[end - 1]
            detector.forget(keeper)
            del believed[keeper]
            dead.setdefault(keeper, now)
        at = end
    return Watched(beats, dead, until_s)


def _steps(beats: Mapping[str, Sequence[float]], until_s: float, look_s: float) -> Iterator[Step]:
    """Yield what a detector is told and asked about every keeper, in the order of time."""
    arrivals = sorted((at_s, keeper) for keeper, times in beats.items() for at_s in times)
    at = 0
    for look in range(1, round(until_s / look_s) + 1):
        now = look * look_s
        while at < len(arrivals) and arrivals[at][0] <= now:
            yield "heard", arrivals[at][1], arrivals[at][0]
            at += 1
        yield from (("is_overdue", keeper, now) for keeper in beats)


def _next_places(steps: Sequence[Step], at: int, believed: Mapping[str, None]) -> list[int]:
    """Return the places of the next steps to take at once, unless somebody dies: of keepers held for alive only."""
    alive, places = dict(believed), list[int]()
    while at < len(steps) and len(places) < STEPS_AT_ONCE:
        method, keeper, _ = steps[at]
        if method == "heard":
            alive[keeper] = None
        if keeper in alive:
            places.append(at)
        at += 1
    return places


def _first_overdue(detector: FailureDetector, steps: Sequence[Step]) -> int | None:
    if isinstance(detector, RemoteDetector):
        return detector.first_overdue(steps)
    for place, (method, keeper, now) in enumerate(steps):
        if method == "heard":
            detector.heard(keeper, now)
        elif detector.is_overdue(keeper, now):
            return place
    return None
