"""Every error that the file system raises, and the registry that sends them over the wire.

Each error says what happened, whether anything may have changed (`definite`) and what to do next,
and derives from the builtin that a Python user would catch. `REGISTRY` maps class names to classes;
the gRPC layer sends `(name, fields)` and the other side raises the same error again.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeVar

_E = TypeVar("_E")


class Status(enum.StrEnum):
    """The gRPC status under which an error travels (names as in the gRPC specification)."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    ABORTED = "ABORTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class DfsError(Exception):
    """Base of every error of dfslab.

    Attributes
    ----------
    definite : bool
        True when the call certainly had no effect, so that trying again is safe; False when it
        may have taken effect although it failed.
    status : Status
        The gRPC status it travels under.
    fields : dict
        The keyword arguments that make the same error again on the other side of a wire.
    """

    definite: bool = True
    status: ClassVar[Status] = Status.INTERNAL

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        return (_remake, (type(self), self.fields))


def _remake(kind: type[DfsError], fields: dict[str, Any]) -> DfsError:
    return kind(**fields)


class InvalidName(DfsError, ValueError):
    """A file name that is not a key of this file system; nothing was changed."""

    status = Status.INVALID_ARGUMENT

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(
            f"the name {name!r} is refused: {reason}; use parts of letters, digits and the like, "
            "joined by '/', such as 'course/clip.mp4'",
            name=name,
            reason=reason,
        )


class InvalidOption(DfsError, ValueError):
    """An argument outside its range; nothing was started or changed."""

    status = Status.INVALID_ARGUMENT

    def __init__(self, *, option: str, value: str, reason: str) -> None:
        super().__init__(
            f"{option}={value} is refused: {reason}; nothing was changed",
            option=option,
            value=value,
            reason=reason,
        )


class NoSuchFile(DfsError, FileNotFoundError):
    """No file of that name in the lookup table."""

    status = Status.NOT_FOUND

    def __init__(self, *, name: str) -> None:
        super().__init__(f"no file named {name!r}; files() lists what there is", name=name)


class FileAlreadyExists(DfsError, FileExistsError):
    """A rename onto a name that is taken; nothing was changed."""

    status = Status.ALREADY_EXISTS

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"a file named {name!r} is there already and was not touched; delete it first, or choose another name",
            name=name,
        )


class NoLiveKeepers(DfsError, ConnectionError):
    """No live data keeper can take the file; nothing was stored."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, tried: Sequence[str] = ()) -> None:
        tail = f" (tried without success: {', '.join(tried)})" if tried else ""
        super().__init__(
            f"no live data keeper can take the file{tail}, so nothing was stored; "
            "restart(...) a keeper or add_keeper(), then try again",
            tried=list(tried),
        )


class NotEnoughKeepers(DfsError, ConnectionError):
    """Fewer live keepers than copies asked for; nothing was stored or changed."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, wanted: int, live: int) -> None:
        super().__init__(
            f"{wanted} copies need {wanted} live keepers, {live} can hold one; "
            "restart(...) a keeper or add_keeper(), then try again",
            wanted=wanted,
            live=live,
        )


class FileUnavailable(DfsError, ConnectionError):
    """The file exists, but every keeper that holds it is dead."""

    status = Status.UNAVAILABLE

    def __init__(self, *, name: str, holders: Sequence[str]) -> None:
        where = ", ".join(holders) if holders else "no keeper known to the master"
        super().__init__(
            f"{name!r} is unavailable: its copies are on {where}, none of which answers; "
            "restart(...) one of them and it is back",
            name=name,
            holders=list(holders),
        )


class UploadFailed(DfsError, ConnectionError):
    """No keeper stored the file; its name is as it was before."""

    status = Status.UNAVAILABLE

    def __init__(self, *, name: str, reasons: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} was not stored: {'; '.join(reasons)}. The name is as it was before; try again",
            name=name,
            reasons=list(reasons),
        )


class UploadUnconfirmed(DfsError, TimeoutError):
    """The upload was not confirmed in time; it may have been stored."""

    definite = False
    status = Status.DEADLINE_EXCEEDED

    def __init__(self, *, name: str, wanted: int, copies: int, waited_s: float, reason: str = "") -> None:
        known = f"{copies} known; {reason}" if reason else f"{copies} known"
        super().__init__(
            f"{name!r} was not confirmed on {wanted} keepers within {waited_s:.1f} s ({known}); "
            "it may be stored: look with stat(), or upload it again",
            name=name,
            wanted=wanted,
            copies=copies,
            waited_s=waited_s,
            reason=reason,
        )


