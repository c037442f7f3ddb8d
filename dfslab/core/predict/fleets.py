"""A fleet of keepers, from its size and the bandwidth that repair has to how long its files last."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.checks import check_count, check_positive, check_timeout
from dfslab.core.errors import InvalidOption
from dfslab.core.predict.chains import RepairChain


@dataclass(frozen=True)
class Fleet:
    """Keepers that hold many files, placed at random, and repair together.

    Attributes
    ----------
    keepers : int
        More than `replicas`.
    replicas : int
        Copies of each file.
    mtbf_s : float
        Mean time between failures of one keeper, seconds.
    data_bytes : float
        Of all files together, counted once.
    repair_mb_s : float
        What each keeper gives to repair, out and in, MB/s (10^6 bytes).
    detection_s : float
        From a failure until repair begins, seconds.

    Raises
    ------
    InvalidOption

    Notes
    -----
    A keeper stores data × replicas / keepers. When it dies, its copies have their sources and their targets
    on all the others, so that they are made again by keepers - 1 at once (declustered parity: Holland & Gibson,
    "Parity declustering for continuous operation in redundant disk arrays", ASPLOS 1992; for replicas:
    Ghemawat et al., "The Google File System", SOSP 2003, §6.2.5, whose 600 GB came back in 23 minutes)::

        recovery = detection + data × replicas / (keepers × (keepers - 1) × repair rate)

    The other side of it: any `replicas` keepers have some file in common, so that any of their coincidences loses one.

    Examples
    --------
    >>> day = 86_400.0
    >>> fleet = Fleet(keepers=12, replicas=3, mtbf_s=90 * day, data_bytes=24e12, repair_mb_s=20)
    >>> f"{fleet.recovery_s / 3600:.1f} h, {fleet.loss_within(365 * day):.1%} a year"
    '7.6 h, 3.0% a year'
    """

    keepers: int
    replicas: int
    mtbf_s: float
    data_bytes: float
    repair_mb_s: float
    detection_s: float = 0.0

    def __post_init__(self) -> None:
        check_count("replicas", self.replicas)
        if check_count("keepers", self.keepers) <= self.replicas:
            reason = f"to make one of {self.replicas} copies again takes more keepers than that"
            raise InvalidOption(option="keepers", value=repr(self.keepers), reason=reason)
        for name in ("mtbf_s", "data_bytes", "repair_mb_s"):
            check_positive(name, getattr(self, name))
        check_timeout("detection_s", self.detection_s)

    @property
    def stored_bytes(self) -> float:
        """What each keeper stores, bytes."""
        return self.data_bytes * self.replicas / self.keepers

    @property
    def recovery_s(self) -> float:
        """Time from a keeper's failure until all its copies are made again, seconds."""
        return self.detection_s + self.stored_bytes / (self.repair_mb_s * 1e6 * (self.keepers - 1))

    @property
    def chain(self) -> RepairChain:
        """The chain that counts its keepers that are down."""
        return RepairChain(self.replicas, self.mtbf_s, self.recovery_s, self.keepers)

    def loss_within(self, time_s: float) -> float:
        """Return the chance that a file is lost within so many seconds."""
        return self.chain.loss_within(time_s)
