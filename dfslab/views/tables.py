"""The tables: snapshots and traces as DataFrames whose columns, order and dtypes are public.

Text is "string", counts and bytes are "int64", times are "float64" seconds since the cluster
started (NaN where unknown). An empty table has the same columns and dtypes as a full one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import pandas as pd

from dfslab.core.history import Table
from dfslab.core.links import Link
from dfslab.core.model import CheckedReplica
from dfslab.core.trace import TraceEvent
from dfslab.views.snapshot import (
    current_files,
    file_state,
    in_natural_order,
    live_holders,
    load_by_keeper,
    replicas_of,
)
from dfslab.views.transfers import fold_transfers

LOOKUP_TABLE = {
    "file_name": "string",
    "data_node": "string",
    "file_path": "string",
    "is_alive": "bool",
    "state": "string",
    "version": "string",
    "size_bytes": "int64",
    "since_s": "float64",
}
KEEPERS = {
    "keeper": "string",
    "state": "string",
    "is_alive": "bool",
    "incarnation": "int64",
    "replicas": "int64",
    "stored_bytes": "int64",
    "free_bytes": "int64",
    "last_heartbeat_s": "float64",
    "address": "string",
    "data_address": "string",
    "directory": "string",
}
FILES = {
    "file_name": "string",
    "version": "string",
    "size_bytes": "int64",
    "live_copies": "int64",
    "copies": "int64",
    "wanted": "int64",
    "state": "string",
    "holders": "string",
    "created_at": "datetime64[us, UTC]",
}
EVENTS = {
    "time_s": "float64",
    "node": "string",
    "kind": "string",
    "file_name": "string",
    "version": "string",
    "peer": "string",
    "bytes": "int64",
    "cause": "string",
    "id": "string",
    "detail": "string",
}
TRANSFERS = {
    "transfer": "string",
    "kind": "string",
    "file_name": "string",
    "version": "string",
    "source": "string",
    "target": "string",
    "bytes": "int64",
    "start_s": "float64",
    "end_s": "float64",
    "seconds": "float64",
    "throughput_mb_s": "float64",
    "state": "string",
    "reason": "string",
}
LINKS = {
    "node": "string",
    "other": "string",
    "rate_mb_s": "float64",
    "delay_ms": "float64",
    "jitter_ms": "float64",
    "loss": "float64",
    "changed": "bool",
}
PLANNED_ACTIONS = {
    "action": "string",
    "file_name": "string",
    "version": "string",
    "source": "string",
    "target": "string",
    "reason": "string",
}


CHECKED_REPLICAS = {
    "keeper": "string",
    "file_name": "string",
    "version": "string",
    "size_bytes": "int64",
    "problem": "string",
}


class PlannedAction(Protocol):
    """One thing that a replication scan does or would do, from the core or off the wire."""

    @property
    def action(self) -> str: ...  # noqa: D102
    @property
    def file_name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def target(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102


def frame(dtypes: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return rows as a DataFrame with these columns, in this order and of these types, also when there are none."""
    columns = list(zip(*rows, strict=True)) or [()] * len(dtypes)
    return pd.DataFrame(
        {
            name: pd.Series(list(column), dtype=dtype)
            for (name, dtype), column in zip(dtypes.items(), columns, strict=True)
        }
    )


def lookup_table(table: Table) -> pd.DataFrame:
    """Return the lookup table: one row a replica of a current file, by file name, then by keeper.

    Parameters
    ----------
    table : Table
        A snapshot, see `dfslab.core.trace.Trace.table`.

    Returns
    -------
    DataFrame
        ============== ======== =====================================================================
        `file_name`    string
        `data_node`    string   the keeper that holds the replica
        `file_path`    string   the replica's absolute path on that keeper's disk
        `is_alive`     bool     True while the master counts on the keeper
        `state`        string   "valid", "corrupt" (found bad: in quarantine until it is replaced) or
                                "dropping" (to be deleted)
        `version`      string   which content of the file it is
        `size_bytes`   int64
        `since_s`      float64  when the replica came into its state, seconds since the cluster started
        ============== ======== =====================================================================
    """
    return frame(
        LOOKUP_TABLE,
        (
            (
                file.file_name,
                row.keeper,
                row.path,
                table.is_alive(row.keeper),
                row.state,
                file.version,
                file.size,
                row.since_s,
            )
            for file in current_files(table)
            for row in replicas_of(table, file.version)
        ),
    )


