"""How long an upload takes until it is acknowledged."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dfslab.core.checks import check_count
from dfslab.core.errors import InvalidOption
from dfslab.core.links import Link
from dfslab.core.nodes import CLIENT, MASTER
from dfslab.core.options import Options
from dfslab.core.predict.prediction import (
    RATE_TOLERANCE,
    SLACK_S,
    Prediction,
    check_amount,
    check_machine,
    check_options,
    check_some,
    unknown,
)
from dfslab.core.predict.wires import EARLY, LATE, MEAN, Wires, fair_shares, named, tries


def upload_s(
    size_bytes: int,
    ack_replicas: int = 1,
    *,
    client: Link | None = None,
    keepers: Sequence[Link],
    master: Link | None = None,
    options: Options | None = None,
    machine_mb_s: float | None = None,
    connected: bool = False,
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict how long an upload takes until the client hears "success".

    Parameters
    ----------
    size_bytes : int
    ack_replicas : int
        Durable copies that it waits for.
    client, master : Link, optional
        By default as fast as the machine.
    keepers : sequence of Link
        The keeper that the client sends to, then those that copies go to.
    options : Options, optional
        `replicas`, `repair` and `copies_per_keeper` say how many copies are made at once.
    machine_mb_s : float, optional
        The rate of a node whose link sets no limit; where neither says, the prediction is NaN.
    connected : bool
        Whether all of them had transfers with each other in the last minute: no handshakes, typically.
    slack_s : float
        What a busy machine and its disk may add, for each copy waited for.

    Returns
    -------
    Prediction
        Seconds.

    Raises
    ------
    InvalidOption
        For a size below 0, fewer keepers than copies to wait for, or what is no link.

    Notes
    -----
    *One copy*: the client sends the file once, through its own card and the keeper's::

        seconds = size / min(client, keeper) + 4 master delays + 6 keeper delays + 2 keeper-master delays

    namely a call for the slot and one for the acknowledgement (4 delays to the master), the handshake
    (2; `low` leaves it out, for a connection may have been kept), header, reply, the first byte and the
    last reply (4), and the keeper's report (2).

    *More*: when the first copy is recorded, the master has m more made at once, all from the only
    holder, whose card they share. m is `replicas - 1` with eager repair, `ack_replicas - 1` without,
    and at most `copies_per_keeper`::

        seconds += size / min(target, source / m)

    plus an order, a handshake, a request and a report; of several targets, the one counts that makes up
    the number, and slower ones leave it a bigger share (max-min fairness). Targets that are equal end at
    about the same time, so waiting for 2 or for 3 of 3 copies takes nearly as long; `low` is what it
    takes when the copies that are waited for come first.

    Compare GFS, which pipelines along a chain: B/T + R·L for R replicas (Ghemawat et al., SOSP 2003,
    §3.2); here a second copy begins when the first is durable.

    With a loss p each transfer grows by 1 + p / (2 (1 - p)) on average, without a bound.

    Examples
    --------
    >>> ten = Link(rate_mb_s=10)
    >>> [round(upload_s(20_000_000, ack, keepers=[ten] * 3).typical, 1) for ack in (1, 2, 3)]
    [2.0, 6.0, 6.0]
    """
    check_some("keepers", keepers)
    nodes = {CLIENT: client or Link(), MASTER: master or Link(), **named(keepers, "keepers")}
    return upload_between(
        Wires.of(nodes, check_machine(machine_mb_s), connected=connected),
        CLIENT,
        list(nodes)[2:],
        size_bytes,
        ack_replicas,
        options=options,
        slack_s=slack_s,
    )


