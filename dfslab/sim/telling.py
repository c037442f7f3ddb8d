"""The trace tells the same as the master's tables (DESIGN §8): whoever looks at the one sees the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dfslab.core.guarantees import Broken, Guarantee
from dfslab.core.master import Master
from dfslab.core.trace import Trace, TraceEvent


def check_trace(master: Master, events: Iterable[TraceEvent]) -> None:
    """Hold the lookup table that is folded from a trace to the one that the master keeps."""
    trace = Trace()
    for event in events:
        trace.append(event)
    table = trace.table()
    keepers = {row.keeper: (row.state, row.incarnation) for row in table.keepers.values()}
    _compare("keepers", keepers, {one.id: (str(one.liveness), one.incarnation) for one in master.keepers()})
    files = {row.version: (row.file_name, row.size) for row in table.files.values()}
    _compare("files", files, {info.version: (info.name, info.size) for info in master.files(limit=10**6)})
    told = {
        (row.version, row.keeper): (row.path, row.state)
        for version in table.files
        for row in table.replicas.get(version, {}).values()
    }
    kept = {(version.id, row.keeper): (row.path, str(row.state)) for version, row, _ in master.rows()}
    _compare("replicas", told, kept)


def _compare(what: str, told: Mapping[Any, object], kept: Mapping[Any, object]) -> None:
    for key in [*kept, *told]:
        if told.get(key) != kept.get(key):
            difference = f"of {key} the trace tells {told.get(key)}, the master has {kept.get(key)}"
            raise Broken(Guarantee.TOLD, f"{what}: {difference}")
