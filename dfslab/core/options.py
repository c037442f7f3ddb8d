"""The settings of a cluster, validated once."""

from __future__ import annotations

import dataclasses
import math
import numbers
from dataclasses import dataclass
from typing import Literal, TypeGuard, TypeVar, get_args

from dfslab.core.blocks import BLOCK_SIZE
from dfslab.core.errors import InvalidOption

P = TypeVar("P")
RepairMode = Literal["eager", "scan"]
_TIMERS = (
    "heartbeat_interval_s",
    "heartbeat_timeout_s",
    "replication_interval_s",
    "orphan_grace_s",
    "copy_retry_s",
    "stall_timeout_s",
    "ack_timeout_s",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a cluster behaves. Times are seconds, sizes bytes.

    Attributes
    ----------
    replicas : int
        Live copies that every file is kept at.
    ack_replicas : int
        Durable copies before an upload is acknowledged, unless the upload says otherwise.
    heartbeat_interval_s, heartbeat_timeout_s, replication_interval_s : float
        Heartbeat period, silence after which a keeper is dead, period of the replication scan.
    repair : {"eager", "scan"}
        Whether a commit and a death start repairs at once, or only the scan does.
    orphan_grace_s : float
        How long a replica that the catalog does not know stays on a keeper.
    copy_retry_s : float
        Wait before a failed copy is tried again; doubles up to the replication interval.
    copies_per_keeper : int
        Repairs that a keeper takes part in at a time, as source and as target each.
    stall_timeout_s : float
        A transfer that moves no byte for so long is given up and goes on elsewhere.
    ack_timeout_s : float
        How long an upload waits for its acknowledgement.
    """

    replicas: int = 3
    ack_replicas: int = 1
    heartbeat_interval_s: float = 1.0
    heartbeat_timeout_s: float = 3.0
    replication_interval_s: float = 10.0
    repair: RepairMode = "eager"
    orphan_grace_s: float = 60.0
    copy_retry_s: float = 0.5
    copies_per_keeper: int = 4
    stall_timeout_s: float = 5.0
    ack_timeout_s: float = 30.0
    block_size: int = BLOCK_SIZE

    def __post_init__(self) -> None:
        for name in ("replicas", "ack_replicas", "copies_per_keeper", "block_size"):
            object.__setattr__(self, name, check_count(name, getattr(self, name)))
        for name in _TIMERS:
            object.__setattr__(self, name, check_positive(name, getattr(self, name)))
        if self.ack_replicas > self.replicas:
            raise InvalidOption(
                option="ack_replicas", value=str(self.ack_replicas), reason=f"only {self.replicas} replicas are made"
            )
        if self.heartbeat_timeout_s <= self.heartbeat_interval_s:
            raise InvalidOption(
                option="heartbeat_timeout_s",
                value=str(self.heartbeat_timeout_s),
                reason=f"it must be longer than heartbeat_interval_s={self.heartbeat_interval_s}",
            )
        if self.repair not in get_args(RepairMode):
            raise InvalidOption(option="repair", value=repr(self.repair), reason="it is 'eager' or 'scan'")

    def at_speed(self, speed: float) -> Options:
        """Return the same settings with every timer divided by `speed`.

        The bounds on a single transfer (`stall_timeout_s`, `ack_timeout_s`) are left alone: they
        guard against real disks and networks, which do not run faster.
        """
        speed = check_positive("speed", speed)
        paced = [name for name in _TIMERS if name not in ("stall_timeout_s", "ack_timeout_s")]
        return dataclasses.replace(self, **{name: getattr(self, name) / speed for name in paced})

    @property
    def tick_s(self) -> float:
        """Period at which the master looks at its timers: a tenth of the timeout, at most 0.1 s."""
        return min(0.1, self.heartbeat_timeout_s / 10)


def is_number(value: object) -> TypeGuard[float]:
    """Return True for a finite number; those of NumPy are numbers too, True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object) -> TypeGuard[int]:
    """Return True for a whole number; those of NumPy are numbers too, True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def plain(value: float) -> float:
    """Return a number as Python's own, which JSON and a trace can hold."""
    return int(value) if is_whole(value) else float(value)


def check_positive(name: str, value: float) -> float:
    """Return `value` if it is a finite number above zero; raise InvalidOption otherwise."""
    if not is_number(value) or value <= 0:
        raise InvalidOption(option=name, value=repr(value), reason="it must be a number above 0")
    return plain(value)


def check_count(name: str, value: int) -> int:
    """Return `value` if it is a whole number of at least 1; raise InvalidOption otherwise."""
    if not is_whole(value) or value < 1:
        raise InvalidOption(option=name, value=repr(value), reason="it must be a whole number of at least 1")
    return int(value)


def check_timeout(name: str, value: float) -> float:
    """Return `value` if it is a finite number of seconds, 0 or more; raise InvalidOption otherwise."""
    if not is_number(value) or value < 0:
        raise InvalidOption(option=name, value=repr(value), reason="it must be a number of seconds, 0 or more")
    return plain(value)


def check_flag(name: str, value: bool) -> bool:
    """Return `value` if it is True or False; raise InvalidOption otherwise: the text "no" would be a yes."""
    if not isinstance(value, bool):
        raise InvalidOption(option=name, value=repr(value), reason="it must be True or False")
    return value


def check_path(name: str, path: P) -> P:
    """Return `path` if it is a text or a path object; raise InvalidOption otherwise."""
    if not isinstance(path, str) and not hasattr(path, "__fspath__"):
        raise InvalidOption(option=name, value=repr(path), reason="it must be a path")
    return path


def check_moment(name: str, time_s: float, now: float, begin: float = 0.0) -> float:
    """Return `time_s` if it is a time of a trace that goes from `begin` to `now`; raise InvalidOption otherwise."""
    if not is_number(time_s) or not begin <= time_s <= now:
        raise InvalidOption(option=name, value=repr(time_s), reason=f"the trace covers {begin:g} to {now:.1f} s")
    return time_s