def keepers(table: Table) -> pd.DataFrame:
    """Return the data keepers as the master sees them, in the natural order of their names.

    Parameters
    ----------
    table : Table

    Returns
    -------
    DataFrame
        ================== ======== =================================================================
        `keeper`           string
        `state`            string   "unseen", "alive", "draining", "dead" or "decommissioned"
        `is_alive`         bool     True for alive and draining
        `incarnation`      int64    how many times it has registered
        `replicas`         int64    its rows of the lookup table, whatever their state
        `stored_bytes`     int64    the bytes of these
        `free_bytes`       int64    room on its disk at its last heartbeat
        `last_heartbeat_s` float64  seconds since the cluster started; NaN when it was never heard
        `address`          string   host:port of its control server
        `data_address`     string   host:port of its data server
        `directory`        string   where its replicas are
        ================== ======== =================================================================
    """
    load = load_by_keeper(table)
    rows = []
    for name in in_natural_order(table.keepers):
        row = table.keepers[name]
        rows.append(
            (
                name,
                row.state,
                row.is_alive,
                row.incarnation,
                load[name].replicas,
                load[name].stored_bytes,
                row.free_bytes,
                row.last_heartbeat_s,
                row.address,
                row.data_address,
                row.directory,
            )
        )
    return frame(KEEPERS, rows)


def files(table: Table, replicas: int) -> pd.DataFrame:
    """Return the current files by name, with how well each is replicated.

    Parameters
    ----------
    table : Table
    replicas : int
        Live copies that every file should have.

    Returns
    -------
    DataFrame
        ============= ==================== ==========================================================
        `file_name`   string
        `version`     string
        `size_bytes`  int64
        `live_copies` int64                valid replicas on live keepers
        `copies`      int64                rows of the lookup table, whatever their state
        `wanted`      int64                `replicas`
        `state`       string               "ok", "degraded" (fewer live copies than wanted) or
                                           "unavailable" (none)
        `holders`     string               the live keepers with a valid replica, separated by ","
        `created_at`  datetime64[us, UTC]  when this version was committed
        ============= ==================== ==========================================================
    """
    rows = []
    for file in current_files(table):
        holders = live_holders(table, file.version)
        rows.append(
            (
                file.file_name,
                file.version,
                file.size,
                len(holders),
                len(table.replicas.get(file.version, {})),
                replicas,
                file_state(len(holders), replicas),
                ",".join(holders),
                datetime.fromtimestamp(file.created_at, UTC),
            )
        )
    return frame(FILES, rows)


def events(events: Iterable[TraceEvent]) -> pd.DataFrame:
    """Return the trace, one row an event, in the order in which the events were recorded.

    Parameters
    ----------
    events : iterable of TraceEvent

    Returns
    -------
    DataFrame
        =========== ======== ========================================================================
        `time_s`    float64  seconds since the cluster started
        `node`      string   where it happened: "master", "keeper-3", "client", "lab"
        `kind`      string   one of `dfslab.core.trace.Kind`
        `file_name` string   empty where no file is concerned
        `version`   string
        `peer`      string   the other node concerned
        `bytes`     int64    what was moved or stored; 0 where it does not apply
        `cause`     string   the `id` of the event that led to it
        `id`        string   unique in the trace
        `detail`    string   what else is known, a JSON object
        =========== ======== ========================================================================
    """
    return frame(
        EVENTS,
        (
            (
                event.time_s,
                event.node,
                str(event.kind),
                event.file_name,
                event.version,
                event.peer,
                event.bytes,
                event.cause,
                event.id,
                json.dumps(dict(event.detail), ensure_ascii=False),
            )
            for event in events
        ),
    )


