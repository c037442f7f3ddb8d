"""A world of parallel downloads: holders that are slow, fail, freeze or die, and a chunk scheduler that is asked.

The chunks are handed out by the core's own `Download`, in virtual time. Bytes flow as in a network without waste: each
holder sends at its own rate, and where they are more than the client's link carries, that is shared max-min fairly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dfslab.core.blocks import BLOCK_SIZE, Chunk
from dfslab.core.download import Download, Fetched
from dfslab.core.policies.chunk_scheduler import FACTS, ChunkScheduler, InFlight
from dfslab.core.policies.facts import asked_for
from dfslab.exercises.drawing import GREEN, ORANGE, VERMILION, axes, svg
from dfslab.exercises.model import Draw, Wrong

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MB = 1e6
REST_S = 0.02
REFUSES_S = 0.002
"""How long it takes to hear that a dead holder does not answer."""
TINY_BYTES = 1e-3
STANDS_STILL = 40
"""After so many questions at which nothing was being served and nothing was given, a download never ends."""


@dataclass(frozen=True)
class Holder:
    """A keeper that holds the file.

    Attributes
    ----------
    rate_mb_s : float
    delay_s : float
        From a request to its first byte, seconds.
    later_s, later_mb_s : float
        From when on it sends at which other rate: 0 is a holder that is frozen, and never answers again.
    dies_s : float
        From when on it is dead: what it was serving fails, and so does every request.
    fails : sequence of int
        Which of its requests fail in their middle, counted from 0.
    """

    rate_mb_s: float
    delay_s: float = 0.002
    later_s: float = math.inf
    later_mb_s: float = 0.0
    dies_s: float = math.inf
    fails: Sequence[int] = ()

    def rate_at(self, now: float) -> float:
        """Return bytes a second."""
        return (self.rate_mb_s if now < self.later_s else self.later_mb_s) * MB


@dataclass(frozen=True)
class Answer:
    """What the scheduler was asked once, and what it said."""

    at_s: float
    keeper: str
    waiting: Sequence[Chunk]
    in_flight: Mapping[int, InFlight]
    chunk_s: float | None
    chunk: Chunk | None

    @property
    def rests(self) -> bool:
        """True when the keeper was given nothing although chunks were waiting."""
        return self.chunk is None and bool(self.waiting)

    @property
    def is_second(self) -> bool:
        """True when the chunk was being served by somebody already."""
        return self.chunk is not None and self.chunk.index in self.in_flight


class Watched:
    """A scheduler whose every answer is noted, and refused when it is none.

    Attributes
    ----------
    answers : list of Answer
    """

    def __init__(self, scheduler: ChunkScheduler) -> None:
        self._scheduler, self._facts = scheduler, asked_for(scheduler.next_chunk, FACTS)
        self.answers: list[Answer] = []
        self._still = 0

    def next_chunk(
        self,
        keeper: str,
        waiting: Sequence[Chunk],
        in_flight: Mapping[int, InFlight],
        chunk_s: float | None,
        now: float,
        holders: Sequence[str] = (),
        size: int = 0,
    ) -> Chunk | None:
        """Return the scheduler's answer; raise Wrong for what is no chunk, or none that is to be had."""
        known: dict[str, Any] = {"holders": holders, "size": size}
        facts = {fact: known[fact] for fact in self._facts}
        chunk = self._scheduler.next_chunk(keeper, waiting, in_flight, chunk_s, now, **facts)
        self.answers.append(Answer(now, keeper, tuple(waiting), dict(in_flight), chunk_s, chunk))
        if chunk is not None and not isinstance(chunk, Chunk):
            raise Wrong(f"asked for {keeper}, it returned {chunk!r:.80}; a Chunk or None is wanted", at_s=now)
        flight = in_flight.get(chunk.index) if chunk else None
        if chunk is not None and chunk not in waiting and (flight is None or flight.chunk != chunk):
            what = f"asked for {keeper}, it returned chunk {chunk.index}, which is neither waiting nor in flight now"
            raise Wrong(f"{what}: what was so at an earlier question may have changed", at_s=now)
        self._still = 0 if chunk or in_flight or not waiting else self._still + 1
        if self._still > STANDS_STILL:
            what = f"{len(waiting)} chunks are waiting, nothing is being served, and no holder is given anything"
            raise Wrong(
                f"the download stands still: {what} (the first that waits is chunk {waiting[0].index})", at_s=now
            )
        return chunk