class DownloadFailed(DfsError, OSError):
    """No whole, verified copy could be fetched; nothing was written to the target."""

    status = Status.UNAVAILABLE

    def __init__(self, *, name: str, reasons: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} could not be downloaded whole: {'; '.join(reasons)}. Nothing was written to the target",
            name=name,
            reasons=list(reasons),
        )


class SourceUnreadable(DfsError, OSError):
    """The file to upload can't be read; nothing was stored."""

    status = Status.INVALID_ARGUMENT

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(f"can't read {path!r}: {reason}; nothing was stored", path=path, reason=reason)


class SourceMissing(SourceUnreadable, FileNotFoundError):
    """The file to upload does not exist; nothing was stored."""


class SourceForbidden(SourceUnreadable, PermissionError):
    """The file to upload may not be read; nothing was stored."""


class TargetUnwritable(DfsError, OSError):
    """The place to download or save to can't be written; nothing was left there."""

    status = Status.INVALID_ARGUMENT

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(
            f"can't write {path!r}: {reason}; nothing was left there: choose another place (to=... of a download)",
            path=path,
            reason=reason,
        )

    @classmethod
    def because(cls, path: object, error: OSError) -> TargetUnwritable:
        """Return the kind that an error of the operating system is."""
        kind = _kind_of(error, cls, TargetMissing, TargetForbidden)
        return kind(path=str(path), reason=error.strerror or str(error))


class TargetMissing(TargetUnwritable, FileNotFoundError):
    """The folder to download or save to does not exist."""


class TargetForbidden(TargetUnwritable, PermissionError):
    """The place to download to may not be written."""


class UnknownKeeper(DfsError, ValueError):
    """No data keeper of that name or number."""

    status = Status.NOT_FOUND

    def __init__(self, *, keeper: str, known: Sequence[str]) -> None:
        super().__init__(
            f"no keeper {keeper}; there are {', '.join(known) or 'none'}", keeper=keeper, known=list(known)
        )


class WrongState(DfsError, ValueError):
    """The node is not in a state that allows this; nothing was changed."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, node: str, state: str, advice: str) -> None:
        verb = "are" if node.endswith("heartbeats") else "is"
        super().__init__(f"{node} {verb} {state}; {advice}", node=node, state=state, advice=advice)


class PortTaken(DfsError, OSError):
    """A port is in use by somebody else; whatever had been started was stopped again."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, address: str) -> None:
        super().__init__(
            f"{address} is in use by another program; choose another port, or 0 for any free one",
            address=address,
        )


class BadToken(DfsError, PermissionError):
    """The cluster's token was missing or wrong; the request was refused unread."""

    status = Status.UNAUTHENTICATED

    def __init__(self, *, address: str) -> None:
        super().__init__(
            f"{address} refused the token; pass the cluster's own (cluster.token, or DFSLAB_TOKEN)",
            address=address,
        )


class TicketRefused(DfsError, PermissionError):
    """A keeper was shown a transfer ticket that is not good there, or not any more; no byte was moved."""

    status = Status.PERMISSION_DENIED

    def __init__(self, *, keeper: str, reason: str) -> None:
        super().__init__(
            f"{keeper} refused the transfer's ticket: {reason}; no byte was moved: ask the master for a new one",
            keeper=keeper,
            reason=reason,
        )


class TlsFailed(DfsError, ConnectionError):
    """No secure connection came about, so nothing was sent: another authority, or TLS at one end only."""

    status = Status.UNAVAILABLE

    def __init__(self, *, address: str, reason: str) -> None:
        super().__init__(
            f"no secure connection to {address}: {reason}; nothing was sent: pass ca= the cluster's own "
            "(cluster.ca_file), and none for a cluster without TLS",
            address=address,
            reason=reason,
        )


class LimitReached(DfsError, ConnectionError):
    """A node has as much of something as it takes; nothing was changed."""

    status = Status.RESOURCE_EXHAUSTED

    def __init__(self, *, node: str, what: str, limit: int) -> None:
        super().__init__(
            f"{node} takes no more than {limit} {what}; nothing was changed: try again in a while, or ask for less",
            node=node,
            what=what,
            limit=limit,
        )


