"""How a keeper makes a copy: it fetches a version from another one, and checks every block of it."""

from __future__ import annotations

from collections.abc import Callable

from dfslab.core.errors import BAD_REPLICA_ERRORS, DfsError, StorageFailed
from dfslab.core.keeper import events
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.data_client import DataClient, Range
from dfslab.runtime.pulse import Pulse
from dfslab.runtime.storage import Storage


class Fetching:
    """Carries out orders to copy, each on the thread that asks.

    Parameters
    ----------
    name : str
        The keeper's.
    storage : Storage
    data_client : DataClient
    now : callable
        Returns the seconds since the cluster started.
    report_bad : callable
        Tells the master of a source's replica that is not what it should be.
    tell_progress : callable
        Takes the order and how many bytes are done, now and then.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        data_client: DataClient,
        now: Callable[[], float],
        report_bad: Callable[[pb.ReportBadReplicaRequest], None],
        tell_progress: Callable[[events.CopyOrdered, int], None],
    ) -> None:
        self._name, self._storage, self._data_client, self._now = name, storage, data_client, now
        self._report_bad, self._tell_progress = report_bad, tell_progress

    def fetch(self, order: events.CopyOrdered) -> events.ReplicaWritten | events.FetchFailed:
        """Copy what an order says, and return what came of it."""
        try:
            return self._copy_from_source(order)
        except (DfsError, OSError) as error:
            if isinstance(error, BAD_REPLICA_ERRORS):
                version, reason = order.version.id, str(error)
                self._report_bad(
                    pb.ReportBadReplicaRequest(keeper=order.source, version=version, reason=reason, reporter=self._name)
                )
            own_disk = isinstance(error, StorageFailed) and error.fields["keeper"] == self._name
            return events.FetchFailed(order.copy_id, order.version.id, str(error), source_at_fault=not own_disk)

    def _copy_from_source(self, order: events.CopyOrdered) -> events.ReplicaWritten:
        version = order.version
        writer = self._storage.create(version.id, version.size, version.block_size)
        try:
            if version.size:
                wanted = Range(version.id, 0, version.size, version.block_size, version.checksums)
                pulse = Pulse(self._now, lambda done: self._tell_progress(order, done))

                def sink(view: memoryview, offset: int) -> None:
                    writer.write(view)
                    pulse.beat(offset + len(view))

                address, is_behind = order.source_data_address, not order.awaited
                self._data_client.get(order.source, address, wanted, sink, order.ticket, is_behind=is_behind)
            stored = writer.commit()
        except BaseException:
            writer.abort()
            raise
        return events.ReplicaWritten(
            stored, version.block_size, version.checksums, order.copy_id, order.cause, order.awaited
        )
