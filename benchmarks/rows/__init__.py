"""The rows of the table: each module here has `rows(context) -> list[Row]`, and is named in `MODULES`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.context import Context
from benchmarks.rows import clients, cluster, master_core, metadata, repair, transfers
from benchmarks.table import Row

MODULES: Sequence[Callable[[Context], list[Row]]] = (
    transfers.rows,
    clients.rows,
    repair.rows,
    metadata.rows,
    cluster.rows,
    master_core.rows,
)
"""In the order of the table."""