@dataclass
class _Flight:
    """A request on its way: how many bytes are left, from when they flow, and at how many left it fails."""

    chunk: Chunk
    asked_s: float
    flows_s: float
    left: float
    fails_at: float = -1.0


@dataclass(frozen=True)
class Served:
    """How a download went.

    Attributes
    ----------
    size : int
        Bytes.
    holders : mapping of str to Holder
    answers : sequence of Answer
    requests : sequence of Fetched
    under_way : sequence of (str, Chunk, float)
        What was being served at the end: by whom, and since when.
    end_s : float
        When it was whole, or was given up.
    whole : bool
    lost : mapping of str to str
        Holders that were given up.
    """

    size: int
    holders: Mapping[str, Holder]
    answers: Sequence[Answer]
    requests: Sequence[Fetched]
    under_way: Sequence[tuple[str, Chunk, float]]
    end_s: float
    whole: bool
    lost: Mapping[str, str] = field(default_factory=dict)

    @property
    def rate_mb_s(self) -> float:
        """The file's size over the time it took."""
        return self.size / self.end_s / MB

    def wrong(self, what: str, at_s: float | None = None) -> Wrong:
        """Return the judgement that something went wrong, at the end unless another moment is given."""
        return Wrong(what, at_s=self.end_s if at_s is None else at_s, picture=self.drawing(at_s))

    def drawing(self, at_s: float | None = None) -> Draw:
        """Return what draws a bar for each request, a lane a keeper, with a line at the moment in question."""
        return lambda: self._picture(at_s)

    def _picture(self, at_s: float | None) -> str:
        ax = axes(1.2 + 0.4 * len(self.holders))
        lanes = {keeper: lane for lane, keeper in enumerate(self.holders)}
        for one in self.requests:
            colour, name = _LOOKS[one.outcome]
            _bar(ax, lanes[one.keeper], one.start_s, one.end_s, colour, name)
        for keeper, _, since_s in self.under_way:
            _bar(ax, lanes[keeper], since_s, self.end_s, *_LOOKS["under way"])
        for keeper, holder in self.holders.items():
            for event_s, marker, name in (
                (holder.dies_s, "X", "dies"),
                (holder.later_s, "v", "freezes" if holder.later_mb_s == 0 else "becomes slow"),
            ):
                if event_s <= self.end_s:
                    ax.plot(event_s, lanes[keeper], marker, color="black", markersize=8, label=name)
        if at_s is not None:
            ax.axvline(at_s, color="black", linestyle="--", linewidth=1, label="this moment")
        ax.set_yticks(
            range(len(lanes)), [f"{name}\n{holder.rate_mb_s:g} MB/s" for name, holder in self.holders.items()]
        )
        ax.set(xlabel="time (s)", title="requests, by the keeper that serves them", xlim=(0, None))
        ax.set_ylim(len(lanes) - 0.5, -0.5)
        named = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        ax.legend(named.values(), named.keys(), loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return svg(ax)


_LOOKS = {
    "ok": (GREEN, "chunk"),
    "duplicate": (ORANGE, "came second"),
    "cancelled": (ORANGE, "came second"),
    "failed": (VERMILION, "failed"),
    "under way": ("#BBBBBB", "under way"),
}


def _bar(ax: Axes, lane: int, start_s: float, end_s: float, colour: str, name: str) -> None:
    look: dict[str, Any] = {"color": colour, "edgecolor": "white", "linewidth": 0.6, "label": name}
    ax.barh(lane, end_s - start_s, left=start_s, height=0.7, **look)


def download(
    scheduler: ChunkScheduler,
    holders: Mapping[str, Holder],
    size: int,
    *,
    until_s: float,
    client_mb_s: float = math.inf,
    rest_s: float = REST_S,
) -> Served:
    """Download a file in virtual time, until it is whole, nobody is left to serve it, or `until_s`.

    Parameters
    ----------
    scheduler : ChunkScheduler
    holders : mapping of str to Holder
    size : int
        Bytes.
    until_s : float
    client_mb_s : float
        What the client's own link carries.
    rest_s : float
        How often a holder that was given nothing is offered to the scheduler again, if nothing else happens.

    Raises
    ------
    Wrong
        The scheduler gave an answer that is none; with a picture of the download so far.
    """
    return _Downloading(scheduler, holders, size, client_mb_s, rest_s).run(until_s)


class _Downloading:
    """A download under way in virtual time."""

    def __init__(
        self, scheduler: ChunkScheduler, holders: Mapping[str, Holder], size: int, client_mb_s: float, rest_s: float
    ) -> None:
        self._watched = scheduler if isinstance(scheduler, Watched) else Watched(scheduler)
        self._holders, self._size, self._client, self._rest_s = holders, size, client_mb_s * MB, rest_s
        self._machine = Download(size, BLOCK_SIZE, list(holders), self._watched)
        self._flights: dict[str, _Flight] = {}
        self._asked = dict.fromkeys(holders, 0)
        self._now = 0.0

    def run(self, until_s: float) -> Served:
        """Live through it."""
        while not self._machine.finished and not self._machine.stuck and self._now < until_s:
            self._offer()
            self._flow(until_s)
            self._land()
        return self._served()

    def _served(self) -> Served:
        machine = self._machine
        under_way = [(keeper, flight.chunk, flight.asked_s) for keeper, flight in self._flights.items()]
        return Served(
            self._size,
            self._holders,
            self._watched.answers,
            machine.requests,
            under_way,
            self._now,
            machine.finished,
            machine.lost,
        )

    def _offer(self) -> None:
        """Offer every idle holder to the scheduler."""
        for keeper in self._machine.holders:
            if keeper in self._flights:
                continue
            try:
                chunk = self._machine.next_chunk(keeper, self._now)
            except Wrong as wrong:
                raise self._served().wrong(wrong.what, self._now) from wrong
            if chunk is None:
                continue
            holder = self._holders[keeper]
            fails_at = chunk.length / 2 if self._asked[keeper] in holder.fails else -1.0
            self._asked[keeper] += 1
            self._flights[keeper] = _Flight(chunk, self._now, self._now + holder.delay_s, chunk.length, fails_at)

    def _flow(self, until_s: float) -> None:
        """Let time pass until the next thing happens."""
        rates = self._rates()
        moments = [until_s]
        if len(self._flights) < len(self._machine.holders):
            moments.append(self._now + self._rest_s)
        for keeper, flight in self._flights.items():
            holder = self._holders[keeper]
            moments += [at for at in (flight.flows_s, holder.later_s, holder.dies_s) if at > self._now]
            if holder.dies_s <= self._now:
                moments.append(self._now + REFUSES_S)
            if rates[keeper] > 0:
                moments.append(self._now + (flight.left - max(0.0, flight.fails_at)) / rates[keeper])
        then = min(moments)
        for keeper, flight in self._flights.items():
            flight.left -= rates[keeper] * (then - self._now)
        self._now = then

    def _rates(self) -> dict[str, float]:
        """Return bytes a second of each request on its way."""
        own = {
            keeper: 0.0
            if self._now < flight.flows_s or self._holders[keeper].dies_s <= self._now
            else self._holders[keeper].rate_at(self._now)
            for keeper, flight in self._flights.items()
        }
        return max_min_fair(own, self._client)

    def _land(self) -> None:
        """Have every request end whose time has come."""
        for keeper, flight in list(self._flights.items()):
            if self._holders[keeper].dies_s <= self._now:
                del self._flights[keeper]
                self._machine.failed(keeper, flight.chunk, "it is dead", self._now, fatal=False)
            elif flight.fails_at >= 0 and flight.left <= flight.fails_at + TINY_BYTES:
                del self._flights[keeper]
                self._machine.failed(keeper, flight.chunk, "the connection was reset", self._now, fatal=False)
            elif flight.left <= TINY_BYTES:
                del self._flights[keeper]
                self._machine.arrived(keeper, flight.chunk, self._now)


def max_min_fair(wanted: Mapping[str, float], capacity: float) -> dict[str, float]:
    """Share a capacity: who wants little gets it, and the others share the rest evenly (max-min fairness)."""
    shares: dict[str, float] = {}
    left = capacity
    for number, name in enumerate(sorted(wanted, key=lambda one: wanted[one])):
        shares[name] = min(wanted[name], left / (len(wanted) - number))
        left -= shares[name]
    return shares


def well(*rates_mb_s: float) -> dict[str, Holder]:
    """Return holders that are well, named keeper-1 and so on."""
    return {f"keeper-{number}": Holder(rate) for number, rate in enumerate(rates_mb_s, 1)}
