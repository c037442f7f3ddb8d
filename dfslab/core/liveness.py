"""Who is alive: the master's view of a data keeper as a transition table."""

from __future__ import annotations

import enum

from dfslab.core.errors import InvalidTransition


class Liveness(enum.StrEnum):
    """What the master believes of a keeper."""

    UNSEEN = "unseen"
    """Known from the catalog, not heard since the master started."""
    ALIVE = "alive"
    DRAINING = "draining"
    """Alive, being decommissioned: serves reads, gets nothing new, does not count as a copy."""
    DEAD = "dead"
    DECOMMISSIONED = "decommissioned"


class Sign(enum.StrEnum):
    """What the master learns about a keeper."""

    REGISTERED = "registered"
    HEARTBEAT = "heartbeat"
    OVERDUE = "overdue"
    LEAVING = "leaving"
    DRAINED = "drained"


LIVENESS: dict[tuple[Liveness, Sign], Liveness] = {
    (Liveness.UNSEEN, Sign.REGISTERED): Liveness.ALIVE,
    (Liveness.UNSEEN, Sign.OVERDUE): Liveness.DEAD,
    (Liveness.ALIVE, Sign.REGISTERED): Liveness.ALIVE,
    (Liveness.ALIVE, Sign.HEARTBEAT): Liveness.ALIVE,
    (Liveness.ALIVE, Sign.OVERDUE): Liveness.DEAD,
    (Liveness.ALIVE, Sign.LEAVING): Liveness.DRAINING,
    (Liveness.DRAINING, Sign.REGISTERED): Liveness.DRAINING,
    (Liveness.DRAINING, Sign.HEARTBEAT): Liveness.DRAINING,
    (Liveness.DRAINING, Sign.OVERDUE): Liveness.DEAD,
    (Liveness.DRAINING, Sign.LEAVING): Liveness.DRAINING,
    (Liveness.DRAINING, Sign.DRAINED): Liveness.DECOMMISSIONED,
    (Liveness.DEAD, Sign.REGISTERED): Liveness.ALIVE,
}

SERVING = frozenset({Liveness.ALIVE, Liveness.DRAINING})
"""States in which a keeper answers; `is_alive` in the lookup table is True for these."""


def next_liveness(state: Liveness, sign: Sign) -> Liveness:
    """Return a keeper's next state; a pair that is not listed is a bug of ours."""
    try:
        return LIVENESS[state, sign]
    except KeyError:
        raise InvalidTransition(machine="liveness", state=state, event=sign) from None
