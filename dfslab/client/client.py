"""`Client`: the file system from any process that has its address and token."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dfslab.client.later import LATE_S, Later
from dfslab.client.master import MasterLink
from dfslab.client.progress import Progress, ProgressArgument, progress_of
from dfslab.client.results import Download
from dfslab.client.source import Source, Uploadable
from dfslab.client.target import Target, target_of
from dfslab.core import retrieval
from dfslab.core.checks import check_count
from dfslab.core.errors import DfsError, InvalidName, InvalidOption
from dfslab.core.model import Address, FileInfo, Holder, Location, Version
from dfslab.core.names import check_name
from dfslab.core.nodes import CLIENT, MASTER
from dfslab.core.policies import resolve
from dfslab.core.retrieval import Retrieval
from dfslab.core.trace import Kind, TraceEvent, Tracer
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.clock import Clock
from dfslab.runtime.data_client import DataClient
from dfslab.runtime.network import Network
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.tls import check_ca
from dfslab.runtime.wire import address_from, file_info_from

if TYPE_CHECKING:
    from dfslab.client.downloading import Outcome
    from dfslab.core.download import Fetched

Files = list[FileInfo]
LookupRows = list[pb.LookupRow]
KeeperInfos = list[pb.KeeperInfo]
PlannedActions = list[pb.PlannedAction]


class Client:
    """Talks to a cluster's master and keepers. Safe to use from several threads.

    Parameters
    ----------
    master_address : str or Address
        `host:port` of the master tracker.
    token : str
        The cluster's token.
    ca : path or bytes, optional
        For a cluster with TLS: its authority's certificate, or the file with it (`cluster.ca_file`).
    name : str
        How the trace calls this client.
    patience_s : float
        How long a master that does not answer is asked again, seconds.
    stall_timeout_s : float
        A transfer that moves no byte for so long goes on with another keeper, seconds.
    ack_timeout_s : float
        How long an upload waits for its acknowledgement once a keeper has the file, seconds.
    chunk_scheduler : str, class or object
        The default scheduler of downloads.

    Examples
    --------
    >>> import dfslab
    >>> with dfslab.cluster.start(n=3, name="client-example") as cluster:
    ...     with dfslab.Client(cluster.address, token=cluster.token) as client:
    ...         client.upload(b"hello", name="greeting.txt").size
    5
    """

    def __init__(
        self,
        master_address: str | Address,
        *,
        token: str,
        ca: str | os.PathLike[str] | bytes | None = None,
        name: str = CLIENT,
        patience_s: float = 5.0,
        stall_timeout_s: float = 5.0,
        ack_timeout_s: float = 30.0,
        chunk_scheduler: object = "work-stealing",
        clock: Clock | None = None,
        trace: Callable[[TraceEvent], None] = lambda event: None,
        network: Network | None = None,
    ) -> None:
        self._scheduler = resolve("chunk_scheduler", chunk_scheduler)
        self._ack_timeout_s = ack_timeout_s
        self._clock = clock or Clock()
        self._tracer = Tracer(name, secrets.token_hex(3))
        self._trace = trace
        nic = (network or Network()).nic(name)
        pem = check_ca(ca)
        self._later, self._turns = Later(LATE_S), itertools.count()
        self._master = MasterLink(_address(master_address), token, patience_s, nic, pem)
        self._data = DataClient(token, stall_timeout_s, nic, ca=pem)

    @property
    def address(self) -> str:
        """The master's `host:port`."""
        return str(self._master.address)

    # -- uploads ------------------------------------------------------------------------------

    def upload(
        self,
        source: Uploadable,
        name: str | None = None,
        *,
        ack_replicas: int | None = None,
        progress: ProgressArgument = None,
    ) -> FileInfo:
        """Store a file and return once it is acknowledged.

        Parameters
        ----------
        source : path or bytes
        name : str, optional
            Its name in the file system; by default the last part of the path. An existing name
            gets a new version, and the old one goes when the new one is recorded.
        ack_replicas : int, optional
            Durable copies to wait for, 1 to `replicas`; by default the cluster's.
        progress : bool or callable, optional
            True for a progress bar, or `progress(done_bytes, total_bytes)`.

        Raises
        ------
        SourceUnreadable, InvalidName, InvalidOption
            Nothing was sent.
        NoLiveKeepers, NotEnoughKeepers, UploadFailed
            Nothing was stored.
        UploadUnconfirmed
            It may have been stored, on fewer keepers than asked for.
        MasterUnavailable
            The master did not answer.
        """
        from dfslab.client.uploading import Uploading  # with the first upload, not with `import dfslab`

        with PROCESSOR.together(), Source(source) as opened:
            file_name = _upload_name(opened, name)
            with progress_of(progress, f"upload {file_name}", opened.size) as tell:
                started = self._clock.now()
                uploading = Uploading(
                    self._master, self._data, self._clock, self._tracer, self._trace, ack_timeout_s=self._ack_timeout_s
                )
                info = uploading.run(opened, file_name, _check_ack(ack_replicas), tell)
                return replace(info, seconds=self._clock.now() - started)

    # -- downloads ----------------------------------------------------------------------------

    def download(
        self,
        name: str,
        to: str | os.PathLike[str] | None = None,
        *,
        scheduler: object = None,
        progress: ProgressArgument = None,
        holders: int | None = None,
    ) -> Download:
        """Fetch a file from all of its holders in parallel, and check every block.

        Parameters
        ----------
        name : str
        to : path, optional
            A file, or a folder to put it in; by default the working folder. A file that is there
            is replaced, at once and whole.
        scheduler : str, class or object, optional
            Which keeper serves which chunk; by default the client's.
        progress : bool or callable, optional
            True for a progress bar, or `progress(done_bytes, total_bytes)`.
        holders : int, optional
            Fetch from so many of the holders at most, to compare.

        Raises
        ------
        NoSuchFile, FileUnavailable
            There is nothing to fetch, or nobody to fetch it from.
        TargetUnwritable
            The place can't be written.
        DownloadFailed
            No whole, verified copy could be fetched. Nothing is left at the target.
        """
        check_name(name)
        if holders is not None:
            check_count("holders", holders)
        policy = self._scheduler if scheduler is None else resolve("chunk_scheduler", scheduler)
        with PROCESSOR.together():
            return self._download(name, to, policy, progress, holders)

    def _download(
        self,
        name: str,
        to: str | os.PathLike[str] | None,
        policy: Any,
        progress: ProgressArgument,
        holders: int | None,
    ) -> Download:
        started = self._clock.now()
        cause = self._note(Kind.DOWNLOAD_REQUESTED, name, peer="master")
        try:
            machine = Retrieval(name, holders)
            first = self._locate_for(machine)
            target = target_of(name, to)
            try:
                with progress_of(progress, f"download {name}", first.location.version.size) as tell:
                    version, outcome = self._fetch_whole(machine, first, policy, target, tell, cause)
                target.publish()
            finally:
                target.discard()
        except BaseException as error:
            self._note(Kind.DOWNLOAD_FAILED, name, cause=cause, reason=str(error) or type(error).__name__)
            raise
        seconds = self._clock.now() - started
        self._note(
            Kind.DOWNLOAD_DONE,
            name,
            version=version.id,
            cause=cause,
            size=version.size,
            seconds=seconds,
            holders=len({one.keeper for one in outcome.requests if one.outcome == "ok"}),
        )
        return Download(name, version.id, target.path, version.size, seconds, outcome.requests)

    def _locate_for(self, machine: Retrieval) -> retrieval.Fetch:
        """Ask the master where the file is, and return the try that the machine wants; raise what it fails with."""
        try:
            action = machine.handle(retrieval.Located(self.locate(machine.name)))
        except DfsError as error:
            action = machine.handle(retrieval.LocateFailed(error))
        if isinstance(action, retrieval.Fail):
            raise action.error
        assert isinstance(action, retrieval.Fetch)
        return action

    def _fetch_whole(
        self, machine: Retrieval, fetch: retrieval.Fetch, policy: Any, target: Target, tell: Progress | None, cause: str
    ) -> tuple[Version, Outcome]:
        """Try until one version is whole; raise what the machine fails with."""
        while True:
            outcome = self._fetch_once(machine.name, fetch.location, policy, target, tell, cause)
            action = machine.handle(retrieval.TryEnded(outcome.whole, outcome.lost))
            if isinstance(action, retrieval.Finish):
                return action.version, outcome
            if isinstance(action, retrieval.Fail):
                raise action.error
            fetch = self._locate_for(machine)

    def _fetch_once(
        self, name: str, location: Location, policy: Any, target: Target, tell: Progress | None, cause: str
    ) -> Outcome:
        from dfslab.client.downloading import Downloading  # with the first download, not with `import dfslab`

        version = location.version
        target.reserve(version.size)
        cause = self._note(
            Kind.DOWNLOAD_STARTED,
            name,
            version=version.id,
            cause=cause,
            size=version.size,
            holders=[holder.keeper for holder in location.holders],
        )

        downloading = Downloading(
            location,
            policy,
            self._data,
            self._clock,
            target,
            self._later,
            turn=next(self._turns),
            locate=lambda: self.locate(name),
            on_fetched=lambda fetched: self._note_fetched(version, fetched, cause),
            on_bad=lambda keeper, reason: self._report_if_heard(version, keeper, reason, cause),
        )
        PROCESSOR.settle(version.size)
        return downloading.run(tell)

    def _note_fetched(self, version: Version, fetched: Fetched, cause: str) -> None:
        kind = Kind.CHUNK_FETCHED if fetched.outcome in ("ok", "duplicate") else Kind.CHUNK_FAILED
        failed = {"reason": fetched.reason} if kind is Kind.CHUNK_FAILED else {}
        self._note(
            kind,
            version.name,
            version=version.id,
            peer=fetched.keeper,
            cause=cause,
            size=fetched.chunk.length,
            offset=fetched.chunk.offset,
            start_s=round(fetched.start_s, 6),  # most lines of a busy trace are chunks: they are kept short
            end_s=round(fetched.end_s, 6),
            outcome=fetched.outcome,
            **failed,
        )

    def _report_if_heard(self, version: Version, keeper: str, reason: str, cause: str) -> None:
        try:
            self.report_bad(keeper, version.id, reason)
        except DfsError as error:  # the other holders serve all the same; the next reader reports it, too
            why = str(error)
            self._note(Kind.UNHEARD, version.name, peer=MASTER, cause=cause, call="ReportBadReplica", reason=why)

    def locate(self, name: str) -> Location:
        """Return the current version of a file and the keepers that serve it.

        Raises
        ------
        NoSuchFile, FileUnavailable
        """
        reply = self._master.call("Locate", pb.LocateRequest(name=check_name(name)))
        version = Version(reply.version, name, reply.size, reply.block_size, reply.checksums, 0.0)
        return Location(
            version,
            tuple(Holder(holder.keeper, address_from(holder.data_address), holder.ticket) for holder in reply.holders),
        )

    # -- names --------------------------------------------------------------------------------

    def stat(self, name: str) -> FileInfo:
        """Return what is known of a file, or raise NoSuchFile."""
        return file_info_from(self._master.call("Stat", pb.StatRequest(name=check_name(name))).file)

    def list(self, prefix: str = "") -> Files:
        """Return every file whose name starts with `prefix`, by name."""
        return list(self._pages(prefix))

    def _pages(self, prefix: str) -> Iterator[FileInfo]:
        after = ""
        while True:
            reply = self._master.call("List", pb.ListRequest(prefix=prefix, after=after))
            yield from map(file_info_from, reply.files)
            if not reply.more:
                return
            after = reply.files[-1].name

    def delete(self, name: str) -> None:
        """Take a file away; raise NoSuchFile when there is none."""
        self._master.call("Delete", pb.DeleteRequest(name=check_name(name)), changes=True)

    def rename(self, old: str, new: str) -> FileInfo:
        """Give a file a new name; raise NoSuchFile or FileAlreadyExists, and then nothing has changed."""
        request = pb.RenameRequest(old_name=check_name(old), new_name=check_name(new))
        return file_info_from(self._master.call("Rename", request, changes=True).file)

    # -- for operators ------------------------------------------------------------------------

    def lookup_rows(self) -> LookupRows:
        """Return the master's lookup table, one message a replica, by file name."""
        rows: LookupRows = []
        after = ""
        while True:
            reply = self._master.call("LookupTable", pb.LookupTableRequest(after=after))
            rows.extend(reply.rows)
            after = reply.next_after
            if not after:
                return rows

    def keeper_infos(self) -> KeeperInfos:
        """Return the keepers as the master sees them, in the order they first came."""
        return list(self._master.call("Keepers", pb.KeepersRequest()).keepers)

    def scan(self, *, dry_run: bool = False) -> PlannedActions:
        """Run the replication scan now, or only ask what it would do."""
        return list(self._master.call("Scan", pb.ScanRequest(dry_run=dry_run), changes=not dry_run).actions)

    def report_bad(self, keeper: str, version: str, reason: str) -> None:
        """Tell the master that a keeper's replica is not what it should be: it stops counting, and is replaced."""
        report = pb.ReportBadReplicaRequest(keeper=keeper, version=version, reason=reason, reporter=self._tracer.node)
        self._master.call("ReportBadReplica", report)

    def decommission(self, keeper: str) -> None:
        """Start to empty a keeper; it is let go when every file has its copies elsewhere."""
        self._master.call("Decommission", pb.DecommissionRequest(keeper=keeper), changes=True)

    # -- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Close every connection; may be called twice."""
        self._later.close()
        self._data.close()
        self._master.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<dfslab client of {self.address}>"

    def _note(
        self, kind: Kind, name: str, *, version: str = "", peer: str = "", cause: str = "", size: int = 0, **detail: Any
    ) -> str:
        event = self._tracer.event(
            kind, self._clock.now(), file_name=name, version=version, peer=peer, bytes=size, cause=cause, **detail
        )
        self._trace(event)
        return event.id


def _address(given: str | Address) -> Address:
    if isinstance(given, Address):
        return given
    try:
        return Address.parse(given)
    except (ValueError, AttributeError):
        reason = "it must be 'host:port', as cluster.address is"
        raise InvalidOption(option="master_address", value=repr(given), reason=reason) from None


def _upload_name(source: Source, name: str | None) -> str:
    if name is None and not source.default_name:
        raise InvalidName(name="", reason="bytes have no name of their own, pass name=...")
    return check_name(source.default_name if name is None else name)


def _check_ack(ack_replicas: int | None) -> int | None:
    return None if ack_replicas is None else check_count("ack_replicas", ack_replicas)
