"""Emulated links: what every node's network card may carry, what a path between two nodes does, and who is cut off.

Only arithmetic and tables: `dfslab.runtime.network` does the waiting. A rate belongs to a node, one
token bucket each direction, shared by all its connections; delay, jitter and loss belong to a path,
which is both ends' links together unless the pair has its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from dfslab.core.checks import is_number, plain
from dfslab.core.errors import InvalidOption

BURST_S = 0.02
"""How much of a bucket may be saved up, as time: what a sleep overshoots is caught up within it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A node's emulated network card; `Link()` is as fast as the machine.

    Attributes
    ----------
    rate_mb_s : float or None
        MB/s (10^6 bytes) of file bytes in each direction, for all connections together; None: unlimited.
    delay_ms : float
        Time that each message takes on its way, one way, milliseconds.
    jitter_ms : float
        The delay varies by up to so much, up or down, evenly spread; at most `delay_ms`.
    loss : float
        Chance, 0 to 1, that a request on the data plane ends in a connection reset somewhere in its middle.

    Raises
    ------
    InvalidOption
        Naming the field that is out of its range.
    """

    rate_mb_s: float | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, check_link_field(one.name, getattr(self, one.name)))
        if self.jitter_ms > self.delay_ms:
            reason = f"it can't be more than delay_ms={self.delay_ms:g}: nothing arrives before it was sent"
            raise _refused("jitter_ms", self.jitter_ms, reason)

    def changed(self, changes: Mapping[str, Any]) -> Link:
        """Return this link with some of its fields changed; raise InvalidOption for a field that it does not have."""
        known = [one.name for one in fields(self)]
        for name, value in changes.items():
            if name not in known:
                raise _refused(name, value, f"a link has {', '.join(known)}")
        return replace(self, **changes)

    def as_dict(self) -> dict[str, float | None]:
        """Return the fields as plain JSON values."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def is_plain(self) -> bool:
        """True when it changes nothing."""
        return self == _PLAIN


LINK_FIELDS = tuple(one.name for one in fields(Link))


def link_words(values: Mapping[str, Any]) -> str:
    """Return a link in words, as tables and pictures have it; what it does not limit is left out.

    Parameters
    ----------
    values : mapping
        The fields of a link, as `Link.as_dict` returns them and the trace tells them.

    >>> link_words(Link(rate_mb_s=20, delay_ms=5, jitter_ms=2).as_dict())
    '20 MB/s, 5±2 ms'
    """
    rate, delay, jitter, loss = (values.get(name) for name in LINK_FIELDS)
    parts = [f"{rate:g} MB/s"] if rate else []
    if delay:
        parts.append(f"{delay:g}±{jitter:g} ms" if jitter else f"{delay:g} ms")
    if loss:
        parts.append(f"{100 * loss:g} % lost")
    return ", ".join(parts) or "no limit"


def joined(one: Link, other: Link) -> Link:
    """Return what lies between two nodes by their links: the delays add up, and either may lose a request."""
    return Link(
        delay_ms=one.delay_ms + other.delay_ms,
        jitter_ms=one.jitter_ms + other.jitter_ms,
        loss=1.0 - (1.0 - one.loss) * (1.0 - other.loss),
    )


def check_link_field(name: str, value: Any, option: str = "") -> float | None:
    """Return the value of a link's field; raise InvalidOption naming `option`, or the field, when it can't be one."""
    if name == "rate_mb_s":
        if value is None:
            return None
        allowed, reason = is_number(value) and value > 0, "it must be a number above 0, or None for no limit"
    elif name == "loss":
        allowed, reason = is_number(value) and 0 <= value <= 1, "it must be a chance between 0 and 1"
    else:
        allowed, reason = is_number(value) and value >= 0, "it must be a number of milliseconds, 0 or more"
    if not allowed:
        raise _refused(option or name, value, reason)
    return plain(value)


def _refused(name: str, value: object, reason: str) -> InvalidOption:
    return InvalidOption(option=name, value=repr(value), reason=reason)


