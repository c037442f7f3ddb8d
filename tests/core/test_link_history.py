"""The links of a past moment."""

from __future__ import annotations

from typing import Any

from dfslab.core.link_history import LinkHistory
from dfslab.core.links import Link, Path
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, TraceEvent, Tracer

TWENTY = Link(rate_mb_s=20, delay_ms=5)
SETUP = Setup(n=2, link=TWENTY)


class Lines:
    """A trace of faults and registrations."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []
        self._tracer = Tracer("lab", "1")

    def set_link(self, time_s: float, node: str, link: Link, **detail: Any) -> None:
        detail = {**link.as_dict(), **detail}
        self.events.append(self._tracer.event(Kind.FAULT, time_s, peer=node, action="set_link", **detail))

    def registers(self, time_s: float, keeper: str) -> None:
        self.events.append(self._tracer.event(Kind.KEEPER_REGISTERED, time_s, peer=keeper))


def test_at_the_start_every_keeper_has_the_link_of_the_setup_and_nobody_else() -> None:
    table = LinkHistory([], SETUP).at(0.0)

    assert [table.link(node) for node in ("keeper-1", "keeper-2", "master", "client")] == [TWENTY] * 2 + [Link()] * 2


def test_a_link_holds_from_its_change_until_the_next() -> None:
    lines = Lines()
    lines.set_link(1.0, "keeper-1", Link(rate_mb_s=5))
    lines.set_link(2.0, "keeper-1", Link(rate_mb_s=1))
    lines.set_link(3.0, "keeper-1", TWENTY, restored=True)
    history = LinkHistory(lines.events, SETUP)

    rates = [history.at(time_s).link("keeper-1").rate_mb_s for time_s in (0.9, 1.0, 1.9, 2.5, 3.0)]

    assert rates == [20, 5, 5, 1, 20]
    assert history.at(2.5).link("keeper-2") == TWENTY


def test_a_pair_has_its_own_delay_until_it_is_restored() -> None:
    lines = Lines()
    lines.set_link(1.0, "client", Link(delay_ms=50), other="keeper-1")
    lines.set_link(2.0, "client", Link(), other="keeper-1", restored=True)
    history = LinkHistory(lines.events, SETUP)

    paths = [history.at(time_s).path("keeper-1", "client") for time_s in (0.5, 1.5, 2.5)]

    assert paths == [Path(0.005), Path(0.05), Path(0.005)]


def test_a_keeper_that_joined_later_has_the_link_of_the_setup() -> None:
    lines = Lines()
    lines.registers(1.0, "keeper-3")

    assert LinkHistory(lines.events, SETUP).at(2.0).link("keeper-3") == TWENTY


def test_other_faults_change_no_link() -> None:
    event = Tracer("lab", "1").event(Kind.FAULT, 1.0, peer="keeper-1", action="kill")

    assert LinkHistory([event], SETUP).at(2.0).link("keeper-1") == TWENTY
