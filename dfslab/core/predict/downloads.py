"""How long a parallel download takes."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from dfslab.core.blocks import Chunk, share_of, split_into_chunks
from dfslab.core.errors import InvalidOption
from dfslab.core.links import Bucket, Link
from dfslab.core.nodes import CLIENT, MASTER
from dfslab.core.options import Options
from dfslab.core.policies import POLICIES
from dfslab.core.policies.chunk_scheduler import WorkStealing
from dfslab.core.predict.prediction import (
    RATE_TOLERANCE,
    SLACK_S,
    Prediction,
    check_amount,
    check_machine,
    check_options,
    check_some,
    rate_of,
    unknown,
)
from dfslab.core.predict.wires import EARLY, LATE, MEAN, Wires, named, tries

_HEDGE = WorkStealing()


def download_s(
    size_bytes: int,
    holders: Sequence[Link],
    client: Link | None = None,
    *,
    master: Link | None = None,
    options: Options | None = None,
    machine_mb_s: float | None = None,
    scheduler: str = "work-stealing",
    connected: bool = False,
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict how long a parallel download takes.

    Parameters
    ----------
    size_bytes : int
    holders : sequence of Link
        The links of the keepers that serve it, one each.
    client, master : Link, optional
        By default as fast as the machine.
    options : Options, optional
        Only its `block_size` matters.
    machine_mb_s : float, optional
        The rate of a node whose link sets no limit; where neither says, the prediction is NaN.
    scheduler : {"work-stealing", "no-hedging", "uniform"}
        How the chunks are shared out: by a queue that asks twice for a late chunk, by a queue that does not, or in
        equal parts, fixed beforehand.
    connected : bool
        Whether the client has fetched from these holders in the last minute: no handshakes, typically.
    slack_s : float
        What a busy machine may add.

    Returns
    -------
    Prediction
        Seconds.

    Raises
    ------
    InvalidOption
        For a size below 0, no holders, what is no link, or an unknown scheduler.

    Notes
    -----
    With rates r_1 ... r_k of the holders and c of the client, all in use, bytes arrive at
    min(c, r_1 + ... + r_k): the cut at the client, or the cut at the holders, whichever is narrower::

        seconds = size / min(c, Σ r_i)

    Around that:

    1. Before the first byte pass one call to the master (2 delays), one TCP handshake (2), unless the
       connection was kept from an earlier transfer, and one request (2). Each later chunk costs its
       holder a request again, during which its card rests and saves up at most `BURST_S`: with a
       round trip of d, a chunk of L bytes takes L/r + max(0, d - BURST_S). A client that is the limit
       rests as long if all its holders ask in step, as holders that share a card evenly do.
    2. Chunks are whole: each holder takes the next when it is free (list scheduling). `typical` follows
       that schedule; `low` lets all holders be busy to the end, size / Σ r. No holder rests while a
       chunk waits, so each begins by (bytes before it) / Σ r, and `high` has it served by the slowest
       holder with an even share of the client (the argument of Graham, "Bounds on
       multiprocessing timing anomalies", SIAM J. Appl. Math. 17(2), 1969).
    3. When a chunk is late, more than twice the mean, an idle holder is asked for it, too ("hedging": Dean
       & Barroso, "The tail at scale", CACM 56(2), 2013): `typical` takes whichever is first.
    4. Where the parts are fixed beforehand ("uniform"), the holder that needs the longest for its part decides:
       seconds = max(size / c, max (size / k) / r_i).
    5. With a loss p, a chunk is asked for again: × (1 + p / (2 (1 - p))) on average, without a bound.

    Examples
    --------
    >>> twenty = Link(rate_mb_s=20)
    >>> [round(download_s(60_000_000, [twenty] * k).typical, 1) for k in (1, 2, 3)]
    [3.0, 1.5, 1.0]
    """
    check_some("holders", holders)
    nodes = {CLIENT: client or Link(), MASTER: master or Link(), **named(holders, "holders")}
    wires = Wires.of(nodes, check_machine(machine_mb_s), connected=connected)
    return download_between(
        wires, CLIENT, list(nodes)[2:], size_bytes, options=options, scheduler=scheduler, slack_s=slack_s
    )


