"""What one may do to the disks: damage a replica, leave no room."""

from __future__ import annotations

from dfslab.core.checks import check_positive
from dfslab.core.errors import MasterUnavailable, NoSuchFile, NoSuchReplica, TooManyFaults
from dfslab.core.faults import Action
from dfslab.core.history import Table
from dfslab.core.names import check_name
from dfslab.lab.conditions import RECOVERY_TIMEOUT_S, Conditions
from dfslab.lab.damage import Damage, damage
from dfslab.lab.undoing import Fault
from dfslab.lab.waits import wait_until

TABLE_TIMEOUT_S = 5.0
"""How long what the master was told may take to be seen in its table."""


class DiskFaults(Conditions):
    """The faults of disks; they act on the keepers' real files."""

    def corrupt(
        self,
        name: str,
        keeper: str | int,
        how: str = "bitflip",
        *,
        recovery_timeout_s: float = RECOVERY_TIMEOUT_S,
    ) -> Fault:
        """Damage a keeper's replica of a file behind its back; the cluster's seed says where.

        The keeper serves what is on its disk: the first who reads the place finds out, takes it from
        another holder and tells the master. What nobody reads, the keeper's own scrubber finds, within
        `scrub_interval_s` or at `scrub_now`; damaged checksums ("checksum") too, which readers do not
        need: they check against those that the master has.

        Parameters
        ----------
        name : str
            The file.
        keeper : str or int
            A holder, also a dead one.
        how : {"bitflip", "truncate", "swap", "checksum"}
            One bit becomes the other; the end is cut off; two blocks that differ change places (the
            halves of a file of one block); one bit of the checksums beside it becomes the other.
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            The keeper's name; ``with cluster.corrupt("a.mp4", 3): ...`` has the damage found on
            leaving, and waits until the replica is replaced.

        Raises
        ------
        InvalidOption
            `how` is unknown, or would change nothing, since the file is empty or all the same.
        NoSuchFile, UnknownKeeper
        NoSuchReplica
            The keeper has no replica of the file.
        """
        return self._corrupt(name, keeper, how, recovery_timeout_s)

    def _corrupt(
        self,
        name: str,
        keeper: str | int,
        how: str = "bitflip",
        recovery_timeout_s: float = RECOVERY_TIMEOUT_S,
        *,
        least: int = 0,
    ) -> Fault:
        """Damage a replica of a file that has so many live copies; for one that has fewer raise TooManyFaults."""
        check_positive("recovery_timeout_s", recovery_timeout_s)
        check_name(name)
        with self._changing():
            holder = self._nodes.name_of(keeper)
            done = self._damage(name, holder, how, least)
            self._damages.append(done)
            event = self._nodes.note(
                "corrupt", holder, file_name=name, version=done.version, how=how, offset=done.offset
            )
        return self._fault(holder, event, lambda: self._discover(done), recovery_timeout_s)

    def _damage(self, name: str, holder: str, how: str, least: int) -> Damage:
        table = self._recorder.table()
        version = table.version_of(name)
        if version is None:
            raise NoSuchFile(name=name)
        if holder not in table.replicas.get(version, {}):
            raise NoSuchReplica(keeper=holder, version=f"{version} ({name!r})")
        if table.live_copies(version) < least:
            action = Action("corrupt", {"name": name, "keeper": holder, "how": how}).python
            raise TooManyFaults(action=action, broken=[f"the only copy of {name!r}"], limit=self._options.replicas - 1)
        # The path is made from the version, as the keeper itself does: what a keeper reports is never opened.
        data = self._nodes.directory(holder) / "replicas" / f"{version}.data"
        try:
            path, size, (offset, byte) = damage(data, how, self._options.block_size, self._rng)
        except FileNotFoundError:
            raise NoSuchReplica(keeper=holder, version=f"{version} ({name!r})") from None
        return Damage(holder, version, path, size, offset, byte)

    def _discover(self, done: Damage) -> None:
        """Tell the master of damage that is still there, as a reader would; return once the table shows it.

        When the master does not answer, the damage stays for a reader or a later healing to find.
        """
        if not done.lasts():
            return
        try:
            self._client.report_bad(done.keeper, done.version, "damaged by the laboratory")
        except MasterUnavailable:
            return

        def missing(table: Table) -> list[str]:
            self._check_open()
            row = table.replicas.get(done.version, {}).get(done.keeper)
            known = row is None or row.state != "valid" or not done.lasts()
            return [] if known else [f"the master counts on the damaged replica on {done.keeper}"]

        wait_until(self._recorder, missing, TABLE_TIMEOUT_S)

    def _discover_on(self, name: str, keeper: str) -> None:
        """Have the damage found that was done to a keeper's replica of a file."""
        table = self._recorder.table()
        for one in list(self._damages):
            file = table.files.get(one.version)
            if one.keeper == keeper and file is not None and file.file_name == name:
                self._discover(one)

    def fill_disk(self, keeper: str | int, *, recovery_timeout_s: float = RECOVERY_TIMEOUT_S) -> Fault:
        """Leave no room on a keeper's disk: what is there stays and is served, nothing new can be written.

        Transfers to it fail in their middle, as with a real disk. It stays full when the keeper is restarted.

        Parameters
        ----------
        keeper : str or int
            Its name or its number.
        recovery_timeout_s : float
            How long leaving a `with` block waits for recovery, seconds.

        Returns
        -------
        Fault
            Its name; ``with cluster.fill_disk(3): ...`` makes room again on leaving.

        Raises
        ------
        UnknownKeeper
        WrongState
            It is full already, or the keeper was decommissioned.
        """
        check_positive("recovery_timeout_s", recovery_timeout_s)
        with self._changing():
            name, event = self._nodes.fill_disk(keeper, full=True)
        return self._fault(name, event, lambda: self._free_if_full(name), recovery_timeout_s)

    def free_disk(self, keeper: str | int) -> str:
        """Make room on a keeper's disk again; return its name. Raises WrongState when there is room."""
        with self._changing():
            return self._nodes.fill_disk(keeper, full=False)[0]

    def _free_if_full(self, name: str) -> None:
        with self._changing():
            if name in self._nodes.full_disks():
                self.free_disk(name)
