"""What must be true of a cluster at the end of every test."""

from pathlib import Path

from dfslab.cluster import Cluster
from dfslab.core.history import Table
from dfslab.core.nodes import MASTER
from dfslab.core.trace import Kind
from dfslab.lab.nodes import NodeState
from dfslab.runtime.master_node import MasterNode


def check_cluster(cluster: Cluster) -> None:
    """No node met an error of its own; the views show what the master has; every valid replica is on its disk."""
    errors = [event for event in cluster._recorder.events() if event.kind is Kind.NODE_ERROR]
    assert errors == []
    if cluster._nodes.master_state is NodeState.RUNNING:
        check_views_show_the_masters_table(cluster)


def check_views_show_the_masters_table(cluster: Cluster) -> None:
    rows = _masters_rows(cluster)
    # the trace is written after the core has decided, by the same thread: ask it again once that is done
    table = _settled_table(cluster, rows)
    assert _rows(table) == rows
    states = cluster._nodes.states()
    for _name, _version, keeper, path, state, _alive in rows:
        if state == "valid" and states.get(keeper) is NodeState.RUNNING:
            assert Path(path).is_file(), path


def _masters_rows(cluster: Cluster) -> set[tuple[str, str, str, str, str, bool]]:
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


def _settled_table(cluster: Cluster, rows: set[tuple[str, str, str, str, str, bool]]) -> Table:
    table = cluster._recorder.table()
    for _ in range(100):
        if _rows(table) == rows:
            break
        cluster._recorder.wait_for_change(0.05)
        table = cluster._recorder.table()
    return table


def _rows(table: Table) -> set[tuple[str, str, str, str, str, bool]]:
    return {
        (file.file_name, file.version, row.keeper, row.path, row.state, table.keepers[row.keeper].is_alive)
        for file in table.files.values()
        for row in table.replicas.get(file.version, {}).values()
    }