def download_rate_mb_s(
    size_bytes: int,
    holders: Sequence[Link],
    client: Link | None = None,
    *,
    master: Link | None = None,
    options: Options | None = None,
    machine_mb_s: float | None = None,
    scheduler: str = "work-stealing",
    connected: bool = False,
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict the rate of a parallel download, the file's size over `download_s`, which has the parameters.

    Returns
    -------
    Prediction
        MB/s (10^6 bytes).

    Examples
    --------
    >>> twenty = Link(rate_mb_s=20)
    >>> round(download_rate_mb_s(60_000_000, [twenty] * 3, client=Link(rate_mb_s=30)).typical)
    30
    """
    seconds = download_s(
        size_bytes,
        holders,
        client,
        master=master,
        options=options,
        machine_mb_s=machine_mb_s,
        scheduler=scheduler,
        connected=connected,
        slack_s=slack_s,
    )
    return rate_of(size_bytes, seconds)


def download_between(
    wires: Wires,
    client: str,
    holders: Sequence[str],
    size_bytes: int,
    *,
    options: Options | None = None,
    scheduler: str = "work-stealing",
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict a download between nodes of a cluster; see `download_s`."""
    check_amount("size_bytes", size_bytes)
    check_amount("slack_s", slack_s)
    schedulers = list(POLICIES["chunk_scheduler"])
    if scheduler not in schedulers:
        raise InvalidOption(option="scheduler", value=repr(scheduler), reason=f"choose one of {', '.join(schedulers)}")
    if math.isinf(sum(wires.rate(client, holder) for holder in holders)):
        return unknown()
    chunks = split_into_chunks(int(size_bytes), check_options(options).block_size, len(holders))
    lengths = [chunk.length for chunk in chunks]
    locate = wires.round_trip(client, MASTER)
    jitter = wires.round_trip(client, MASTER, LATE) - locate
    low, typical, high = (_Lanes(wires, client, holders, when) for when in (EARLY, MEAN, LATE))
    loss = max(wires.loss(client, holder) for holder in holders)
    if scheduler == "uniform":
        parts = _parts(chunks, int(size_bytes), len(holders))
        early_s, usual_s, late_s = low.fluid_apart(parts), typical.apart(parts), high.bound_apart(parts)
    else:
        early_s, late_s = low.fluid(lengths), high.bound(lengths)
        usual_s = typical.schedule(lengths, hedged=scheduler == "work-stealing")
    return Prediction(
        max(0.0, early_s + locate - jitter),
        usual_s * tries(loss) + locate,
        math.inf if loss else late_s * (1 + RATE_TOLERANCE) + locate + jitter + slack_s,
    )


def _parts(chunks: Sequence[Chunk], size: int, holders: int) -> list[list[int]]:
    """Return the lengths of each holder's chunks when they are dealt out beforehand."""
    parts: list[list[int]] = [[] for _ in range(holders)]
    for chunk in chunks:
        parts[share_of(chunk, size, holders)].append(chunk.length)
    return parts


@dataclass(frozen=True, slots=True)
class _Served:
    """The last chunk of a lane."""

    asked_s: float
    end_s: float
    length: int


class _Lanes:
    """The holders of a download, each serving one chunk at a time."""

    def __init__(self, wires: Wires, client: str, holders: Sequence[str], when: int) -> None:
        self._client_rate = wires.rate(client)
        self._rates = [wires.rate(client, holder) for holder in holders]
        self._trips = [wires.round_trip(client, holder, when) for holder in holders]
        self._bursts = [wires.burst(client, holder) for holder in holders]
        self._handshakes = [wires.handshake(client, holder, when) for holder in holders]
        self._gaps = [max(0.0, trip - burst) for trip, burst in zip(self._trips, self._bursts, strict=True)]

    @property
    def _first_byte_s(self) -> float:
        return min(handshake + trip for handshake, trip in zip(self._handshakes, self._trips, strict=True))

    def fluid(self, lengths: Sequence[int]) -> float:
        """Return the time with every lane busy to the end, and all its idle time saved up."""
        if not lengths:
            return 0.0
        size, longest = sum(lengths), max(lengths)
        served = sum(longest / (gap + longest / rate) for gap, rate in zip(self._gaps, self._rates, strict=True))
        moved = max(size / served, size / self._client_rate) - max(self._bursts)
        return max(self._first_byte_s, min(self._handshakes) + moved)

    def schedule(self, lengths: Sequence[int], *, hedged: bool) -> float:
        """Return the time when each chunk goes to the lane that is free first, unless the client needs longer."""
        if not lengths:
            return 0.0
        free = [(handshake, lane) for lane, handshake in enumerate(self._handshakes)]
        buckets = [Bucket() for _ in free]
        heapq.heapify(free)
        served: dict[int, _Served] = {}
        for length in lengths:
            asked_at, lane = heapq.heappop(free)
            at = self._served_at(lane, asked_at, length, buckets[lane])
            served[lane] = _Served(asked_at, at, length)
            heapq.heappush(free, (at, lane))
        end = self._hedged_s(served, len(lengths)) if hedged else max(one.end_s for one in served.values())
        return max(end, self._client_s(lengths))

    def _served_at(self, lane: int, asked_s: float, length: int, bucket: Bucket) -> float:
        """Return when a lane has served a chunk that it was asked for, as far as its own link goes."""
        at = asked_s + self._trips[lane]
        if self._bursts[lane]:
            return max(at, bucket.reserve(length, self._rates[lane] / 1e6, at))
        return at + length / self._rates[lane]

    def _hedged_s(self, served: dict[int, _Served], chunks: int) -> float:
        """Return the end when another lane, once idle, asks for the latest chunk too, and the first answer counts."""
        late = max(served, key=lambda lane: served[lane].end_s)
        last = served.pop(late)
        if not served:
            return last.end_s
        mean_s = last.end_s * len(self._rates) / chunks
        patience_s = max(_HEDGE.hedge_floor_s, _HEDGE.hedge_factor * mean_s)
        again = min(
            max(one.end_s, last.asked_s + patience_s) + self._gaps[lane] + last.length / self._rates[lane]
            for lane, one in served.items()
        )
        return max(min(last.end_s, again), *(one.end_s for one in served.values()))

    def _client_s(self, lengths: Sequence[int]) -> float:
        """Return the time if the client is the limit; its card rests while all lanes, in step, ask for a next chunk."""
        rounds = len(lengths) / len(self._rates) - 1
        return self._first_byte_s + sum(lengths) / self._client_rate + rounds * min(self._gaps) - max(self._bursts)

    def bound(self, lengths: Sequence[int]) -> float:
        """Return the time by which the slowest lane would end any chunk, each lane having its share of the client."""
        rates = [min(rate, self._client_rate / len(self._rates)) for rate in self._rates]
        ahead = max(handshake + trip for handshake, trip in zip(self._handshakes, self._trips, strict=True))
        end = 0.0
        for length in lengths:
            slots = [gap + length / rate for gap, rate in zip(self._gaps, rates, strict=True)]
            end = max(end, ahead + max(slots))
            ahead += 1 / sum(1 / slot for slot in slots)
        return max(end, self.schedule(lengths, hedged=False))

    def fluid_apart(self, parts: Sequence[Sequence[int]]) -> float:
        """Return `fluid`, or the time of the lane that needs the longest for its own part, which may be more."""
        lanes = zip(parts, self._handshakes, self._gaps, self._rates, self._bursts, strict=True)
        alone = [
            handshake + len(lengths) * gap + sum(lengths) / rate - burst
            for lengths, handshake, gap, rate, burst in lanes
            if lengths
        ]
        return max([self.fluid([length for lengths in parts for length in lengths]), *alone])

    def apart(self, parts: Sequence[Sequence[int]]) -> float:
        """Return the time when each lane serves a part of its own, unless the client needs longer."""
        lengths = [length for part in parts for length in part]
        if not lengths:
            return 0.0
        ends = []
        for lane, part in enumerate(parts):
            at, bucket = self._handshakes[lane], Bucket()
            for length in part:
                at = self._served_at(lane, at, length, bucket)
            ends.append(at if part else 0.0)
        return max(*ends, self._client_s(lengths))

    def bound_apart(self, parts: Sequence[Sequence[int]]) -> float:
        """Return the time of the lane that needs the longest for its own part with an even share of the client."""
        shared = self._client_rate / len(parts)
        lanes = zip(parts, self._handshakes, self._trips, self._gaps, self._rates, strict=True)
        ends = [
            handshake + trip + len(lengths) * gap + sum(lengths) / min(rate, shared)
            for lengths, handshake, trip, gap, rate in lanes
            if lengths
        ]
        return max([self.apart(parts), *ends])
