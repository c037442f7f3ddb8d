"""The settings of a cluster, validated once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, get_args

from dfslab.core.blocks import BLOCK_SIZE
from dfslab.core.checks import check_count, check_positive
from dfslab.core.errors import InvalidOption

RepairMode = Literal["eager", "scan"]
_TIMERS = (
    "heartbeat_interval_s",
    "heartbeat_timeout_s",
    "replication_interval_s",
    "orphan_grace_s",
    "copy_retry_s",
    "upload_memory_s",
    "scrub_interval_s",
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
    upload_memory_s : float
        How long an upload id is remembered, for a retry to find it; what an upload that broke off has left
        on keepers is kept as long.
    copies_per_keeper : int
        Repairs that a keeper takes part in at a time, as source and as target each.
    scrub_interval_s : float
        How often each keeper reads all its replicas again, to find damage while good copies are left.
        60 s is for a laboratory, where damage should be seen within a lesson; file systems of years take
        weeks (HDFS: three).
    scrub_rate_mb_s : float
        How fast a keeper reads for that at most, in MB/s: 16 takes a disk and a core a few hundredths of their time.
        Not divided by a cluster's speed.
    stall_timeout_s : float
        A transfer that moves no byte for so long is given up and goes on elsewhere.
    ack_timeout_s : float
        How long an upload waits for its acknowledgement.
    racks : mapping of str to str
        The rack that a keeper stands in, by the keeper's name; those of unknown racks are left out.
    """

    replicas: int = 3
    ack_replicas: int = 1
    heartbeat_interval_s: float = 1.0
    heartbeat_timeout_s: float = 3.0
    replication_interval_s: float = 10.0
    repair: RepairMode = "eager"
    orphan_grace_s: float = 60.0
    copy_retry_s: float = 0.5
    upload_memory_s: float = 6 * 3600.0
    copies_per_keeper: int = 4
    scrub_interval_s: float = 60.0
    scrub_rate_mb_s: float = 16.0
    stall_timeout_s: float = 5.0
    ack_timeout_s: float = 30.0
    block_size: int = BLOCK_SIZE
    racks: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("replicas", "ack_replicas", "copies_per_keeper", "block_size"):
            object.__setattr__(self, name, check_count(name, getattr(self, name)))
        for name in _TIMERS:
            object.__setattr__(self, name, check_positive(name, getattr(self, name)))
        object.__setattr__(self, "scrub_rate_mb_s", check_positive("scrub_rate_mb_s", self.scrub_rate_mb_s))
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
        if not isinstance(self.racks, Mapping) or not all(isinstance(one, str) for one in chain(*self.racks.items())):
            reason = "it maps the names of keepers to the names of racks"
            raise InvalidOption(option="racks", value=repr(self.racks), reason=reason)

    def at_speed(self, speed: float) -> Options:
        """Return the same settings with every timer divided by `speed`.

        The bounds on a single transfer (`stall_timeout_s`, `ack_timeout_s`) and on a client's retries
        (`upload_memory_s`) are left alone: real disks, networks and people do not run faster.
        """
        speed = check_positive("speed", speed)
        paced = [name for name in _TIMERS if name not in ("upload_memory_s", "stall_timeout_s", "ack_timeout_s")]
        return dataclasses.replace(self, **{name: getattr(self, name) / speed for name in paced})

    @property
    def tick_s(self) -> float:
        """Period at which the master looks at its timers: a tenth of the timeout, at most 0.1 s."""
        return min(0.1, self.heartbeat_timeout_s / 10)
