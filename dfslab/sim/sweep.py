"""Many histories, one seed each, and what they come to in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dfslab.core.guarantees import Guarantee
from dfslab.sim.simulation import Outcome, Settings

LOST = frozenset({Guarantee.DURABLE, Guarantee.SURVIVES, Guarantee.REMEMBERED})
"""Broken, these mean that something acknowledged is gone or may go."""
WRONG = frozenset({Guarantee.EXACT, Guarantee.WHOLE_VERSIONS, Guarantee.HONEST})
"""Broken, these mean that somebody was told what is not so."""


@dataclass
class Tally:
    """What some histories have come to.

    Attributes
    ----------
    seeds, acknowledged, core_events : int
    virtual_s : float
    struck, counts : Counter
        Faults that have happened, by kind; how calls have ended.
    broken : list
        The settings of each history that broke a guarantee, and what it broke.
    lost : int
        Histories in which something acknowledged was lost, or could have been.
    wrong : int
        Histories in which a client was told or given what is not so.
    """

    seeds: int = 0
    acknowledged: int = 0
    core_events: int = 0
    virtual_s: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[Settings, str]] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count a history in."""
        broken = outcome.broken
        self.merge(
            Tally(
                1,
                outcome.acknowledged,
                outcome.core_events,
                outcome.virtual_s,
                Counter(outcome.struck),
                Counter(outcome.counts),
                [(outcome.settings, str(broken))] if broken else [],
                int(broken is not None and broken.guarantee in LOST),
                int(broken is not None and broken.guarantee in WRONG),
            )
        )

    def merge(self, other: Tally) -> None:
        """Count another tally in."""
        for one in fields(self):
            mine = getattr(self, one.name)
            setattr(self, one.name, mine + getattr(other, one.name))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        broken = [(one.seed, one.steps, what) for one, what in self.broken]
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "broken": broken}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tally:
        """Read what `as_dict` gave."""
        broken = [(Settings(seed=seed, steps=steps), what) for seed, steps, what in values["broken"]]
        counters = {name: Counter(values[name]) for name in ("struck", "counts")}
        return cls(**{**values, **counters, "broken": broken})