class ClusterClosed(DfsError, ConnectionError):
    """The cluster was closed before this call; nothing was done."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, name: str) -> None:
        super().__init__(f"cluster {name!r} is closed; dfslab.cluster.start(...) makes a new one", name=name)


class MasterUnavailable(DfsError, ConnectionError):
    """The master tracker gave no answer in time."""

    status = Status.UNAVAILABLE

    def __init__(self, *, address: str, reason: str, definite: bool = True) -> None:
        effect = "nothing was changed" if definite else "the request may have taken effect"
        super().__init__(
            f"the master tracker at {address} does not answer ({reason}); {effect}: "
            "restart_master(), or check the address, then look with stat()",
            address=address,
            reason=reason,
            definite=definite,
        )
        self.definite = definite


class MasterStarting(MasterUnavailable):
    """The master has just started and still waits for its keepers to report; clients ask again by themselves."""

    def __init__(self) -> None:
        DfsError.__init__(
            self,
            "the master tracker has just started and waits for its keepers to report; nothing was changed: "
            "try again in a moment",
        )
        self.definite = True


class KeeperUnreachable(DfsError, ConnectionError):
    """A data keeper gave no answer, or broke off, on the data port."""

    status = Status.UNAVAILABLE

    def __init__(self, *, keeper: str, reason: str, definite: bool = True) -> None:
        super().__init__(f"{keeper} broke off: {reason}", keeper=keeper, reason=reason, definite=definite)
        self.definite = definite


class ProtocolError(DfsError, ConnectionError):
    """What is not this protocol, or asks for what it does not allow; nothing was done."""

    status = Status.INVALID_ARGUMENT

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"not the dfslab protocol: {reason}; nothing was done", reason=reason)


class NoSuchReplica(DfsError, FileNotFoundError):
    """The keeper does not hold that version (any more)."""

    status = Status.NOT_FOUND

    def __init__(self, *, keeper: str, version: str) -> None:
        super().__init__(f"{keeper} holds no replica of version {version}", keeper=keeper, version=version)


class ChecksumMismatch(DfsError, OSError):
    """A block did not have the checksum that its uploader made; its bytes were not used."""

    status = Status.DATA_LOSS

    def __init__(self, *, where: str, block: int) -> None:
        super().__init__(
            f"block {block} from {where} fails its CRC32C; its bytes were not used", where=where, block=block
        )


class BadReplica(DfsError, OSError):
    """A keeper's replica is not what the master believes it to be; its bytes were not used."""

    status = Status.DATA_LOSS

    def __init__(self, *, keeper: str, version: str, reason: str) -> None:
        super().__init__(
            f"the replica of version {version} on {keeper} is bad: {reason}; its bytes were not used",
            keeper=keeper,
            version=version,
            reason=reason,
        )


BAD_REPLICA_ERRORS = (ChecksumMismatch, BadReplica, NoSuchReplica)
"""What a reader meets when the replica, not the way to it, is at fault: the master is told."""


class StorageFailed(DfsError, OSError):
    """A keeper's disk refused a write; no replica was made there."""

    status = Status.RESOURCE_EXHAUSTED

    def __init__(self, *, keeper: str, reason: str) -> None:
        super().__init__(
            f"{keeper} could not store the replica ({reason}); none was made there", keeper=keeper, reason=reason
        )


class ReplicaNotDeleted(DfsError, OSError):
    """A keeper's disk refused a deletion; the replica may be there still."""

    definite = False
    status = Status.INTERNAL

    def __init__(self, *, keeper: str, version: str, reason: str) -> None:
        super().__init__(
            f"{keeper} could not delete its replica of version {version} ({reason}); "
            "the master orders it again at its next scan",
            keeper=keeper,
            version=version,
            reason=reason,
        )


class NotRecorded(DfsError, ConnectionError):
    """A keeper stored a replica that the master did not record, as far as the keeper knows."""

    definite = False
    status = Status.ABORTED

    def __init__(self, *, keeper: str, version: str, reason: str) -> None:
        super().__init__(
            f"{keeper} stored version {version}, but the master did not record it ({reason}), so it does not count",
            keeper=keeper,
            version=version,
            reason=reason,
        )


class NotReady(DfsError, ConnectionError):
    """The keeper is not registered with a master at the moment, so it takes no files."""

    status = Status.UNAVAILABLE

    def __init__(self, *, keeper: str) -> None:
        super().__init__(f"{keeper} is not registered with the master at the moment; try another keeper", keeper=keeper)


