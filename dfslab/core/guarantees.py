"""What the file system promises (DESIGN §3), as checks that name the promise which does not hold.

The simulator asks them after every step, the tests at their end. Each takes what was really found on
disks and in answers, and raises `Broken` when that is not what was promised.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence


class Guarantee(enum.Enum):
    """The promises, by their number."""

    DURABLE = "1: an acknowledged upload is on stable storage on ack_replicas keepers, and in the catalog"
    EXACT = "2: a download yields exactly the bytes that were uploaded, or an error"
    WHOLE_VERSIONS = "3: a reader gets the old version or the new one, whole; names behave as if used one at a time"
    SURVIVES = "4: while one good copy survives, the file is found and copied again; the last one is never deleted"
    REMEMBERED = "5: a restarted master has every acknowledged file"
    FENCED = "6: a keeper counts as a holder only of what its own report shows"
    CLOSED = "7: nothing outside a keeper's directory is touched, and nobody without the token gets in"
    ENDS = "8: every call ends, with a result or an error within its timeout"
    HONEST = "an error that says that nothing was changed is right"
    TOLD = "the trace tells the same as the master's tables"
    TIDY = "nothing is left over: no orphan, no temporary file, no copy too many"


class Broken(AssertionError):
    """A guarantee does not hold.

    Attributes
    ----------
    guarantee : Guarantee
    what : str
        What was found instead.
    file_name, version : str
        What it is about; empty where it is about no file.
    """

    def __init__(self, guarantee: Guarantee, what: str, *, file_name: str = "", version: str = "") -> None:
        super().__init__(f"guarantee {guarantee.value}: broken: {what}")
        self.guarantee, self.what, self.file_name, self.version = guarantee, what, file_name, version


def check_acknowledgement(
    name: str, version: str, *, in_catalog: bool, durable_on: Collection[str], ack_replicas: int
) -> None:
    """Hold an acknowledgement to what the catalog and the disks have."""
    if not in_catalog:
        what = f"{name!r} was acknowledged as {version}, which the catalog has never had"
        raise Broken(Guarantee.DURABLE, what, file_name=name, version=version)
    if len(durable_on) < ack_replicas:
        where = ", ".join(durable_on) or "nobody's"
        what = f"{name!r} ({version}) was acknowledged with {ack_replicas} copies wanted, durable on {where} disk"
        raise Broken(Guarantee.DURABLE, what, file_name=name, version=version)


def check_counted(name: str, version: str, keeper: str, *, durable: bool) -> None:
    """Hold a replica that the master begins to count to what is on its keeper's disk."""
    if not durable:
        copy = f"copy of {name!r} ({version})" if name else f"copy of {version}"
        what = f"the master counts {keeper}'s {copy}, which is not whole on stable storage there"
        raise Broken(Guarantee.FENCED, what, file_name=name, version=version)


def check_download(name: str, version: str, got: bytes, uploaded: bytes | None) -> None:
    """Hold a download to the bytes that were uploaded as that version."""
    if uploaded is None:
        what = f"a download of {name!r} yielded version {version}, which nobody uploaded"
    elif got != uploaded:
        pairs = enumerate(zip(got, uploaded, strict=False))
        first = next((i for i, (a, b) in pairs if a != b), min(len(got), len(uploaded)))
        sizes = f"{len(got)} bytes of {len(uploaded)}"
        what = f"a download of {name!r} ({version}) has {sizes}, other ones from byte {first} on"
    else:
        return
    raise Broken(Guarantee.EXACT, what, file_name=name, version=version)


def check_deletion(name: str, version: str, keeper: str, others: Collection[str]) -> None:
    """Hold the deletion of a good replica of a current version to the good ones that are left."""
    if not others:
        what = f"{keeper} deletes the last good copy of {name!r} ({version})"
        raise Broken(Guarantee.SURVIVES, what, file_name=name, version=version)


def check_trim(name: str, version: str, keeper: str, counted: Collection[str], replicas: int) -> None:
    """Hold an order to delete a good replica of a current version to the ones that count without it."""
    if len(counted) < replicas:
        left = f"{len(counted)} of {replicas} copies that count ({', '.join(counted) or 'nobody'})"
        what = f"{keeper} is to delete its good copy of {name!r} ({version}), which leaves {left}"
        raise Broken(Guarantee.SURVIVES, what, file_name=name, version=version)


def check_gone(version: str, keeper: str, *, durably: bool) -> None:
    """Hold the news that a replica was deleted to what is on its keeper's disk."""
    if not durably:
        what = f"the master was told that {keeper}'s copy of {version} is gone, which it is not for good"
        raise Broken(Guarantee.TIDY, what, version=version)


def check_one_version(upload: str, version: str, before: str) -> None:
    """Hold an upload to the one version that it may become, however often it was tried."""
    if version != before:
        what = f"upload {upload} has become {before}, and then {version} as well"
        raise Broken(Guarantee.WHOLE_VERSIONS, what, version=version)


def check_names(restored: Mapping[str, str], durable: Mapping[str, str]) -> None:
    """Hold the files of a restarted master, version by name, to the durable ones."""
    for name in [*durable, *restored]:
        if restored.get(name) != durable.get(name):
            what = f"{name!r} is {restored.get(name, 'unknown')} after the restart, {durable.get(name, 'none')} before"
            raise Broken(Guarantee.REMEMBERED, what, file_name=name, version=durable.get(name, ""))


def check_recovery(name: str, version: str, good_on: Collection[str], replicas: int, waited_s: float) -> None:
    """Hold a file to its number of good copies, some time after the last fault was healed."""
    if len(good_on) < replicas:
        copies = f"{len(good_on)} of {replicas} good copies ({', '.join(good_on) or 'nobody'})"
        what = f"{name!r} ({version}) has {copies} {waited_s:g} s after healing"
        raise Broken(Guarantee.SURVIVES, what, file_name=name, version=version)


def check_leftovers(keeper: str, names: Sequence[str]) -> None:
    """Hold a keeper's disk to what may be there when all is calm: `names` is what is there besides."""
    if names:
        raise Broken(Guarantee.TIDY, f"{keeper} still has {', '.join(names)}", version=names[0].split(".")[0])


def check_pending(calls: Sequence[str]) -> None:
    """Hold the clients to having no call left that has not ended."""
    if calls:
        raise Broken(Guarantee.ENDS, f"has not ended: {', '.join(calls)}")
