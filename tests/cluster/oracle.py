"""What must be true of a cluster at the end of every test: the guarantees, asked of its real disks."""

import time
from pathlib import Path

from dfslab.cluster import Cluster
from dfslab.core.guarantees import check_counted, check_recovery
from dfslab.core.history import Table
from dfslab.core.nodes import MASTER
from dfslab.core.trace import Kind
from dfslab.lab.nodes import NodeState
from dfslab.runtime.master_node import MasterNode
from tests.faults.disks import Copy

AGREE_WITHIN_S = 10.0
Rows = set[tuple[str, str, str, str, str, bool]]
"""Name, version, keeper, path, state, and whether the keeper is alive."""


def check_cluster(cluster: Cluster) -> None:
    """No node met an error of its own; the views show what the master has; what counts is whole on its disk."""
    errors = [event for event in cluster._recorder.events() if event.kind is Kind.NODE_ERROR]
    assert errors == []
    if cluster._nodes.master_state is NodeState.RUNNING:
        rows = check_views_show_the_masters_table(cluster)
        check_disks(cluster, rows)


def check_disks(cluster: Cluster, rows: Rows) -> None:
    """Guarantees 4 and 6: each copy that counts is whole, and each file has a good one, but for what was damaged."""
    damaged = {(done.keeper, done.version) for done in cluster._damages}
    states = cluster._nodes.states()
    good: dict[tuple[str, str], list[str]] = {}
    for name, version, keeper, path, state, _alive in sorted(rows):
        copy = Copy(Path(path))
        holders = good.setdefault((name, version), [])
        if copy.data.is_file() and not copy.wrong():
            holders.append(keeper)
        elif state == "valid" and states.get(keeper) is NodeState.RUNNING and (keeper, version) not in damaged:
            check_counted(name, version, keeper, durable=False)
    for (name, version), holders in good.items():
        if not any(version == lost for _, lost in damaged):
            check_recovery(name, version, holders, replicas=1, waited_s=0.0)


def check_views_show_the_masters_table(cluster: Cluster) -> Rows:
    """The table that is folded from the trace is the master's own; return that."""
    deadline = time.monotonic() + AGREE_WITHIN_S
    while True:  # copies may be under way, and the trace is written after the core has decided
        rows = _masters_rows(cluster)
        folded = _rows(cluster._recorder.table())
        if folded == rows:
            return rows
        assert time.monotonic() < deadline, (folded - rows, rows - folded)
        cluster._recorder.wait_for_change(0.05)


def _masters_rows(cluster: Cluster) -> Rows:
    """Return what the master itself has: from its core where that can be reached, and else as it tells a client."""
    master = cluster._nodes.node(MASTER)
    if not isinstance(master, MasterNode):
        return {
            (row.file_name, row.version, row.data_node, row.file_path, row.state, row.is_alive)
            for row in cluster._client.lookup_rows()
        }
    with master.lock:
        master.core.validate()
        return {(v.name, v.id, r.keeper, r.path, str(r.state), alive) for v, r, alive in master.core.rows()}


def _rows(table: Table) -> Rows:
    return {
        (file.file_name, file.version, row.keeper, row.path, row.state, table.keepers[row.keeper].is_alive)
        for file in table.files.values()
        for row in table.replicas.get(file.version, {}).values()
    }
