"""Who may move bytes here: a keeper's judgement of the tickets that it is shown.

A ticket ends by the clock of the master that signed it. No clock is shared: of each master that
the keeper has heard it keeps what that master's clock said last, and when, by its own, that was.
A message takes a while, so the keeper is behind the master's clock by that while at most, and a
ticket lives that much longer, never shorter. The newest message counts, so that two clocks that run
at slightly different speeds never drift apart.

A restarted master has another clock, under another name (its boot). Tickets of the earlier one are
judged by the earlier clock, which the keeper goes on counting by its own: a download goes on while
the master restarts, and ends no later for it. Of a master that this process of the keeper has never
heard there is no clock to judge by, and its tickets are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from dfslab.core.errors import TicketRefused
from dfslab.core.tickets import MasterClock, Purpose, Ticket, TicketKey

CLOCKS = 8
"""Masters whose clocks a keeper goes on counting: tickets of earlier ones have ended, or are asked for again."""
SPENT_SLACK_S = 600.0
"""How much longer than a ticket its use is remembered: more than a clock can be set back by a late message."""


class Admission:
    """Judges tickets for one process of a keeper.

    Parameters
    ----------
    keeper, boot : str
        The keeper's name, and this process of it.
    key : bytes
        The cluster's.
    """

    def __init__(self, keeper: str, boot: str, key: bytes) -> None:
        self._keeper, self._boot, self._key = keeper, boot, TicketKey(key)
        self._behind: dict[str, float] = {}  # by master's boot: its clock's time minus ours
        self._spent: dict[tuple[str, int], float] = {}

    def learn(self, clock: MasterClock, now: float) -> None:
        """Take what a master's clock said, at our time `now`."""
        self._behind.pop(clock.boot, None)
        self._behind[clock.boot] = clock.time_s - now
        while len(self._behind) > CLOCKS:
            del self._behind[next(iter(self._behind))]

    def admit(self, signed: bytes, purposes: Sequence[Purpose], version: str, now: float) -> Ticket:
        """Return the ticket if it is good here and now, for one of these purposes and this version.

        Raises
        ------
        TicketRefused
            It says which of its claims does not hold.
        """
        ticket = self._key.read(signed, self._keeper)
        self._check(ticket.purpose in purposes, f"its purpose is {ticket.purpose.name.lower()}")
        self._check(ticket.version == version, f"it is for version {ticket.version}")
        self._check(ticket.keeper == self._keeper, f"it is for {ticket.keeper}")
        self._check(ticket.keeper_boot == self._boot, f"it is from before {self._keeper} started again")
        self._check(ticket.master_boot in self._behind, f"{self._keeper} has not heard of the master that signed it")
        self._check(self._left_s(ticket, now) >= 0.0, "it has lapsed")
        return ticket

    def check_length(self, ticket: Ticket, length: int, *, whole: bool) -> None:
        """Raise TicketRefused unless the ticket covers `length` bytes, or exactly these if `whole`."""
        fits = length == ticket.length if whole else length <= ticket.length
        self._check(fits, f"it is for {ticket.length} bytes, not {length}")

    def check_unused(self, ticket: Ticket) -> None:
        """Raise TicketRefused for a ticket that was spent."""
        self._check((ticket.master_boot, ticket.serial) not in self._spent, "it was used before")

    def spend(self, ticket: Ticket, now: float) -> None:
        """Let a ticket be good for this one time; what has lapsed long ago is forgotten."""
        self._spent = {key: until for key, until in self._spent.items() if until > now}
        self._spent[ticket.master_boot, ticket.serial] = now + self._left_s(ticket, now) + SPENT_SLACK_S

    def _left_s(self, ticket: Ticket, now: float) -> float:
        return ticket.expires_s - (now + self._behind[ticket.master_boot])

    def _check(self, holds: bool, reason: str) -> None:
        if not holds:
            raise TicketRefused(keeper=self._keeper, reason=reason)