def upload_between(
    wires: Wires,
    client: str,
    keepers: Sequence[str],
    size_bytes: int,
    ack_replicas: int,
    *,
    options: Options | None = None,
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict an upload between nodes of a cluster, `keepers` being the first and then the targets; see `upload_s`."""
    check_amount("size_bytes", size_bytes)
    check_amount("slack_s", slack_s)
    options = check_options(options)
    check_count("ack_replicas", ack_replicas)
    if ack_replicas > min(options.replicas, len(keepers)):
        reason = f"replicas={options.replicas} are made, and {len(keepers)} keepers are given"
        raise InvalidOption(option="ack_replicas", value=repr(ack_replicas), reason=reason)
    upload = _Upload(wires, client, keepers, size_bytes, ack_replicas, options)
    low, typical, high = (upload.seconds(when) for when in (EARLY, MEAN, LATE))
    if math.isnan(typical):
        return unknown()
    late = high * (1 + RATE_TOLERANCE) + slack_s * ack_replicas
    return Prediction(low, typical, math.inf if upload.loss else late)


class _Upload:
    """The parts of an upload, with jitter at its best, not at all, or at its worst."""

    def __init__(
        self, wires: Wires, client: str, keepers: Sequence[str], size: int, ack_replicas: int, options: Options
    ) -> None:
        self._wires, self._client, self._first, self._size = wires, client, keepers[0], size
        self._awaited, self._eager = ack_replicas - 1, options.repair == "eager"
        wanted = (options.replicas - 1) if self._eager else self._awaited
        self._at_once = max(self._awaited, min(wanted, len(keepers) - 1, options.copies_per_keeper))
        self._targets = keepers[1 : 1 + self._at_once]
        self.loss = wires.loss(client, self._first) if not self._awaited else self._worst_loss()

    def _worst_loss(self) -> float:
        hops = [self._wires.loss(self._first, target) for target in self._targets]
        return max(self._wires.loss(self._client, self._first), *hops)

    def seconds(self, when: int) -> float:
        """Return the time to the acknowledgement; NaN where nothing says how fast bytes move."""
        wires, client, first = self._wires, self._client, self._first
        slot = wires.round_trip(client, MASTER, when)
        if not self._awaited:
            answer = wires.delay(first, MASTER, when) + wires.delay(first, client, when)
            return slot + self._send_s(when) + answer + wires.round_trip(client, MASTER, when)
        asked, copied = self._asked_s(when), self._copies_s(when)
        later = max(asked, copied) if self._eager else asked + copied  # not eager: copies begin when the client waits
        return slot + self._send_s(when) + later + wires.delay(MASTER, client, when)

    def _send_s(self, when: int) -> float:
        """From the slot until the first copy is recorded."""
        wires, client, first = self._wires, self._client, self._first
        sent = wires.handshake(client, first, when) + 3 * wires.delay(client, first, when)
        move = self._move_s(wires.rate(client, first), wires.burst(client, first), when)
        return sent + move + wires.delay(first, MASTER, when)

    def _asked_s(self, when: int) -> float:
        """From the record of the first copy until the client, which hears of it, has asked for the acknowledgement."""
        wires, client, first = self._wires, self._client, self._first
        return wires.delay(MASTER, first, when) + wires.delay(first, client, when) + wires.delay(client, MASTER, when)

    def _copies_s(self, when: int) -> float:
        """From the record of the first copy until enough of the others are recorded."""
        times = [
            self._copy_s(target, rate, when) for target, rate in zip(self._targets, self._rates(when), strict=True)
        ]
        return math.nan if any(map(math.isnan, times)) else sorted(times)[self._awaited - 1]

    def _rates(self, when: int) -> list[float]:
        """Return the rate of each copy: a fair share of the source, an even one at worst, a bigger one at best."""
        source = self._wires.rate(self._first)
        limits = [self._wires.rate(self._first, target) for target in self._targets]
        if when == MEAN:
            return fair_shares(source, limits)
        return [min(source / (self._awaited if when == EARLY else self._at_once), limit) for limit in limits]

    def _copy_s(self, target: str, rate: float, when: int) -> float:
        wires, first = self._wires, self._first
        told = wires.delay(MASTER, target, when) + wires.delay(target, MASTER, when)
        asked = wires.handshake(target, first, when) + wires.round_trip(target, first, when)
        return told + asked + self._move_s(rate, wires.burst(first, target), when)

    def _move_s(self, rate: float, burst: float, when: int) -> float:
        if math.isinf(rate):
            return math.nan
        seconds = max(0.0, self._size / rate - burst)
        return seconds if when == EARLY else seconds * tries(self.loss)