class StaleIncarnation(DfsError, ConnectionError):
    """A keeper spoke under a registration that has lapsed; it must register again."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, keeper: str, incarnation: int) -> None:
        super().__init__(
            f"incarnation {incarnation} of {keeper} has lapsed; it must register again with a full report",
            keeper=keeper,
            incarnation=incarnation,
        )


class KeeperFenced(DfsError, PermissionError):
    """Another process registered under this keeper's id; this one must stop."""

    status = Status.PERMISSION_DENIED

    def __init__(self, *, keeper: str) -> None:
        super().__init__(
            f"another process has registered as {keeper}, so this one stops; "
            "give each keeper its own name and directory",
            keeper=keeper,
        )


class WrongCluster(DfsError, PermissionError):
    """A keeper of another cluster; nothing was changed on either side."""

    status = Status.PERMISSION_DENIED

    def __init__(self, *, keeper: str, theirs: str, ours: str) -> None:
        super().__init__(
            f"the directory of {keeper} belongs to cluster {theirs}, this master keeps the catalog of {ours}; nothing "
            "was changed: point it at its own master, or give it an empty directory",
            keeper=keeper,
            theirs=theirs,
            ours=ours,
        )


class DirectoryInUse(DfsError, OSError):
    """Another node works in that directory; it was not touched."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"{path} is in use by another node and was not touched; give each node its own directory", path=path
        )


class UnsafeDirectory(DfsError, OSError):
    """A symbolic link, or no directory, where a node keeps its files; it was not followed."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"{path} is a symbolic link or no directory, and was not touched; put a directory there, or take it away",
            path=path,
        )


class WrongDirectory(DfsError, ValueError):
    """The directory belongs to another node or cluster; it was not touched."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, path: str, owner: str, wanted: str) -> None:
        super().__init__(
            f"{path} belongs to {owner}, not to {wanted}; it was not touched: choose another directory",
            path=path,
            owner=owner,
            wanted=wanted,
        )


class CatalogDamaged(DfsError, OSError):
    """The master's catalog can't be read; the master did not start and nothing was overwritten."""

    status = Status.DATA_LOSS

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(
            f"the catalog {path} is damaged ({reason}); the master did not start and nothing was overwritten: "
            "`dfslab fsck` says what is left, `dfslab restore` puts a backup in its place",
            path=path,
            reason=reason,
        )


class CatalogUnwritable(DfsError, OSError):
    """The master could not make a change durable, so it did not happen."""

    status = Status.RESOURCE_EXHAUSTED

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(
            f"the master could not write its catalog {path} ({reason}), so nothing was changed; free some space there",
            path=path,
            reason=reason,
        )


class CatalogFull(CatalogUnwritable):
    """The master is read-only, because the disk of its catalog is full; nothing was changed."""

    def __init__(self, *, path: str) -> None:
        DfsError.__init__(
            self,
            f"the master is read-only because the disk of its catalog {path} is full, so nothing was changed; files "
            "can still be read: free some space there, and it goes on by itself",
            path=path,
        )


class NoCatalog(DfsError, FileNotFoundError):
    """There is no catalog at that place; nothing was changed."""

    status = Status.NOT_FOUND

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"there is no catalog in {path}; nothing was changed: name a master's directory or a cluster's root",
            path=path,
        )


class NothingToCheck(DfsError, FileNotFoundError):
    """A directory that is neither a node's nor a cluster's; nothing was changed."""

    status = Status.NOT_FOUND

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"{path} is neither the root of a cluster nor the directory of a master or a keeper; nothing was changed",
            path=path,
        )


class BackupUnusable(DfsError, ValueError):
    """A backup of a catalog is not what was written; nothing was changed."""

    status = Status.DATA_LOSS

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(
            f"{path} can't be restored ({reason}); nothing was changed: take an older backup", path=path, reason=reason
        )


class CatalogInTheWay(DfsError, FileExistsError):
    """A good catalog is where a backup was to go; nothing was changed."""

    status = Status.ALREADY_EXISTS

    def __init__(self, *, path: str, commits: int, files: int) -> None:
        super().__init__(
            f"{path} is a good catalog (commit {commits}, files: {files}), so nothing was changed: "
            "pass --force to set it aside",
            path=path,
            commits=commits,
            files=files,
        )


class WaitTimedOut(DfsError, TimeoutError):
    """A wait gave up; it says what was still missing."""

    status = Status.DEADLINE_EXCEEDED

    def __init__(self, *, waited_s: float, missing: Sequence[str]) -> None:
        super().__init__(
            f"gave up after {waited_s:.1f} s; still missing: {'; '.join(missing)}",
            waited_s=waited_s,
            missing=list(missing),
        )


class TooManyFaults(DfsError, ValueError):
    """More nodes would be broken at once than the replicas can stand; nothing was done."""

    status = Status.FAILED_PRECONDITION

    def __init__(self, *, action: str, broken: Sequence[str], limit: int) -> None:
        super().__init__(
            f"{action} is refused: {', '.join(broken)} would be broken at once, and with {limit + 1} replicas only "
            f"{limit} may be without losing sight of a file; nothing was done: heal one first, or pass force=True",
            action=action,
            broken=list(broken),
            limit=limit,
        )


class TraceUnreadable(DfsError, ValueError):
    """A saved trace can't be read; nothing was changed."""

    status = Status.DATA_LOSS

    def __init__(self, *, path: str, line: int, field: str, reason: str) -> None:
        where = f", line {line}" if line else ""
        what = f", field {field!r}" if field else ""
        super().__init__(
            f"{path}{where}{what}: {reason}; nothing was changed",
            path=path,
            line=line,
            field=field,
            reason=reason,
        )

    @classmethod
    def because(cls, path: object, error: OSError) -> TraceUnreadable:
        """Return the kind that an error of the operating system is."""
        kind = _kind_of(error, cls, TraceMissing, TraceForbidden)
        return kind(path=str(path), line=0, field="", reason=error.strerror or str(error))