def transfers(events: Iterable[TraceEvent]) -> pd.DataFrame:
    """Return one row an upload, a download or a copy between keepers, in the order in which they began.

    Parameters
    ----------
    events : iterable of TraceEvent

    Returns
    -------
    DataFrame
        ================= ======== ==================================================================
        `transfer`        string   its id
        `kind`            string   "upload", "download" or "copy"
        `file_name`       string
        `version`         string   empty while it is not known
        `source`          string   the client of an upload, the keeper that a copy is read from, the
                                   keepers that have served chunks of a download, separated by ","
        `target`          string   the keeper that took the file, the client of a download
        `bytes`           int64    size of the file; 0 while it is not known
        `start_s`         float64  when it was asked for or ordered, seconds since the cluster started;
                                   NaN when the trace no longer covers that
        `end_s`           float64  NaN while it is running
        `seconds`         float64  what it took; NaN while it is running
        `throughput_mb_s` float64  MB/s (10^6 bytes); NaN unless it is done
        `state`           string   "running", "done" or "failed"
        `reason`          string   why it failed; else empty
        ================= ======== ==================================================================
    """
    return frame(TRANSFERS, (row.values() for row in fold_transfers(events)))


def links(rows: Iterable[tuple[str, str, Link, bool]]) -> pd.DataFrame:
    """Return the emulated links in force: one row a node, then one a pair that has its own.

    Parameters
    ----------
    rows : iterable of (str, str, Link, bool)
        A node, the other end or "", the link, and whether it differs from what it was at the start.

    Returns
    -------
    DataFrame
        =========== ======== ========================================================================
        `node`      string   "keeper-3", "master" or "client"
        `other`     string   the other end of a pair; empty for a node's own link
        `rate_mb_s` float64  MB/s (10^6 bytes) in each direction; inf: no limit
        `delay_ms`  float64  one way
        `jitter_ms` float64  the delay varies by so much up and down
        `loss`      float64  chance, 0 to 1, that a transfer is reset
        `changed`   bool     True unless it is what it was when the cluster started
        =========== ======== ========================================================================
    """
    return frame(
        LINKS,
        (
            (
                node,
                other,
                math.inf if link.rate_mb_s is None else link.rate_mb_s,
                link.delay_ms,
                link.jitter_ms,
                link.loss,
                changed,
            )
            for node, other, link, changed in rows
        ),
    )


def planned_actions(actions: Iterable[PlannedAction]) -> pd.DataFrame:
    """Return what a replication scan has ordered, or would order.

    Parameters
    ----------
    actions : iterable
        Objects with these attributes.

    Returns
    -------
    DataFrame
        =========== ======= =========================================================================
        `action`    string  "copy" or "drop"
        `file_name` string
        `version`   string
        `source`    string  the keeper to copy from; empty for a drop
        `target`    string  the keeper to copy to, or to drop from
        `reason`    string
        =========== ======= =========================================================================
    """
    return frame(PLANNED_ACTIONS, (tuple(getattr(action, name) for name in PLANNED_ACTIONS) for action in actions))


def checked_replicas(keeper: str, checked: Iterable[CheckedReplica], table: Table) -> pd.DataFrame:
    """Return what reading all of a keeper's replicas again has shown.

    Parameters
    ----------
    keeper : str
    checked : iterable of CheckedReplica
    table : Table
        Where the names of the files come from.

    Returns
    -------
    DataFrame
        ============ ======= ========================================================================
        `keeper`     string
        `file_name`  string  empty for a replica of what is deleted, or was never committed
        `version`    string
        `size_bytes` int64   as it was stored
        `problem`    string  what is wrong with it; empty for a good one
        ============ ======= ========================================================================
    """
    names = {version: file.file_name for version, file in table.files.items()}
    rows = ((keeper, names.get(one.version, ""), one.version, one.bytes, one.problem) for one in checked)
    return frame(CHECKED_REPLICAS, rows)
