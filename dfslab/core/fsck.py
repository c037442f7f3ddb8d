"""What a look at a cluster's directories means: which files have their copies, and what is wrong.

The runtime reads (`runtime/fsck.py`), this judges. Nothing here or there changes a byte.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dfslab.core.blocks import first_difference
from dfslab.core.keeper import shelf
from dfslab.core.master.master import CatalogImage
from dfslab.core.model import Version


class Trouble(enum.StrEnum):
    """What may be found."""

    CATALOG = "catalog"
    """The catalog can't be read, or is not what was committed."""
    IDENTITY = "identity"
    """A keeper's directory does not say whose it is, or belongs to another cluster."""
    LOST = "lost"
    """A file without a good copy."""
    SHORT = "short"
    """A file with fewer good copies than wanted."""
    CORRUPT = "corrupt"
    """A replica whose bytes or checksums are wrong."""
    MISSING = "missing"
    """A replica of the catalog that is not on its keeper's disk."""
    SYMLINK = "symlink"
    """A symbolic link where only files belong; it is never followed."""
    STRAY = "stray"
    """A file that is none of a keeper's."""
    ORPHAN = "orphan"
    """A replica that the catalog does not know."""
    LEFTOVER = "leftover"
    """What a crash left and the keeper's next start sweeps."""
    UNSEEN = "unseen"
    """A keeper of the catalog whose directory was not looked at."""


HARMLESS = frozenset({Trouble.STRAY, Trouble.ORPHAN, Trouble.LEFTOVER, Trouble.UNSEEN})
"""What a healthy cluster may have, too: it is reported, and is no problem."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `what` is a file's name, a version or a path, `where` a keeper or empty."""

    trouble: Trouble
    what: str
    where: str
    reason: str

    @property
    def is_problem(self) -> bool:
        """True when it needs somebody's attention."""
        return self.trouble not in HARMLESS


@dataclass(frozen=True, slots=True)
class ReadReplica:
    """A replica as it was read, byte for byte.

    Attributes
    ----------
    version : str
    size : int
        Bytes.
    checksums : bytes
        Of what is there, packed, by the block size of its checksums file.
    problem : str
        Why it does not even match its own checksums file; empty when it does.
    """

    version: str
    size: int
    checksums: bytes
    problem: str = ""


@dataclass(frozen=True, slots=True)
class KeeperLook:
    """What was found in a keeper's directory; `keeper` is empty, and `problem` says why, when it names nobody."""

    directory: str
    keeper: str
    cluster: str
    replicas: tuple[ReadReplica, ...] = ()
    names: tuple[str, ...] = ()
    symlinks: tuple[str, ...] = ()
    problem: str = ""


@dataclass
class Report:
    """The outcome: how much was checked, and what was found, the worst first."""

    files: int = 0
    replicas: int = 0
    checked_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> list[Finding]:
        """What needs somebody's attention."""
        return [finding for finding in self.findings if finding.is_problem]

    def add(self, trouble: Trouble, what: str, where: str, reason: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(trouble, what, where, reason))


def judge(image: CatalogImage | None, looks: Sequence[KeeperLook], wanted: int) -> Report:
    """Compare what the catalog says with what was read.

    Parameters
    ----------
    image : CatalogImage or None
        None when there is no catalog to compare with: then each keeper is judged by itself.
    looks : sequence of KeeperLook
        Keepers that are not among them are taken at the catalog's word.
    wanted : int
        Good copies that every file should have.
    """
    report = Report()
    owners: dict[str, str] = {}
    for look in looks:
        _judge_directory(report, look, image)
        if look.keeper and (other := owners.setdefault(look.keeper, look.directory)) != look.directory:
            reason = f"it says that it is {look.keeper}, as {other} does: only one of them may be started"
            report.add(Trouble.IDENTITY, look.directory, look.keeper, reason)
    if image is not None:
        _judge_files(report, image, looks, wanted)
    order = list(Trouble)
    report.findings.sort(key=lambda one: (order.index(one.trouble), one.what, one.where))
    return report


def _judge_directory(report: Report, look: KeeperLook, image: CatalogImage | None) -> None:
    where = look.keeper or look.directory
    if look.problem:
        report.add(Trouble.IDENTITY, look.directory, where, look.problem)
    elif image is not None and image.cluster and look.cluster not in ("", image.cluster):
        report.add(Trouble.IDENTITY, look.directory, where, f"it belongs to another cluster, {look.cluster}")
    for name in look.symlinks:
        report.add(Trouble.SYMLINK, name, where, "it is never followed; remove it")
    for name in shelf.leftovers(look.names):
        report.add(Trouble.LEFTOVER, name, where, "the keeper's next start sweeps it")
    for name in shelf.strays(look.names):
        if name not in look.symlinks:
            report.add(Trouble.STRAY, name, where, "it is none of the keeper's files")
    versions = {version.id: version for version in image.versions} if image else {}
    for replica in look.replicas:
        report.replicas += 1
        report.checked_bytes += replica.size
        version = versions.get(replica.version)
        if image is not None and version is None:
            fate = "kept until `dfslab restore --accept`" if image.restored else "deleted after a grace"
            report.add(Trouble.ORPHAN, replica.version, where, f"the catalog does not know it; it is {fate}")
        if problem := _problem_of(replica, version):
            report.add(Trouble.CORRUPT, version.name if version else replica.version, where, problem)


def _problem_of(replica: ReadReplica, version: Version | None) -> str:
    if replica.problem or version is None:
        return replica.problem
    if replica.size != version.size:
        return f"it has {replica.size} bytes, the file has {version.size}"
    block = first_difference(replica.checksums, version.checksums)
    return "" if block is None else f"block {block} is not what was uploaded"


def _judge_files(report: Report, image: CatalogImage, looks: Sequence[KeeperLook], wanted: int) -> None:
    seen = {look.keeper: look for look in looks if look.keeper}
    away = {record.keeper for record in image.keepers if not record.decommissioned} - set(seen)
    for keeper in sorted(away):
        report.add(Trouble.UNSEEN, keeper, "", "its directory was not looked at, so its copies were not checked")
    held = {keeper: {one.version: one for one in look.replicas} for keeper, look in seen.items()}
    by_version: dict[str, list[str]] = {}
    for record in image.replicas:
        by_version.setdefault(record.version, []).append(record.keeper)
        if not record.corrupt and record.keeper in seen and record.version not in held[record.keeper]:
            _add_missing(report, image, record.version, record.keeper)
    for version in image.versions:
        if not version.deleted:
            report.files += 1
            unchecked = sum(1 for keeper in by_version.get(version.id, ()) if keeper not in seen)
            _judge_file(report, version, held.values(), unchecked, wanted)


def _add_missing(report: Report, image: CatalogImage, version_id: str, keeper: str) -> None:
    version = next(version for version in image.versions if version.id == version_id)
    if not version.deleted:
        report.add(Trouble.MISSING, version.name, keeper, f"the catalog has version {version.id} there")


def _judge_file(
    report: Report, version: Version, held: Iterable[dict[str, ReadReplica]], unchecked: int, wanted: int
) -> None:
    here = [replicas[version.id] for replicas in held if version.id in replicas]
    good = sum(1 for replica in here if not _problem_of(replica, version))
    if good + unchecked == 0:
        report.add(Trouble.LOST, version.name, "", f"no good copy of version {version.id}")
    elif good + unchecked < wanted:
        report.add(Trouble.SHORT, version.name, "", f"{good + unchecked} of {wanted} good copies")