class TraceMissing(TraceUnreadable, FileNotFoundError):
    """There is no saved trace at that path."""


class TraceForbidden(TraceUnreadable, PermissionError):
    """The saved trace may not be read."""


class SamplesMissing(DfsError, FileNotFoundError):
    """The sample videos are in neither the installed package nor a checkout."""

    status = Status.NOT_FOUND

    def __init__(self, *, looked: Sequence[str]) -> None:
        super().__init__(
            f"no sample videos in {' or '.join(looked)}; reinstall dfslab, or run data/sample_videos/make_samples.sh",
            looked=list(looked),
        )


class PolicyFailed(DfsError, RuntimeError):
    """A policy raised an error, or gave an answer that it may not give; what it was asked for was not done."""

    def __init__(self, *, policy: str, reason: str) -> None:
        super().__init__(
            f"the {policy} policy failed ({reason}), so nothing was changed; mend it and start the cluster again",
            policy=policy,
            reason=reason,
        )


class InvalidTransition(DfsError, RuntimeError):
    """A state machine met an event that its table does not list: a bug of dfslab's own."""

    def __init__(self, *, machine: str, state: str, event: str) -> None:
        super().__init__(
            f"{machine} in state {state} met {event}, which its table does not list; this is a bug, please report it",
            machine=machine,
            state=state,
            event=event,
        )


class ProcessDied(DfsError, ChildProcessError):
    """The process of a node ended before it did what it was asked to; nothing of it is left."""

    status = Status.UNAVAILABLE

    def __init__(self, *, node: str, how: str, said: str) -> None:
        words = f", saying {said!r}" if said else ""
        super().__init__(
            f"the process of {node} ended ({how}){words}; its disk is as a crash leaves it: start it again, "
            "or use isolation='thread'",
            node=node,
            how=how,
            said=said,
        )


class InternalError(DfsError, RuntimeError):
    """A node met an error of its own that it could not name; the call may have taken effect."""

    definite = False

    def __init__(self, *, node: str, reason: str) -> None:
        super().__init__(f"{node} failed: {reason}; this is a bug, please report it", node=node, reason=reason)


def _kind_of(error: OSError, usual: type[_E], missing: type[_E], forbidden: type[_E]) -> type[_E]:
    if isinstance(error, FileNotFoundError):
        return missing
    return forbidden if isinstance(error, PermissionError) else usual


def _subclasses(kind: type[DfsError]) -> Iterable[type[DfsError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


REGISTRY: dict[str, type[DfsError]] = {kind.__name__: kind for kind in _subclasses(DfsError)}