@dataclass(frozen=True, slots=True)
class Path:
    """What a message meets from one node to another: seconds, seconds, a chance."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0


class Bucket:
    """A token bucket that says when bytes may pass, in the order in which they ask.

    It keeps the time at which everything granted so far has passed (the generic cell rate algorithm,
    ITU-T I.371): a grant takes `count / rate` seconds behind that time. An idle bucket saves up
    `BURST_S` seconds at most.
    """

    def __init__(self) -> None:
        self._free_at = -math.inf

    def reserve(self, count: int, rate_mb_s: float, now: float) -> float:
        """Grant `count` bytes and return the time at which they have passed, seconds."""
        self._free_at = max(self._free_at, now - BURST_S) + count / (rate_mb_s * 1e6)
        return self._free_at


class LinkTable:
    """The links of every node and pair, and which nodes can't reach which."""

    def __init__(self) -> None:
        self._nodes: dict[str, Link] = {}
        self._pairs: dict[tuple[str, str], Link] = {}
        self._cuts: dict[tuple[str, str], None] = {}
        self._muted: dict[str, None] = {}

    def link(self, node: str) -> Link:
        """Return a node's link."""
        return self._nodes.get(node, _PLAIN)

    def set_link(self, node: str, link: Link) -> None:
        """Give a node another link."""
        self._nodes[node] = link

    def pair(self, a: str, b: str) -> Link | None:
        """Return what two nodes have between them in place of both their links' delay and loss, or None."""
        return self._pairs.get(_pair(a, b))

    def set_pair(self, a: str, b: str, link: Link | None) -> None:
        """Give two nodes a delay and a loss of their own, both ways; None takes them away. A rate belongs to a node."""
        if link is None:
            self._pairs.pop(_pair(a, b), None)
            return
        if link.rate_mb_s is not None:
            reason = "a rate belongs to a node, not to a pair: set it with set_link(node, rate_mb_s=...)"
            raise _refused("rate_mb_s", link.rate_mb_s, reason)
        self._pairs[_pair(a, b)] = link

    def path(self, a: str, b: str) -> Path:
        """Return what a message from `a` to `b` meets: the delays of both links add up, and either may lose it."""
        between = self._pairs.get(_pair(a, b)) or joined(self.link(a), self.link(b))
        return Path(between.delay_ms / 1e3, between.jitter_ms / 1e3, between.loss)

    def cut(self, a: Iterable[str], b: Iterable[str], *, one_way: bool = False) -> None:
        """Let nothing pass from any of `a` to any of `b`, nor back unless `one_way`."""
        targets = list(b)
        for source in a:
            for target in targets:
                self._cuts[source, target] = None
                if not one_way:
                    self._cuts[target, source] = None

    def heal(self) -> None:
        """Let everything pass again."""
        self._cuts.clear()

    def is_cut(self, a: str, b: str) -> bool:
        """Return True when nothing passes from `a` to `b`."""
        return (a, b) in self._cuts

    def mute(self, node: str, *, muted: bool = True) -> None:
        """Have every heartbeat of a node get lost on its way, or arrive again."""
        if muted:
            self._muted[node] = None
        else:
            self._muted.pop(node, None)

    def is_muted(self, node: str) -> bool:
        """Return True while a node's heartbeats get lost."""
        return node in self._muted

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON values."""
        return {
            "nodes": {node: link.as_dict() for node, link in self._nodes.items()},
            "pairs": [[a, b, link.as_dict()] for (a, b), link in self._pairs.items()],
            "cuts": [list(cut) for cut in self._cuts],
            "muted": list(self._muted),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LinkTable:
        """Return the table that `as_dict` wrote."""
        table = cls()
        table._nodes = {node: Link(**link) for node, link in values["nodes"].items()}
        table._pairs = {(a, b): Link(**link) for a, b, link in values["pairs"]}
        table._cuts = dict.fromkeys((a, b) for a, b in values["cuts"])
        table._muted = dict.fromkeys(values["muted"])
        return table

    def named(self) -> Iterable[str]:
        """Return the nodes that were given a link."""
        return self._nodes

    @property
    def is_plain(self) -> bool:
        """True when the network does nothing to anybody, as on most days."""
        links = [*self._nodes.values(), *self._pairs.values()]
        return not self._cuts and not self._muted and not self._pairs and all(link.is_plain for link in links)


_PLAIN = Link()


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a <= b else (b, a)
